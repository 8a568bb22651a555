import type { Gate } from "@/api/queries/proof";
import { visible } from "@/format/text";
import { Button, IconButton } from "@/ui/Button";
import { Input } from "@/ui/Field";
import { nameOf, type Edit, type GateEdit, type RuleEdit } from "./edit";

interface GatesEditProps {
  before: Edit;
  edit: Edit;
  known: readonly Gate[];
  set: (change: Partial<Edit>) => void;
  wrong: string | null;
}

/** The gates that prove a requirement, and by which rules. */
export function GatesEdit({ before, edit, known, set, wrong }: GatesEditProps) {
  const names = [...new Set([...before.gates.map(({ gate }) => gate), ...known.filter(({ enabled }) => enabled).map(({ name }) => name)])];
  const change = (gate: string, rules: readonly RuleEdit[]) => set({ gates: edit.gates.map((one) => (one.gate === gate ? { gate, rules } : one)) });
  const toggle = (gate: string) => {
    if (edit.gates.some((one) => one.gate === gate)) {
      set({ gates: edit.gates.filter((one) => one.gate !== gate) });
      return;
    }
    // One that was there comes back as it was.
    const was = before.gates.find((one) => one.gate === gate);
    const next = [...edit.gates, was ?? { gate, rules: [] }];
    set({ gates: names.flatMap((name) => next.filter((one) => one.gate === name)) });
  };
  return (
    <fieldset className="flex flex-col gap-2 rounded-md border border-line bg-panel p-3">
      <legend className="sr-only">Gates that prove it</legend>
      <p aria-hidden="true" className="font-medium">Gates that prove it</p>
      {names.map((name) => {
        const gate = edit.gates.find((one) => one.gate === name);
        const facts = known.find((one) => one.name === name);
        return (
          <div key={name}>
            <label className="flex items-center gap-1.5 max-sm:h-8" title={facts?.meaning}>
              <input type="checkbox" className="size-4 accent-accent" checked={gate !== undefined} onChange={() => toggle(name)} />
              <span className={gate === undefined ? "" : "font-medium"}>{name}</span>
              {facts?.enabled === false && <span className="text-sm text-warning">off</span>}
              {gate === undefined && facts !== undefined && <span className="min-w-0 flex-1 truncate text-sm text-faint">{facts.meaning}</span>}
            </label>
            {gate !== undefined && <Rules gate={gate} review={facts?.how === "review"} onChange={(rules) => change(name, rules)} />}
          </div>
        );
      })}
      {wrong !== null && <p className="text-sm text-bad">{wrong}</p>}
    </fieldset>
  );
}

function Rules({ gate, review, onChange }: { gate: GateEdit; review: boolean; onChange: (rules: readonly RuleEdit[]) => void }) {
  const { rules } = gate;
  const put = (at: number, change: Partial<RuleEdit>) => onChange(rules.map((rule, index) => (index === at ? { ...rule, ...change } : rule)));
  const add = (how: RuleEdit["how"]) => onChange([...rules, { id: null, how, test: "", runner: null, counts: true }]);
  const hasSuite = rules.some(({ how }) => how === "suite");
  return (
    <div className="ml-5.5 flex flex-col gap-1 py-1">
      {rules.length === 0 && <p className="text-sm text-soft">{review ? "A person looks." : "By a new test, which is stubbed."}</p>}
      <ul className="flex flex-col gap-1">
        {rules.map((rule, at) => (
          <li key={rule.id ?? `new-${at}`} className="flex flex-wrap items-center gap-x-2 gap-y-1 text-sm">
            {rule.how === "test" ? (
              <Input
                aria-label={`Test of ${gate.gate}`} placeholder="its exact name; a new one is stubbed without" value={rule.test} spellCheck={false} maxLength={512}
                onChange={(event) => put(at, { test: event.target.value })} className="h-7 min-w-40 flex-1 font-mono text-sm"
              />
            ) : (
              <span className="min-w-40 flex-1">{rule.how === "suite" ? "the whole suite" : "a person looks"}</span>
            )}
            {rule.runner !== null && <span className="text-soft">by {visible(rule.runner)}</span>}
            <label className="flex items-center gap-1 max-sm:h-8" title="Otherwise it is shown and never judged">
              <input type="checkbox" className="size-4 accent-accent" checked={rule.counts} onChange={() => put(at, { counts: !rule.counts })} /> counts
            </label>
            {rules.length > 1 && <IconButton icon="trash" label={`Remove ${visible(nameOf(rule))} of ${gate.gate}`} onClick={() => onChange(rules.filter((_, index) => index !== at))} />}
          </li>
        ))}
      </ul>
      {!review && (
        <div className="flex flex-wrap gap-2">
          <Button look="quiet" icon="plus" onClick={() => add("test")}>A test</Button>
          {!hasSuite && <Button look="quiet" icon="plus" onClick={() => add("suite")}>The whole suite</Button>}
        </div>
      )}
    </div>
  );
}
