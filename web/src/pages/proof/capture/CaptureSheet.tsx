import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { errorFor, otherErrors, problemFrom } from "@/api/problem";
import { keys } from "@/api/queries/keys";
import { capture, gatesQuery, previewCapture, type Captured } from "@/api/queries/proof";
import { Button } from "@/ui/Button";
import { Dialog } from "@/ui/Dialog";
import { Field, Input, Select, TextArea } from "@/ui/Field";
import { Icon } from "@/ui/Icon";
import { useSettled } from "@/ui/settled";
import { Bar, Code } from "@/ui/states";
import { useProof } from "../context";
import { KINDS, SEVERITIES, without } from "../search";
import { StubList } from "../requirement/Stubs";
import { KIND_WORDS, severityLook, SOURCE_WORDS } from "../words";
import { bodyOf, emptyDraft, missingIn, type Draft } from "./draft";
import { captureSourceQuery } from "./from";
import { Preview } from "./Preview";

const FIELDS = ["title", "description", "severity", "source", "kind", "where", "source_url", "issue", "gates", "rules"];
/** A pause this long in typing asks what the words would make. */
const PAUSE = 350;

/** A glitch is written down; from a run that went wrong, with what it tells (P83); from an issue, about it. */
export function CaptureSheet({ from, issue, onClose }: { from: string | undefined; issue: string | undefined; onClose: () => void }) {
  return from === undefined ? <CaptureForm initial={emptyDraft(issue)} onClose={onClose} /> : <CaptureFrom run={from} onClose={onClose} />;
}

function CaptureFrom({ run, onClose }: { run: string; onClose: () => void }) {
  const { project } = useProof();
  const link = `${location.origin}/p/${encodeURIComponent(project)}/runs/${run}`;
  const source = useQuery(captureSourceQuery(run, link));
  if (source.isPending) {
    return (
      <Dialog title="Capture a glitch" shape="sheet" onClose={onClose}>
        <div role="status" aria-label="Loading the run" className="flex flex-col gap-4 p-4"><Bar width="30%" /><Bar width="90%" className="h-8" /><Bar width="30%" /><Bar width="90%" className="h-20" /></div>
      </Dialog>
    );
  }
  // A run that cannot be read any more still has its place.
  return <CaptureForm initial={source.data ?? { ...emptyDraft(), url: link }} onClose={onClose} />;
}

