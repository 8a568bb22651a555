import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { gatesQuery, type ProofConfig } from "@/api/queries/proof";
import { Button } from "@/ui/Button";
import { Dialog } from "@/ui/Dialog";
import { Field, Input, Select } from "@/ui/Field";
import { toggled } from "@/ui/toggled";
import { useProof } from "../context";

/** A run as one wants it: which requirements, gates and files, and whether it waits for people. */
export function RunDialog({ onClose }: { onClose: () => void }) {
  const { project, start } = useProof();
  const { data: gates } = useQuery(gatesQuery(project));
  const [mode, setMode] = useState<NonNullable<ProofConfig["mode"]>>("full");
  const [chosen, choose] = useState<ReadonlySet<string>>(new Set());
  const [files, setFiles] = useState<"worktree" | "ref">("worktree");
  const [ref, setRef] = useState("");
  const [base, setBase] = useState("");
  const [waits, setWaits] = useState(true);
  const [waived, setWaived] = useState(false);
  const missing = files === "ref" && ref.trim() === "" ? "Name the branch, tag or commit" : null;
  const go = () => {
    start.start({
      mode,
      ...(chosen.size === 0 ? {} : { gates: [...chosen] }),
      ...(files === "ref" ? { target: { ref: ref.trim() } } : {}),
      ...(base.trim() === "" ? {} : { base: base.trim() }),
      ...(waits ? {} : { manual: "skip" as const }),
      ...(waived ? { include_waived: true } : {}),
    });
    onClose();
  };
  return (
    <Dialog
      title="Run gates"
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button look="primary" icon="play" type="submit" form="run-gates" blocked={missing}>Run gates</Button>
        </>
      }
    >
      <form
        id="run-gates" className="flex flex-col gap-4 p-4"
        onSubmit={(event) => {
          event.preventDefault();
          if (missing === null) go();
        }}
      >
        <Field label="Requirements">
          {(ids) => (
            <Select {...ids} value={mode} onChange={(event) => setMode(event.target.value as typeof mode)}>
              <option value="full">All that are not waived</option>
              <option value="changed">Those that the changed files touch</option>
              <option value="not_clear">Those that the merge gate would not clear</option>
            </Select>
          )}
        </Field>
        {mode === "changed" && (
          <Field label="Changed since" help="A branch or commit; the default branch when empty.">
            {(ids) => <Input {...ids} value={base} onChange={(event) => setBase(event.target.value)} className="font-mono" spellCheck={false} />}
          </Field>
        )}
        <fieldset className="flex flex-col gap-1.5">
          <legend className="mb-1 font-medium">Gates</legend>
          <p className="text-sm text-soft">{chosen.size === 0 ? "All that are on. Choose some to run only those, also when they are off." : `Only ${[...chosen].join(", ")}.`}</p>
          <div className="flex flex-wrap gap-x-4 gap-y-1">
            {(gates?.items ?? []).map((gate) => (
              <label key={gate.name} className="flex items-center gap-1.5 max-sm:h-8" title={gate.meaning}>
                <input type="checkbox" className="size-4 accent-accent" checked={chosen.has(gate.name)} onChange={() => choose((before) => toggled(before, gate.name))} />
                <span className={gate.enabled ? "" : "text-faint"}>{gate.name}{!gate.enabled && " (off)"}</span>
              </label>
            ))}
          </div>
        </fieldset>
        <fieldset className="flex flex-col gap-1.5">
          <legend className="mb-1 font-medium">Files</legend>
          <label className="flex items-center gap-1.5">
            <input type="radio" name="files" className="size-4 accent-accent" checked={files === "worktree"} onChange={() => setFiles("worktree")} />
            The checkout as it lies
          </label>
          <label className="flex items-center gap-1.5">
            <input type="radio" name="files" className="size-4 accent-accent" checked={files === "ref"} onChange={() => setFiles("ref")} />
            A branch, tag or commit, in a folder of its own
          </label>
          {files === "ref" && <Input autoFocus aria-label="Branch, tag or commit" value={ref} onChange={(event) => setRef(event.target.value)} className="font-mono" spellCheck={false} placeholder="main" />}
        </fieldset>
        <fieldset className="flex flex-col gap-1.5">
          <legend className="sr-only">More</legend>
          <label className="flex items-center gap-1.5">
            <input type="checkbox" className="size-4 accent-accent" checked={waits} onChange={() => setWaits(!waits)} />
            Ask people for reviews, and wait for their answers
          </label>
          <label className="flex items-center gap-1.5">
            <input type="checkbox" className="size-4 accent-accent" checked={waived} onChange={() => setWaived(!waived)} />
            Also run what is waived, for the day that the waiver ends
          </label>
        </fieldset>
      </form>
    </Dialog>
  );
}
