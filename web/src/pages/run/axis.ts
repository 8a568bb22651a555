import { duration } from "@/format/time";

/** A time axis: where an instant lies, in percent, and its marks. */
export interface Axis {
  from: number;
  to: number;
  place: (at: number) => number;
  ticks: readonly { at: number; label: string }[];
}

const STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000, 900_000, 1_800_000, 3_600_000, 7_200_000, 14_400_000, 43_200_000, 86_400_000];

/** The axis that holds all of these, up to `now` while something goes on. */
export function axisOf(spans: readonly { from: number; to: number | null }[], now: number | null): Axis {
  let from = Infinity;
  let to = -Infinity;
  for (const span of spans) {
    from = Math.min(from, span.from);
    to = Math.max(to, span.to ?? span.from);
  }
  if (!Number.isFinite(from)) [from, to] = [0, 1];
  // The reader's clock may be behind the server's: the axis never ends before what is known.
  to = Math.max(to, now ?? to, from + 1);
  const length = to - from;
  const step = STEPS.find((one) => length / one <= 8) ?? 86_400_000 * Math.ceil(length / 8 / 86_400_000);
  const ticks = [];
  for (let at = 0; at < length; at += step) ticks.push({ at: (100 * at) / length, label: at === 0 ? "0" : duration(at).replace(/\.0 s$/, " s") });
  return { from, to, ticks, place: (at) => Math.min(100, Math.max(0, (100 * (at - from)) / length)) };
}
