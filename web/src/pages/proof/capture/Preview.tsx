import type { Problem } from "@/api/problem";
import type { Captured, Gate } from "@/api/queries/proof";
import { visible } from "@/format/text";
import { Input, Select } from "@/ui/Field";
import { Code } from "@/ui/states";
import { toggled } from "@/ui/toggled";
import { lookOfStanding } from "../words";
import type { Draft, Proof } from "./draft";

interface PreviewProps {
  draft: Draft;
  set: (change: Partial<Draft>) => void;
  preview: Captured | undefined;
  problem: Problem | null;
  isAsking: boolean;
  gates: readonly Gate[];
  wrong: string | null;
}

const FROM = { explicit: "as you chose", kind: "by its kind", words: "by its words" } as const;
const PLACES = [["files", "file"], ["routes", "route"], ["apis", "API"], ["components", "component"], ["tags", "tag"]] as const;

/** What would be made of the draft: gates that one may change, the places that were understood, and the stubs. */
export function Preview({ draft, set, preview, problem, isAsking, gates, wrong }: PreviewProps) {
  const suggested = preview?.obligations.map((obligation) => obligation.gate) ?? [];
  const chosen = new Set(draft.gates ?? suggested);
  const shown = gates.filter((gate) => gate.enabled || chosen.has(gate.name));
  const places = preview === undefined ? [] : PLACES.flatMap(([name, word]) => preview.scope[name].map((place) => [word, place] as const));
  const toggle = (name: string) => {
    const next = toggled(chosen, name);
    set({ gates: gates.map((gate) => gate.name).filter((gate) => next.has(gate)) });
  };
  return (
    <section aria-label="What will be made of it" aria-busy={isAsking} className="flex flex-col gap-3 rounded-md border border-line bg-panel p-3">
      <fieldset className="flex flex-col gap-1.5">
        <legend className="mb-1 font-medium">
          Gates that prove it
          {preview !== undefined && <span className="ml-2 text-sm font-normal text-soft">{draft.gates === null ? FROM[preview.gates_from] : FROM.explicit}</span>}
        </legend>
        {preview === undefined && problem === null && <p className="text-sm text-soft">They are suggested as you write.</p>}
        {shown.map((gate) => (
          <div key={gate.name} className="flex flex-wrap items-center gap-x-3 gap-y-1">
            <label className="flex min-w-36 items-center gap-1.5 max-sm:h-8" title={gate.meaning}>
              <input type="checkbox" className="size-4 accent-accent" checked={chosen.has(gate.name)} onChange={() => toggle(gate.name)} />
              <span className={chosen.has(gate.name) ? "font-medium" : ""}>{gate.name}</span>
              {!gate.enabled && <span className="text-sm text-warning">off</span>}
            </label>
            {!chosen.has(gate.name) && <span className="min-w-0 flex-1 truncate text-sm text-faint">{gate.meaning}</span>}
            {chosen.has(gate.name) && gate.how === "automatic" && <How gate={gate.name} proof={draft.proofs[gate.name] ?? { how: "stub" }} onChange={(proof) => set({ proofs: { ...draft.proofs, [gate.name]: proof }, gates: draft.gates ?? suggested })} />}
            {chosen.has(gate.name) && gate.how === "review" && <span className="text-sm text-soft">a person looks</span>}
          </div>
        ))}
        {wrong !== null && <p className="text-sm text-bad">{wrong}</p>}
      </fieldset>
      {places.length > 0 && (
        <div>
          <p className="font-medium">Understood as</p>
          <ul className="text-sm">
            {places.map(([word, place]) => (
              <li key={`${word}${place}`}>
                <span className="mr-1.5 text-soft">{word}</span>
                <code className="break-all">{visible(place)}</code>
              </li>
            ))}
          </ul>
        </div>
      )}
      {preview !== undefined && (preview.stubs ?? []).length > 0 && (
        <div>
          <p className="font-medium">Stub tests</p>
          <ul className="text-sm">
            {(preview.stubs ?? []).map((stub) => (
              <li key={stub.path}><code className="break-all">{visible(stub.path)}</code></li>
            ))}
          </ul>
        </div>
      )}
      {preview !== undefined && preview.similar.length > 0 && (
        <div>
          <p className="font-medium text-warning">Is it one of these?</p>
          <ul className="text-sm">
            {preview.similar.map((one) => (
              <li key={one.id}><span className="font-mono">{one.id}</span> <bdi>{visible(one.title)}</bdi> <span className="text-soft">{lookOfStanding(one.status).word.toLowerCase()}</span></li>
            ))}
          </ul>
        </div>
      )}
      {problem !== null && <p role="alert" className="text-sm text-bad">{problem.detail} (<Code code={problem.code} />)</p>}
    </section>
  );
}

function How({ gate, proof, onChange }: { gate: string; proof: Proof; onChange: (proof: Proof) => void }) {
  return (
    <>
      <Select
        aria-label={`How ${gate} is proved`} value={proof.how} className="text-sm"
        onChange={(event) => {
          const how = event.target.value as Proof["how"];
          onChange(how === "test" ? { how, name: "" } : { how });
        }}
      >
        <option value="stub">by a new test</option>
        <option value="test">by a test that exists</option>
        <option value="suite">by the whole suite</option>
      </Select>
      {proof.how === "test" && <Input aria-label={`The test that proves ${gate}`} placeholder="its exact name" value={proof.name} spellCheck={false} maxLength={512} onChange={(event) => onChange({ how: "test", name: event.target.value })} className="h-7 min-w-40 flex-1 font-mono text-sm" />}
    </>
  );
}
