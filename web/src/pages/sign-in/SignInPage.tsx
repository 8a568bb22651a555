import { useQueryClient } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useEffect, useState, type SyntheticEvent } from "react";
import { problemFrom, type Problem } from "@/api/problem";
import { signIn } from "@/api/queries/access";
import { keys } from "@/api/queries/keys";
import { live } from "@/live/store";
import { Button } from "@/ui/Button";
import { Field, Input } from "@/ui/Field";
import { Icon } from "@/ui/Icon";
import { Code, Commands } from "@/ui/states";

export function SignInPage() {
  const { next, refused } = useSearch({ from: "/sign-in" });
  const [token, setToken] = useState("");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const client = useQueryClient();
  const navigate = useNavigate();
  // The way back into the page asks again who this is.
  useEffect(() => {
    client.removeQueries({ queryKey: keys.me });
  }, [client]);

  const submit = async (event: SyntheticEvent) => {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    setProblem(null);
    try {
      // An answer to the session before that comes late would lead back here.
      await client.cancelQueries();
      await signIn(token.trim());
      client.clear();
      live.retry();
      await navigate({ href: next ?? "/", replace: true });
    } catch (error) {
      setProblem(problemFrom(error));
      setBusy(false);
    }
  };

  return (
    <main className="h-dvh overflow-y-auto">
      <title>Sign in · Proofhouse</title>
      <div className="mx-auto flex w-[min(26rem,calc(100vw-2rem))] flex-col gap-6 py-[12dvh]">
        <header className="flex items-center gap-2.5">
          <img src="/favicon.svg" alt="" width={26} height={26} />
          <h1 className="text-xl font-semibold">Sign in to Proofhouse</h1>
        </header>
        {refused !== undefined && (
          <div role="alert" className="flex gap-2 rounded-lg border border-warning/40 bg-warning-tint px-3 py-2">
            <Icon name="warning" className="mt-0.5 text-warning" />
            <p>
              That link was used before, or has ended: each works once, for 15 minutes (<Code code={refused} />).
            </p>
          </div>
        )}
        <section className="flex flex-col gap-2">
          <h2 className="font-semibold">By a link</h2>
          <p className="text-soft">On the machine that runs the plane, this prints a link. Open it in this browser.</p>
          <Commands lines={["proofhouse token link"]} />
        </section>
        <form onSubmit={(event) => void submit(event)} className="flex flex-col gap-3 border-t border-line pt-5">
          <h2 className="font-semibold">By a token of yours</h2>
          <Field label="Token" help="It is exchanged for a session and not kept." error={problem === null ? null : `${problem.detail} (${problem.code})`}>
            {(ids) => (
              <Input {...ids} type="password" autoComplete="off" spellCheck={false} required value={token} onChange={(event) => setToken(event.target.value)} className="font-mono" placeholder="pht_" />
            )}
          </Field>
          <Button type="submit" look="primary" busy={busy} className="self-start">
            Sign in
          </Button>
        </form>
      </div>
    </main>
  );
}
