import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";
import { Bar, Failed } from "../states";
import { cx } from "../classes";
import { Layout } from "./layout";
import { LogLine } from "./LogLine";
import { LogTools } from "./LogTools";
import { LogReader, type LogSource } from "./reader";
import { useLogSearch } from "./useLogSearch";

export interface LogViewerProps {
  source: LogSource;
  /** What it is, for readers. */
  label: string;
  /** The name of the file it is downloaded as. */
  name?: string;
  /** The line that is linked to, from 1, and where a picked one goes (W2). */
  line?: number | undefined;
  onLine?: ((line: number | undefined) => void) | undefined;
  /** More is to come: the end is followed until a person scrolls away. */
  live?: boolean;
  /** The plane kept its beginning and its end. */
  truncated?: boolean;
}

const ROW = 18;
/** Browsers draw nothing beyond some 17 to 33 million pixels: a longer log scrolls in proportion. */
const TALLEST = 15_000_000;
const OVER = 12;

/** A text of any length, by its lines: read in ranges, searched, followed, linked to, downloaded. */
export function LogViewer(props: LogViewerProps) {
  const { source } = props;
  const text = "text" in source ? source.text : null;
  const url = "url" in source ? source.url : null;
  const reader = useMemo(() => new LogReader(url === null ? { text: text ?? "" } : { url }), [url, text]);
  useEffect(() => {
    void reader.scan();
    return () => reader.end();
  }, [reader]);
  return <Viewed {...props} reader={reader} url={url} />;
}

