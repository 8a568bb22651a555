import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import type { Shape } from "@/api/client";
import { errorFor, problemFrom } from "@/api/problem";
import { keys } from "@/api/queries/keys";
import { meQuery } from "@/api/queries/access";
import { projectQuery } from "@/api/queries/projects";
import { makeToken, revokeToken, tokensQuery, type Token } from "@/api/queries/settings";
import { visible } from "@/format/text";
import { nameOf } from "@/pages/proof/words";
import { Button } from "@/ui/Button";
import { cx } from "@/ui/classes";
import { Copy } from "@/ui/Copy";
import { Dialog } from "@/ui/Dialog";
import { Field, Input, Select } from "@/ui/Field";
import { Icon } from "@/ui/Icon";
import { Ago } from "@/ui/Time";
import { Read, Refusal } from "./parts";

/** Who may come in by a token: made, shown once, and taken back. */
export function TokensTab({ project }: { project: string }) {
  const query = useQuery(tokensQuery);
  const [making, make] = useState(false);
  const [ending, end] = useState<Token | null>(null);
  const [isOld, showOld] = useState(false);
  return (
    <>
      <div className="flex flex-wrap items-center gap-3">
        <p className="min-w-0 flex-1 text-soft">For programs and other people. A token&apos;s secret is shown once, when it is made.</p>
        <Button icon="plus" look="primary" onClick={() => make(true)}>New token</Button>
      </div>
      <Read query={query} what="The tokens" lines={3}>
        {({ items }) => {
          const current = items.filter((token) => token.revoked_at == null);
          const shown = isOld ? items : current;
          return (
            <>
              {shown.length === 0 && <p className="text-soft">No token yet. One for the CI of this project would let it ask the merge gate.</p>}
              <ul>
                {shown.map((token) => (
                  <Row key={token.id} token={token} onRevoke={() => end(token)} />
                ))}
              </ul>
              {items.length > current.length && <Button look="quiet" className="self-start" onClick={() => showOld(!isOld)}>{isOld ? "Hide" : `Show ${items.length - current.length}`} revoked</Button>}
            </>
          );
        }}
      </Read>
      {making && <MakeDialog project={project} onClose={() => make(false)} />}
      {ending !== null && <RevokeDialog token={ending} onClose={() => end(null)} />}
    </>
  );
}

function Row({ token, onRevoke }: { token: Token; onRevoke: () => void }) {
  const { data: me } = useQuery(meQuery);
  const revoked = token.revoked_at != null;
  return (
    <li className={cx("flex flex-wrap items-center gap-x-3 gap-y-0.5 border-t border-line py-2", revoked && "text-faint")}>
      <span className="min-w-0 break-words font-medium">{visible(token.label)}</span>
      <span className="text-sm text-soft">{token.kind ?? "session"}, {token.role}{token.project != null && ", one project"}</span>
      {me?.token === token.id && <span className="text-sm text-accent">this session</span>}
      <span className="ml-auto text-sm text-faint">
        {revoked ? <>revoked <Ago at={token.revoked_at ?? ""} /></> : <>made <Ago at={token.created_at} /> by {visible(nameOf(token.created_by))}{token.expires_at != null && <>, until {token.expires_at.slice(0, 10)}</>}</>}
      </span>
      {!revoked && <Button onClick={onRevoke} aria-label={`Revoke ${visible(token.label)}`}>Revoke</Button>}
    </li>
  );
}

const KINDS: readonly (readonly ["program" | "person" | "worker", string])[] = [["program", "a program, such as CI"], ["person", "a person, in a browser or terminal"], ["worker", "a worker that runs gates"]];

