import { cx } from "./classes";
import { Icon } from "./Icon";
import { HUES, type Look } from "./status";

/** A state as shape, colour and word. */
export function Status({ look, word, className }: { look: Look; word?: string; className?: string }) {
  return (
    <span className={cx("inline-flex items-center gap-1.5 whitespace-nowrap", HUES[look.hue].text, className)}>
      <Icon name={look.icon} size={14} className={look.icon === "running" ? "spin" : ""} />
      <span className="font-medium">{word ?? look.word}</span>
    </span>
  );
}

/** The same on its tint, where it heads something. */
export function StatusBadge({ look, word }: { look: Look; word?: string }) {
  const hue = HUES[look.hue];
  return <Status look={look} {...(word === undefined ? {} : { word })} className={cx("rounded-md px-2 py-0.5", hue.tint)} />;
}

/** Only the shape, with the word for readers. */
export function StatusMark({ look }: { look: Look }) {
  return (
    <span className={cx("inline-flex", HUES[look.hue].text)}>
      <Icon name={look.icon} size={14} className={look.icon === "running" ? "spin" : ""} />
      <span className="sr-only">{look.word}</span>
    </span>
  );
}