function Viewed({ reader, url, label, name = "output.txt", line, onLine, live = false, truncated = false }: LogViewerProps & { reader: LogReader; url: string | null }) {
  const version = useSyncExternalStore(reader.listen, () => reader.version);
  const scroller = useRef<HTMLDivElement>(null);
  const flow = useRef<HTMLDivElement>(null);
  const [wrap, setWrap] = useState(false);
  const [following, follow] = useState(live);
  const [view, setView] = useState({ top: 0, height: 400, columns: 100 });
  const [, measured] = useState(0);
  const count = reader.index.count;
  const columns = wrap ? view.columns : 0;
  const layout = useMemo(
    () => new Layout(count, columns === 0 ? null : (at) => {
      const { from, to } = reader.index.span(at);
      return Math.ceil(Math.min(to - from, 4_100) / columns);
    }),
    [reader, count, columns],
  );
  const total = layout.total * ROW;
  const tall = Math.min(total, TALLEST);
  const scale = tall > view.height ? (total - view.height) / (tall - view.height) : 1;
  const offset = view.top * scale;
  const first = Math.max(0, layout.lineAt(offset / ROW) - OVER);
  const last = Math.min(count, layout.lineAt((offset + view.height) / ROW) + 1 + OVER);

  const go = useCallback((to: number) => {
    const box = scroller.current;
    if (box !== null) box.scrollTop = Math.max(0, (layout.before(to) * ROW - box.clientHeight / 2) / scale);
  }, [layout, scale]);
  const find = useLogSearch(reader, go);

  // The size of the window, in pixels and in characters.
  useEffect(() => {
    const box = scroller.current;
    if (box === null) return;
    const ruler = document.createElement("span");
    ruler.textContent = "0".repeat(100);
    ruler.className = "absolute invisible whitespace-pre font-mono text-sm";
    box.append(ruler);
    const look = () => {
      const gutter = box.querySelector("[data-line] button")?.clientWidth ?? 56;
      const wide = Math.max(10, Math.floor((box.clientWidth - gutter - 25) / (ruler.offsetWidth / 100 || 7)));
      setView((before) => ({ ...before, height: box.clientHeight, columns: wide }));
    };
    const watch = new ResizeObserver(look);
    watch.observe(box);
    return () => {
      watch.disconnect();
      ruler.remove();
    };
  }, []);

  // What was drawn is as tall as it is: guesses are put right, and what one looks at stays where it was.
  useLayoutEffect(() => {
    const box = scroller.current;
    if (!wrap || flow.current === null || box === null) return;
    let above = 0;
    let changed = false;
    for (const element of flow.current.children) {
      if (!(element instanceof HTMLElement) || element.dataset.line === undefined) continue;
      const at = Number(element.dataset.line) - 1;
      const change = layout.set(at, Math.round(element.offsetHeight / ROW));
      changed ||= change !== 0;
      if (layout.before(at) * ROW < offset) above += change;
    }
    if (!changed) return;
    if (above !== 0 && !following) box.scrollTop += (above * ROW) / scale;
    measured((times) => times + 1);
  }, [wrap, following, scale, layout, offset, first, last, version]);

  useLayoutEffect(() => {
    const box = scroller.current;
    if (following && box !== null) box.scrollTop = box.scrollHeight;
  }, [following, total, version, reader]);

  // A linked line comes into view when it is known.
  const linked = line === undefined ? null : line - 1;
  const known = linked !== null && linked < count;
  const came = useRef<number | null>(null);
  useEffect(() => {
    if (!known || came.current === linked) return;
    came.current = linked;
    follow(false);
    go(linked);
  }, [known, linked, go]);

  const scrolled = () => {
    const box = scroller.current;
    if (box === null) return;
    const top = box.scrollTop;
    if (live || following) follow(top + box.clientHeight >= box.scrollHeight - ROW);
    setView((before) => (before.top === top ? before : { ...before, top }));
  };
  const pick = useMemo(() => (onLine === undefined ? null : (at: number) => {
    came.current = at;
    onLine(linked === at ? undefined : at + 1);
  }), [onLine, linked]);

  const digits = String(Math.max(count, 100)).length;
  const current = find.at === null ? null : (find.lines[find.at] ?? null);
  const lines = [];
  for (let at = first; at < last; at += 1) {
    const got = reader.line(at);
    lines.push(
      <LogLine
        key={at} line={at} text={got?.text ?? null} rest={got?.rest ?? 0} gutter={`calc(${digits}ch + 1.25rem)`} wrap={wrap} asked={find.needle}
        mark={at === linked ? "linked" : at === current ? "found" : ""} truncated={truncated} numbered={url !== null || !live} onPick={pick}
      />,
    );
  }
  const failed = reader.error !== null;
  return (
    <section aria-label={label} className="flex min-h-0 min-w-0 flex-1 flex-col bg-bg">
      <LogTools
        reader={reader} url={url} name={name} live={live} wrap={wrap} onWrap={setWrap} find={find}
        following={following} onFollow={follow} onEdge={(end) => {
          const box = scroller.current;
          if (box !== null) box.scrollTop = end ? box.scrollHeight : 0;
        }}
      />
      {failed && (
        <Failed what={count === 0 ? "The text could not be read" : "The rest of the text could not be read"} error={reader.error} onRetry={() => void reader.scan()} />
      )}
      <div
        ref={scroller}
        onScroll={scrolled}
        tabIndex={0}
        role="region"
        aria-label={`${label}: text`}
        className={cx("relative min-h-0 flex-1 overflow-auto font-mono text-sm outline-offset-[-2px]", wrap && "overflow-x-hidden")}
      >
        {count === 0 && !failed && (reader.isWhole ? <p className="px-4 py-3 font-sans text-base text-soft">{live ? "It has printed nothing yet." : "It printed nothing."}</p> : <Skeleton />)}
        <div className="relative w-max min-w-full" style={{ height: tall, ...(wrap ? { width: "100%" } : {}) }}>
          <div ref={flow} className="min-w-full" style={{ transform: `translateY(${Math.round(view.top + layout.before(first) * ROW - offset)}px)` }}>
            {lines}
          </div>
        </div>
      </div>
    </section>
  );
}

function Skeleton() {
  return (
    <div role="status" aria-label="Reading" className="flex flex-col gap-1.5 px-4 py-2">
      {[42, 68, 55, 30, 61].map((width) => <Bar key={width} width={`${width}%`} />)}
    </div>
  );
}
