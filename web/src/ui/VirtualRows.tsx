import { useEffect, useImperativeHandle, useLayoutEffect, useRef, useState, type KeyboardEvent, type ReactNode, type Ref } from "react";
import { useKeys } from "@/shell/keys";

/** What a page can ask of the rows it shows. */
export interface RowsHandle {
  /** Brings a row into view, if it is not. */
  show: (index: number) => void;
}

interface VirtualRowsProps {
  count: number;
  /** The height of a row, in pixels: all are of one height, so that 100,000 of them cost nothing. */
  height: number;
  /** What the rows are, for readers. */
  label: string;
  /** One row; its first link or button is what `j`, `k` and `Enter` reach. */
  row: (index: number) => ReactNode;
  keyOf: (index: number) => string | number;
  /** What stands above the rows and scrolls with them; the first row of a table for readers. */
  head?: ReactNode;
  foot?: ReactNode;
  /** The last rows came into view. */
  onEnd?: () => void;
  /** Told of the rows in view. */
  onView?: (first: number, last: number) => void;
  columns?: number;
  /** More rows than these are to come. */
  more?: boolean;
  /** Keeps the last row in view. */
  following?: boolean;
  /** A person scrolled away from the end, or to it. */
  onFollow?: (follow: boolean) => void;
  ref?: Ref<RowsHandle>;
  /** How many of the rows are here, when the rest is still to come. */
  shown?: number;
  /** Whether `j`, `k` and the arrows reach its rows from anywhere on the page, or only from within. */
  keys?: boolean;
}

/** Rows beyond those in view, on either side. */
const OVER = 12;

/** A table of any length: only the rows in view are in the document, and readers know how many there are. */
export function VirtualRows({ count, height, label, row, keyOf, head, foot, onEnd, onView, shown = count, columns, more = false, following = false, onFollow, keys = true, ref }: VirtualRowsProps) {
  const scroller = useRef<HTMLDivElement>(null);
  const body = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ top: 0, height: 800 });
  const first = Math.max(0, Math.min(count - 1, Math.floor(view.top / height)) - OVER);
  const last = Math.min(count, Math.ceil((view.top + view.height) / height) + OVER);
  const reach = last - 1;
  useEffect(() => {
    if (shown > 0 && reach >= shown - 20) onEnd?.();
  }, [reach, shown, onEnd]);
  useEffect(() => onView?.(first, last), [first, last, onView]);

  useEffect(() => {
    const box = scroller.current;
    if (box === null) return;
    const watch = new ResizeObserver(() => setView((before) => ({ ...before, height: box.clientHeight })));
    watch.observe(box);
    return () => watch.disconnect();
  }, []);
  useLayoutEffect(() => {
    const box = scroller.current;
    if (following && box !== null) box.scrollTop = box.scrollHeight;
  }, [following, count, height]);

  const show = (index: number) => {
    const box = scroller.current;
    if (box === null) return;
    // What stands above the rows covers their beginning.
    const above = body.current?.offsetTop ?? 0;
    const top = index * height;
    if (top < box.scrollTop) box.scrollTop = top;
    else if (top + height + above > box.scrollTop + box.clientHeight) box.scrollTop = top + height + above - box.clientHeight;
  };
  useImperativeHandle(ref, () => ({ show }));

  const focus = (step: 1 | -1) => {
    const within = scroller.current?.contains(document.activeElement) === true;
    const at = within ? document.activeElement?.closest("[data-row]")?.getAttribute("data-row") : null;
    const from = at === null || at === undefined ? (step === 1 ? -1 : count) : Number(at);
    const to = Math.min(count - 1, Math.max(0, from + step));
    show(to);
    requestAnimationFrame(() => scroller.current?.querySelector<HTMLElement>(`[data-row="${to}"] :is(a, button)`)?.focus({ preventScroll: true }));
  };
  const steps: Readonly<Record<string, () => void>> = { j: () => focus(1), k: () => focus(-1), ArrowDown: () => focus(1), ArrowUp: () => focus(-1) };
  useKeys(keys ? steps : {});
  const onKeyDown = (event: KeyboardEvent<HTMLDivElement>) => {
    const step = event.ctrlKey || event.metaKey || event.altKey || event.target instanceof HTMLInputElement ? undefined : steps[event.key];
    if (step === undefined) return;
    // Of two tables on a page, the one with the focus takes the key.
    event.preventDefault();
    step();
  };

  const scrolled = () => {
    const box = scroller.current;
    if (box === null) return;
    const top = box.scrollTop;
    setView((before) => (before.top === top ? before : { ...before, top }));
    onFollow?.(top + box.clientHeight >= box.scrollHeight - height);
  };
  const rows: ReactNode[] = [];
  for (let at = first; at < last; at += 1) {
    rows.push(
      <div key={keyOf(at)} role="row" data-row={at} aria-rowindex={at + 2} className="absolute inset-x-0 top-0" style={{ height, transform: `translateY(${at * height}px)` }}>
        {row(at)}
      </div>,
    );
  }
  return (
    <div ref={scroller} onScroll={scrolled} onKeyDown={keys ? undefined : onKeyDown} className="relative min-h-0 flex-1 overflow-auto">
      <div role="table" aria-label={label} aria-rowcount={more ? -1 : count + 1} aria-colcount={columns}>
        {head !== undefined && <div role="rowgroup" className="sticky top-0 z-10 bg-bg">{head}</div>}
        <div ref={body} role="rowgroup" className="relative" style={{ height: count * height }}>{rows}</div>
      </div>
      {foot}
    </div>
  );
}
