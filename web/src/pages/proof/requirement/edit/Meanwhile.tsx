import { visible } from "@/format/text";
import { Button } from "@/ui/Button";
import { differing, FIELDS, inWords, type Edit, type Field } from "./edit";

/** A change of somebody else that came first. */
export interface Clash {
  before: Edit;
  theirs: Edit;
  mine: Edit;
  /** What they changed. */
  fields: readonly Field[];
  /** Of those, what I changed too and have not decided on. */
  both: readonly Field[];
}

/** Somebody else was first: what they changed, and a choice for each field that both have changed. */
export function Meanwhile({ clash, onTake, onDone }: { clash: Clash; onTake: (field: Field) => void; onDone: () => void }) {
  const { theirs, fields, both, before, mine } = clash;
  return (
    <div role="alert" className="flex flex-col gap-2 rounded-md border border-warning/40 bg-warning-tint px-3 py-2">
      <p className="font-medium text-warning">Somebody else changed it while you were writing. Nothing was saved yet.</p>
      {fields.length === 0 && <p>It differs in nothing that is shown here.</p>}
      <dl className="flex flex-col gap-2">
        {FIELDS.filter(([name]) => fields.includes(name)).map(([name, label]) => (
          <div key={name}>
            <dt className="text-sm font-medium">{label}, as it is now</dt>
            <dd>
              <pre tabIndex={0} aria-label={`${label}, theirs`} className="max-h-40 overflow-auto font-sans break-words whitespace-pre-wrap">{inWords(theirs, name).split("\n").map(visible).join("\n") || "(empty)"}</pre>
              {both.includes(name) ? (
                <div className="mt-1 flex flex-wrap items-center gap-2">
                  <span className="text-sm">You changed it too: what you wrote stays below.</span>
                  <Button onClick={() => onTake(name)}>Take theirs</Button>
                </div>
              ) : (
                !differing(before, mine).includes(name) && <span className="text-sm text-soft">Taken over below.</span>
              )}
            </dd>
          </div>
        ))}
      </dl>
      <div><Button onClick={onDone}>Go on</Button></div>
    </div>
  );
}
