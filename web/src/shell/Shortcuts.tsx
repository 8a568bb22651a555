import { Dialog } from "@/ui/Dialog";
import { Kbd } from "@/ui/Kbd";
import { PLACES } from "./places";

const GROUPS: readonly (readonly [string, readonly (readonly [keys: string, what: string])[]])[] = [
  ["Everywhere", [["Ctrl K", "search, go to, do"], ["/", "search"], ["i", "open the inbox"], ["?", "this list"], ["Esc", "close what lies over the page"]]],
  ["Go to", PLACES.map((place) => [`g ${place.key}`, place.label] as const)],
  ["In lists", [["j", "next"], ["k", "previous"], ["Enter", "open"]]],
  ["On the proof page", [["r", "run gates"], ["c", "capture a glitch"], ["e", "edit the requirement that is open"]]],
  ["On the board", [["m", "move the card: arrow keys, then Enter"], ["Esc", "leave it where it was"], ["d", "hand the issue to a role"], ["a", "answer what its run asks"]]],
  ["On changes", [["n", "next file"], ["p", "previous file"], ["c", "comment on the line"], ["Ctrl Enter", "keep the comment"]]],
];

export function Shortcuts({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title="Shortcuts" onClose={onClose}>
      <div className="grid gap-x-8 gap-y-4 p-4 sm:grid-cols-2">
        {GROUPS.map(([group, keys]) => (
          <section key={group}>
            <h3 className="mb-1 text-sm text-soft">{group}</h3>
            <dl>
              {keys.map(([key, what]) => (
                <div key={key} className="flex items-center justify-between gap-4 py-1">
                  <dt className="order-2"><Kbd keys={key} /></dt>
                  <dd>{what}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </Dialog>
  );
}
