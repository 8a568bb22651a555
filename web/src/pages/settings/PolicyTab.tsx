import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useRef, useState } from "react";
import { problemFrom } from "@/api/problem";
import { keys } from "@/api/queries/keys";
import { runnersQuery } from "@/api/queries/proof";
import { documentQuery, putDocument, type Document } from "@/api/queries/settings";
import { visible } from "@/format/text";
import { nameOf } from "@/pages/proof/words";
import { Button } from "@/ui/Button";
import { cx } from "@/ui/classes";
import { Icon } from "@/ui/Icon";
import { Ago } from "@/ui/Time";
import { Editing } from "./Editing";
import { useEditing } from "./held";
import { Refusal, SaveBar } from "./parts";
import { notAnObject, placeOf } from "./pointer";

/** What runs may touch and execute. Kept in the plane, never read from the repository. */
export function PolicyTab({ project, notAdmin }: { project: string; notAdmin: string | null }) {
  const query = useQuery(documentQuery(project, "policy"));
  return <Editing query={query} what="The policy">{(data) => <Editor project={project} document={data} notAdmin={notAdmin} />}</Editing>;
}

const LINE = 18;

function Editor({ project, document, notAdmin }: { project: string; document: Document; notAdmin: string | null }) {
  const client = useQueryClient();
  const editing = useEditing();
  const written = JSON.stringify(document.body, null, 2);
  const [text, setText] = useState(written);
  const area = useRef<HTMLTextAreaElement>(null);
  const gutter = useRef<HTMLDivElement>(null);
  const syntax = notAnObject(text);
  const save = useMutation({
    mutationFn: () => putDocument(project, "policy", JSON.parse(text) as Record<string, unknown>, document.revision),
    onSuccess: () => {
      editing?.onSaved();
      return Promise.all([client.invalidateQueries({ queryKey: keys.settings(project) }), client.invalidateQueries({ queryKey: keys.proof(project) })]);
    },
  });
  const problem = save.error === null ? null : problemFrom(save.error);
  const errors = (problem?.errors ?? []).map((error) => ({ ...error, place: placeOf(text, error.pointer) }));
  const bad = new Set(errors.map((error) => error.place?.line));
  const lines = text.split("\n").length;
  const show = (from: number, to: number, line: number) => {
    area.current?.focus();
    area.current?.setSelectionRange(from, to);
    area.current?.scrollTo({ top: Math.max(0, (line - 4) * LINE) });
  };
  return (
    <form
      className="flex flex-col gap-3"
      onSubmit={(event) => {
        event.preventDefault();
        if (syntax === null && notAdmin === null && !save.isPending) save.mutate();
      }}
    >
      {document.revision === 0 ? <NoPolicy project={project} onStart={setText} /> : (
        <p className="text-soft">
          Revision {document.revision}, saved <Ago at={document.at} /> by {visible(nameOf(document.by))}. A gate may start only the programs that are allowed here, and write only to the paths that are.
        </p>
      )}
      <div className={cx("flex h-[min(34rem,65dvh)] overflow-hidden rounded-md border", errors.length > 0 ? "border-bad" : "border-line-strong")}>
        <div ref={gutter} aria-hidden="true" className="shrink-0 overflow-hidden bg-panel py-2 text-right font-mono text-sm leading-[18px] text-faint select-none">
          {Array.from({ length: lines }, (_, at) => (
            <div key={at} className={cx("pr-2 pl-3", bad.has(at + 1) && "bg-bad-tint font-semibold text-bad")}>{at + 1}</div>
          ))}
        </div>
        <textarea
          ref={area} aria-label="Policy as JSON" aria-invalid={errors.length > 0 || syntax !== null} aria-describedby="policy-errors"
          value={text} spellCheck={false} wrap="off" readOnly={notAdmin !== null}
          onChange={(event) => setText(event.target.value)}
          onScroll={(event) => gutter.current?.scrollTo({ top: event.currentTarget.scrollTop })}
          className="min-w-0 flex-1 resize-none bg-bg px-2 py-2 font-mono text-sm leading-[18px] outline-offset-[-2px]"
        />
      </div>
      <div id="policy-errors" className="flex flex-col gap-1">
        {syntax !== null && <p role="status" className="text-warning">Not JSON yet: {syntax}</p>}
        {errors.map(({ pointer, message, place }) => (
          <p key={pointer + message} className="flex items-baseline gap-2 text-bad">
            <Icon name="cross" size={12} className="translate-y-0.5" />
            {place === null ? (
              <code className="text-sm">{pointer}</code>
            ) : (
              <button type="button" className="font-mono text-sm underline underline-offset-2" onClick={() => show(place.from, place.to, place.line)}>
                {pointer === "" ? "/" : pointer}, line {place.line}
              </button>
            )}
            <span className="min-w-0 break-words">{visible(message)}</span>
          </p>
        ))}
      </div>
      <Refusal error={save.error} />
      <SaveBar changed={text !== written} busy={save.isPending} blocked={notAdmin ?? (syntax === null ? null : "It is not JSON yet")} onDiscard={() => { setText(written); save.reset(); }} />
    </form>
  );
}

function NoPolicy({ project, onStart }: { project: string; onStart: (text: string) => void }) {
  const runners = useQuery(runnersQuery(project));
  return (
    <div className="flex flex-wrap items-center gap-x-3 gap-y-2 rounded-lg border border-warning/40 bg-warning-tint px-3 py-2">
      <Icon name="warning" className="text-warning" />
      <p className="min-w-0 flex-1">Nobody has saved a policy yet, so nothing may run. What stands below are the defaults.</p>
      <Button busy={runners.isPending} blocked={runners.error !== null ? "The repository could not be looked at" : null} onClick={() => onStart(JSON.stringify(runners.data?.starter_policy ?? {}, null, 2))}>
        Take what was found in the repository
      </Button>
    </div>
  );
}