/** What was seen, where and how bad. What would be made of it shows before it is saved. */
function CaptureForm({ initial, onClose }: { initial: Draft; onClose: () => void }) {
  const { project } = useProof();
  const client = useQueryClient();
  const [draft, setDraft] = useState<Draft>(initial);
  const [wish, setWish] = useState(() => crypto.randomUUID());
  const set = (change: Partial<Draft>) => setDraft((before) => ({ ...before, ...change }));
  const { data: gates } = useQuery(gatesQuery(project));

  const asked = useSettled(draft, PAUSE);
  const preview = useQuery({
    queryKey: [...keys.proof(project), "preview", asked],
    queryFn: ({ signal }) => previewCapture(project, bodyOf(asked, asked.gates ?? []), signal),
    enabled: missingIn(asked) === null,
    // What is shown stays until the next answer is here.
    placeholderData: (before) => before,
    retry: false,
    staleTime: 0,
    gcTime: 10_000,
  });
  const suggested = preview.data?.obligations.map((obligation) => obligation.gate) ?? [];
  const save = useMutation({
    mutationFn: () => capture(project, bodyOf(draft, draft.gates ?? suggested), wish),
    // A refused wish was not used; what is sent next is another.
    onError: (error) => problemFrom(error).status !== 0 && setWish(crypto.randomUUID()),
    onSettled: () => client.invalidateQueries({ queryKey: keys.proof(project) }),
  });
  const problem = save.error === null ? null : problemFrom(save.error);
  const previewProblem = preview.error === null ? null : problemFrom(preview.error);
  const errors = problem?.errors ?? previewProblem?.errors ?? [];
  const wrong = (field: string) => errorFor(errors, field);
  const missing = missingIn(draft);

  if (save.data !== undefined) return <Saved captured={save.data} onClose={onClose} onAnother={() => { save.reset(); setWish(crypto.randomUUID()); setDraft(emptyDraft(draft.issue)); }} />;
  return (
    <Dialog
      title="Capture a glitch" shape="sheet" onClose={onClose}
      footer={
        <>
          <Button onClick={onClose} blocked={save.isPending ? "It is being saved" : null}>Cancel</Button>
          <Button look="primary" type="submit" form="capture" busy={save.isPending} blocked={missing}>Capture</Button>
        </>
      }
    >
      <form
        id="capture"
        onSubmit={(event) => {
          event.preventDefault();
          if (missing === null && !save.isPending) save.mutate();
        }}
      >
        <fieldset disabled={save.isPending} className="flex flex-col gap-4 p-4">
          <legend className="sr-only">What was seen</legend>
          {problem !== null && (
            <div role="alert" className="rounded-md bg-bad-tint px-3 py-2">
              <p>{problem.detail} (<Code code={problem.code} />)</p>
              {otherErrors(errors, FIELDS).map(({ pointer, message }) => <p key={pointer} className="text-sm"><code>{pointer}</code> {message}</p>)}
            </div>
          )}
          <Field label="What must hold" help="One line, such as: the total of an empty basket is zero." error={wrong("title")}>
            {(ids) => <Input {...ids} autoFocus required maxLength={200} value={draft.title} onChange={(event) => set({ title: event.target.value })} />}
          </Field>
          <Field label="What was seen" help="What happened, and what should have. May be left empty." error={wrong("description")}>
            {(ids) => <TextArea {...ids} rows={4} maxLength={20_000} value={draft.description} onChange={(event) => set({ description: event.target.value })} />}
          </Field>
          <Field label="Where" help="One place a line: a file, /a/route, GET /an/api, a Component or #a-tag." error={wrong("where") ?? wrong("scope")}>
            {(ids) => <TextArea {...ids} rows={2} spellCheck={false} value={draft.where} onChange={(event) => set({ where: event.target.value })} className="min-h-14 font-mono text-sm" />}
          </Field>
          <div className="grid grid-cols-3 gap-3 max-sm:grid-cols-1">
            <Field label="Severity" error={wrong("severity")}>
              {(ids) => (
                <Select {...ids} value={draft.severity} onChange={(event) => set({ severity: event.target.value as Draft["severity"] })}>
                  {SEVERITIES.map((word) => <option key={word} value={word}>{severityLook(word).word}</option>)}
                </Select>
              )}
            </Field>
            <Field label="Kind" error={wrong("kind")}>
              {(ids) => (
                <Select {...ids} value={draft.kind ?? ""} onChange={(event) => set({ kind: event.target.value === "" ? null : (event.target.value as Draft["kind"]), gates: null })}>
                  <option value="">By its words</option>
                  {KINDS.map((word) => <option key={word} value={word}>{KIND_WORDS[word]}</option>)}
                </Select>
              )}
            </Field>
            <Field label="Seen in" error={wrong("source")}>
              {(ids) => (
                <Select {...ids} value={draft.source} onChange={(event) => set({ source: event.target.value as Draft["source"] })}>
                  {Object.entries(SOURCE_WORDS).map(([word, label]) => <option key={word} value={word}>{label}</option>)}
                </Select>
              )}
            </Field>
          </div>
          <div className="grid grid-cols-[minmax(0,2fr)_minmax(0,1fr)] gap-3 max-sm:grid-cols-1">
            <Field label="Link" help="Where it was reported or seen. May be left empty." error={wrong("source_url")}>
              {(ids) => <Input {...ids} type="url" spellCheck={false} placeholder="https://" value={draft.url} onChange={(event) => set({ url: event.target.value })} />}
            </Field>
            <Field label="Issue" help="Its number on the board." error={wrong("issue")}>
              {(ids) => <Input {...ids} spellCheck={false} maxLength={64} value={draft.issue} onChange={(event) => set({ issue: event.target.value })} />}
            </Field>
          </div>
          <Preview draft={draft} set={set} preview={preview.data} problem={problem === null ? previewProblem : null} isAsking={preview.isFetching} gates={gates?.items ?? []} wrong={wrong("gates") ?? wrong("rules")} />
        </fieldset>
      </form>
    </Dialog>
  );
}

function Saved({ captured, onClose, onAnother }: { captured: Captured; onClose: () => void; onAnother: () => void }) {
  const { start, active } = useProof();
  const stubs = captured.stubs ?? [];
  return (
    <Dialog
      title="Captured" shape="sheet" onClose={onClose}
      footer={
        <>
          <Button onClick={onAnother}>Capture another</Button>
          <Button
            look="primary" icon="play" autoFocus blocked={active === null ? null : "A run is active, and must end first"}
            onClick={() => {
              start.start({ mode: "full", requirements: [captured.id] });
              onClose();
            }}
          >
            Run now
          </Button>
        </>
      }
    >
      <div className="flex flex-col gap-3 p-4">
        <p role="status" className="flex items-center gap-2 text-lg font-semibold"><Icon name="check" className="text-good" /> <span className="font-mono">{captured.id}</span></p>
        {stubs.length > 0 && (
          <>
            <p>A stub test stands for each gate. Replace its body, in place, with one that fails while the glitch is there.</p>
            <StubList stubs={stubs} />
          </>
        )}
        <Link from="/p/$key/proof" to="/p/$key/proof/$req" params={(before) => ({ ...before, req: captured.id })} search={(before) => without(before, "capture")} className="text-accent underline underline-offset-2">Open {captured.id}</Link>
      </div>
    </Dialog>
  );
}
