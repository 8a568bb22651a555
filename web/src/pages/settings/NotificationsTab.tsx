import type { Wish } from "@/notify/notices";
import { askLeave, setWish, useLeave, useWish } from "@/notify/wish";
import { Button } from "@/ui/Button";
import { cx } from "@/ui/classes";
import { Icon } from "@/ui/Icon";

const WISHES: readonly (readonly [Wish, string, string])[] = [
  ["nothing", "Nothing", "The tab's title still counts what waits for you."],
  ["needed", "What needs a person", "A question, the first failure of each gate in a run, a run that could not do its work."],
  ["everything", "That, and every run that ends", "Also runs that passed or proved nothing; not those that somebody cancelled."],
];

/** What this browser tells its person while they look elsewhere. Leave is asked for by a press alone (P81). */
export function NotificationsTab() {
  const leave = useLeave();
  const wish = useWish();
  return (
    <>
      <fieldset>
        <legend className="mb-2 font-medium">Tell me, while I look elsewhere</legend>
        <div className="flex flex-col gap-2">
          {WISHES.map(([name, label, means]) => (
            <label key={name} className={cx("flex items-start gap-2.5 rounded-md border px-3 py-2 has-focus-visible:outline-2 has-focus-visible:outline-accent", wish === name ? "border-accent bg-accent-tint" : "border-line-strong/60")}>
              <input type="radio" name="notify" className="mt-0.5 size-4 accent-accent" checked={wish === name} onChange={() => setWish(name)} />
              <span>
                <span className="block font-medium">{label}</span>
                <span className="text-sm text-soft">{means}</span>
              </span>
            </label>
          ))}
        </div>
      </fieldset>
      {wish !== "nothing" && <LeaveLine leave={leave} />}
      <p className="text-sm text-soft">Kept in this browser. Of several tabs one tells, and none while one of them is looked at.</p>
    </>
  );
}

function LeaveLine({ leave }: { leave: ReturnType<typeof useLeave> }) {
  switch (leave) {
    case "granted":
      return <p role="status" className="flex items-center gap-1.5 text-good"><Icon name="check" size={14} /> This browser shows notifications of this page.</p>;
    case "default":
      return (
        <div className="flex flex-wrap items-center gap-3">
          <Button look="primary" onClick={() => void askLeave()}>Allow notifications</Button>
          <span className="text-soft">The browser asks you once.</span>
        </div>
      );
    case "denied":
      return <p role="status" className="flex items-start gap-1.5 text-warning"><Icon name="warning" size={14} className="mt-0.5" /> This browser blocks notifications of this page. Its settings for this site let them through again.</p>;
    case "unable":
      return <p role="status" className="flex items-start gap-1.5 text-warning"><Icon name="warning" size={14} className="mt-0.5" /> This browser has no notifications here: they need HTTPS, or this machine’s own address.</p>;
  }
}
