import { absolute, ago, duration, elapsed, instant } from "@/format/time";
import { useNow } from "./clock";

/** A relative time; the absolute one is in its tooltip (W7). */
export function Ago({ at, className }: { at: string; className?: string }) {
  const now = useNow();
  const time = instant(at);
  return (
    <time dateTime={at} title={absolute(time)} className={className}>
      {ago(time, now)}
    </time>
  );
}

/** How long something took, or has taken so far. */
export function Took({ from, to, className }: { from: number; to: number | null; className?: string }) {
  return to === null ? <Running from={from} {...(className === undefined ? {} : { className })} /> : <span className={`num ${className ?? ""}`}>{duration(to - from)}</span>;
}

function Running({ from, className }: { from: number; className?: string }) {
  const now = useNow();
  return <span className={`num ${className ?? ""}`}>{elapsed(Math.max(0, now - from))}</span>;
}