function MakeDialog({ project, onClose }: { project: string; onClose: () => void }) {
  const client = useQueryClient();
  const { data: known } = useQuery(projectQuery(project));
  const { data: me } = useQuery(meQuery);
  const [wish] = useState(() => crypto.randomUUID());
  const [label, setLabel] = useState("");
  const [kind, setKind] = useState<(typeof KINDS)[number][0]>("program");
  const [role, setRole] = useState<Shape<"Role">>("member");
  const [only, setOnly] = useState(true);
  const [until, setUntil] = useState("");
  const make = useMutation({
    mutationFn: () =>
      makeToken({
        label: label.trim(), kind, role,
        ...(only && known !== undefined ? { project: known.id } : {}),
        ...(until === "" ? {} : { expires_at: `${until}T23:59:59Z` }),
      }, wish),
    onSettled: () => client.invalidateQueries({ queryKey: keys.tokens }),
  });
  const errors = make.error === null ? [] : problemFrom(make.error).errors;
  const made = make.data;
  if (made !== undefined) {
    return (
      <Dialog title="The token, this once" onClose={onClose} footer={<Button look="primary" onClick={onClose}>I have kept it</Button>}>
        <div className="flex flex-col gap-3 p-4">
          {made.secret == null ? (
            <p role="alert">The token was made, and the answer with its secret was lost on the way: it is not kept anywhere. Revoke it and make another.</p>
          ) : (
            <>
              <p>Copy it now: it is not kept, and cannot be shown again.</p>
              <div className="flex items-center gap-1 rounded-md bg-well px-2 py-1.5">
                <code aria-label="Token" className="min-w-0 flex-1 text-sm break-all">{made.secret}</code>
                <Copy text={made.secret} label="Copy the token" />
              </div>
              <p className="flex gap-2 text-soft"><Icon name="warning" size={14} className="mt-0.5 text-warning" /> Whoever has it may do what its role may, until it ends or is revoked.</p>
            </>
          )}
        </div>
      </Dialog>
    );
  }
  const roles: readonly Shape<"Role">[] = ["viewer", "member", "admin"];
  return (
    <Dialog
      title="New token" onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button look="primary" type="submit" form="make-token" busy={make.isPending} blocked={label.trim() === "" ? "Say what it is called" : null}>Make it</Button>
        </>
      }
    >
      <form
        id="make-token" className="flex flex-col gap-4 p-4"
        onSubmit={(event) => {
          event.preventDefault();
          if (label.trim() !== "" && !make.isPending) make.mutate();
        }}
      >
        <Field label="Name" help="So that you know later which one to revoke." error={errorFor(errors, "label")}>
          {(ids) => <Input {...ids} autoFocus maxLength={100} value={label} onChange={(event) => setLabel(event.target.value)} />}
        </Field>
        <Field label="For" error={errorFor(errors, "kind")}>
          {(ids) => <Select {...ids} value={kind} onChange={(event) => setKind(event.target.value as typeof kind)}>{KINDS.map(([word, means]) => <option key={word} value={word}>{means}</option>)}</Select>}
        </Field>
        <Field label="May" error={errorFor(errors, "role")}>
          {(ids) => (
            <Select {...ids} value={role} onChange={(event) => setRole(event.target.value as typeof role)}>
              {roles.slice(0, me === undefined ? 3 : roles.indexOf(me.role) + 1).map((word) => <option key={word} value={word}>{{ viewer: "read (viewer)", member: "capture and run (member)", admin: "also waive and set (admin)" }[word]}</option>)}
            </Select>
          )}
        </Field>
        <Field label="Until (UTC)" help="Without a day it holds until it is revoked." error={errorFor(errors, "expires_at")}>
          {(ids) => <Input {...ids} type="date" value={until} onChange={(event) => setUntil(event.target.value)} className="w-44" />}
        </Field>
        <label className="flex items-center gap-2">
          <input type="checkbox" className="size-4 accent-accent" checked={only} onChange={() => setOnly(!only)} /> Only for {project}
        </label>
        <Refusal error={errors.length === 0 ? make.error : null} />
      </form>
    </Dialog>
  );
}

function RevokeDialog({ token, onClose }: { token: Token; onClose: () => void }) {
  const client = useQueryClient();
  const { data: me } = useQuery(meQuery);
  const revoke = useMutation({
    mutationFn: () => revokeToken(token.id),
    onSuccess: onClose,
    onSettled: () => client.invalidateQueries({ queryKey: keys.tokens }),
  });
  return (
    <Dialog
      title={`Revoke ${visible(token.label)}?`} onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Keep it</Button>
          <Button look="danger" icon="trash" busy={revoke.isPending} onClick={() => revoke.mutate()}>Revoke it</Button>
        </>
      }
    >
      <div className="flex flex-col gap-3 p-4">
        <p>Whatever uses it is refused from now on, and sessions that were made with it end. It cannot be taken back; a new one can be made.</p>
        {me?.token === token.id && <p className="font-medium text-warning">It is the one of this session: you will be signed out.</p>}
        <Refusal error={revoke.error} />
      </div>
    </Dialog>
  );
}
