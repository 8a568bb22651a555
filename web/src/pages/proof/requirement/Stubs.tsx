import { useMutation, useQueryClient } from "@tanstack/react-query";
import type { Shape } from "@/api/client";
import { problemFrom } from "@/api/problem";
import { keys } from "@/api/queries/keys";
import { writeStubs, type Requirement } from "@/api/queries/proof";
import { visible } from "@/format/text";
import { Button } from "@/ui/Button";
import { Copy } from "@/ui/Copy";
import { Icon } from "@/ui/Icon";
import { Code } from "@/ui/states";
import { useProof } from "../context";
import { Part } from "../panes/Pane";

/** The tests that are waiting to be written, as files in the checkout. */
export function Stubs({ requirement }: { requirement: Requirement }) {
  const { project, readOnly } = useProof();
  const client = useQueryClient();
  const write = useMutation({
    mutationFn: () => writeStubs(project, requirement.id),
    onSettled: () => client.invalidateQueries({ queryKey: keys.requirement(requirement.id) }),
  });
  const stubs = write.data?.stubs ?? requirement.stubs ?? [];
  if (stubs.length === 0) return null;
  const planned = stubs.filter((stub) => stub.state === "planned").length;
  return (
    <Part
      title="Stub tests"
      aside={
        planned > 0 && (
          <Button icon="file" busy={write.isPending} blocked={readOnly} onClick={() => write.mutate()}>
            Write {planned === 1 ? "it" : `${planned} stubs`}
          </Button>
        )
      }
    >
      <StubList stubs={stubs} />
      {write.error !== null && (
        <p role="alert" className="mt-1 text-bad">
          {problemFrom(write.error).detail} (<Code code={problemFrom(write.error).code} />)
        </p>
      )}
      <p className="mt-1 text-sm text-soft">A stub fails until its body is replaced, in place and under its name. It does not break the plain suite.</p>
    </Part>
  );
}

const STATE: Record<Shape<"StubAnswer">["state"], readonly [word: string, icon: "check" | "file" | "ring"]> = {
  written: ["written", "check"],
  exists: ["there already", "file"],
  planned: ["not written", "ring"],
};

export function StubList({ stubs }: { stubs: readonly Shape<"StubAnswer">[] }) {
  return (
    <ul>
      {stubs.map((stub) => (
        <li key={stub.path} className="flex items-center gap-2">
          <Icon name={STATE[stub.state][1]} size={13} className="text-faint" />
          <code className="min-w-0 text-sm break-all">{visible(stub.path)}</code>
          <span className="shrink-0 text-sm text-soft">{STATE[stub.state][0]}</span>
          {stub.message != null && <span className="text-sm text-warning">{visible(stub.message)}</span>}
          <Copy text={stub.path} label={`Copy the path ${stub.path}`} />
        </li>
      ))}
    </ul>
  );
}
