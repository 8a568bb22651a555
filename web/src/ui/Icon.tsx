/** The page's few icons: 16 by 16, drawn with the text's colour, silent for readers. */

const PATHS = {
  home: "M2.5 7.5 8 2.5l5.5 5V13a.5.5 0 0 1-.5.5H9.5v-4h-3v4H3a.5.5 0 0 1-.5-.5Z",
  board: "M2.5 3h3v10h-3ZM6.5 3h3v6h-3ZM10.5 3h3v8h-3Z",
  runs: "M2.5 4h6M2.5 8h11M2.5 12h4M11 2.5 13.5 4 11 5.5Z",
  proof: "M8 1.8 13.2 4v4c0 3.2-2.2 5.3-5.2 6.3C5 13.3 2.8 11.2 2.8 8V4ZM5.6 8l1.8 1.8 3.2-3.4",
  worker: "M2.5 3.5h11v5h-11ZM5 6h.1M2.5 10.5h11v2.5h-11ZM8 8.5v2M5 11.8h.1",
  settings: "M6.7 2.5h2.6l.4 1.7 1.5.9 1.7-.5 1.3 2.2-1.3 1.2v1.8l1.3 1.2-1.3 2.2-1.7-.5-1.5.9-.4 1.7H6.7l-.4-1.7-1.5-.9-1.7.5-1.3-2.2 1.3-1.2V8l-1.3-1.2 1.3-2.2 1.7.5 1.5-.9ZM8 10.6a1.8 1.8 0 1 0 0-3.6 1.8 1.8 0 0 0 0 3.6Z",
  inbox: "M2.5 9.5 4.2 3h7.6l1.7 6.5v3.2a.8.8 0 0 1-.8.8H3.3a.8.8 0 0 1-.8-.8ZM2.5 9.5h3.3a2.2 2.2 0 0 0 4.4 0h3.3",
  search: "M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9ZM10.3 10.3l3.2 3.2",
  check: "M3 8.5 6.3 12 13 4.5",
  cross: "M4 4l8 8M12 4l-8 8",
  dash: "M3.5 8h9",
  question: "M5.8 6a2.3 2.3 0 1 1 3.4 2c-.8.5-1.2.9-1.2 1.8M8 12.4v.1",
  pause: "M5.5 3.5v9M10.5 3.5v9",
  play: "M4.8 3.2 12.5 8l-7.7 4.8Z",
  stop: "M4 4h8v8H4Z",
  retry: "M13 8a5 5 0 1 1-1.6-3.7M13 2.5v3h-3",
  queued: "M8 13.5a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11ZM8 5v3.2l2 1.3",
  running: "M8 2.5A5.5 5.5 0 1 1 2.5 8",
  chevronDown: "M4 6.2 8 10l4-3.8",
  chevronRight: "M6.2 4 10 8l-3.8 4",
  more: "M3.5 8h.1M8 8h.1M12.5 8h.1",
  copy: "M6 6V3.2c0-.4.3-.7.7-.7h6c.4 0 .8.3.8.7v6c0 .4-.4.8-.8.8H10M3.3 6h6c.4 0 .7.3.7.7v6c0 .5-.3.8-.7.8h-6a.8.8 0 0 1-.8-.8v-6c0-.4.4-.7.8-.7Z",
  link: "M6.8 9.2a2.6 2.6 0 0 0 3.7 0l2-2a2.6 2.6 0 0 0-3.7-3.7l-.8.8M9.2 6.8a2.6 2.6 0 0 0-3.7 0l-2 2a2.6 2.6 0 0 0 3.7 3.7l.8-.8",
  download: "M8 2.5v7.2M4.8 6.8 8 10l3.2-3.2M3 13.2h10",
  sun: "M8 10.8a2.8 2.8 0 1 0 0-5.6 2.8 2.8 0 0 0 0 5.6ZM8 1.8v1M8 13.2v1M1.8 8h1M13.2 8h1M3.6 3.6l.7.7M11.7 11.7l.7.7M3.6 12.4l.7-.7M11.7 4.3l.7-.7",
  moon: "M13 9.6A5.5 5.5 0 0 1 6.4 3 5.5 5.5 0 1 0 13 9.6Z",
  screen: "M2.5 3.5h11v7.3h-11ZM6 13.5h4M8 10.8v2.7",
  person: "M8 8a2.6 2.6 0 1 0 0-5.2A2.6 2.6 0 0 0 8 8ZM3 13.5c.4-2.4 2.4-3.6 5-3.6s4.6 1.2 5 3.6",
  menu: "M2.5 4.5h11M2.5 8h11M2.5 11.5h11",
  external: "M6.5 3H3v10h10V9.5M9 3h4v4M13 3 7.5 8.5",
  warning: "M8 2.5 14.2 13H1.8ZM8 6.5v3M8 11.3v.1",
  plus: "M8 3v10M3 8h10",
  arrowUp: "M8 13V3.5M4 7.2 8 3.2l4 4",
  arrowDown: "M8 3v9.5M4 8.8l4 4 4-4",
  top: "M3 2.8h10M8 13.5V5.5M4.5 8.8 8 5.3l3.5 3.5",
  bottom: "M3 13.2h10M8 2.5v8M4.5 7.2 8 10.7l3.5-3.5",
  ring: "M8 13a5 5 0 1 0 0-10 5 5 0 0 0 0 10Z",
  waived: "M3.5 13.5v-11M3.5 3.5h8.5l-2 2.8 2 2.8H3.5",
  flaky: "M2 8.5h2.5L6.5 4l3 8 2-3.5H14",
  clock: "M8 13.5a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11ZM8 5v3.2l2 1.3",
  seal: "M8 9.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7ZM5.8 8.8 5 13.8l3-1.6 3 1.6-.8-5",
  broken: "M8 1.8 13.2 4v4c0 3.2-2.2 5.3-5.2 6.3C5 13.3 2.8 11.2 2.8 8V4ZM8.6 4.5 6.8 7.6h2.4L7.4 11",
  gate: "M3 13.5v-11M13 13.5v-11M3 5h10M3 9h10",
  file: "M4 2.5h5.5L12 5v8.5H4ZM9.3 2.5V5.3H12",
  pencil: "M3 13l.7-3L10.5 3.2l2.3 2.3L6 12.3ZM9.3 4.4l2.3 2.3",
  trash: "M3 4.5h10M6 4.5v-2h4v2M4.2 4.5l.6 9h6.4l.6-9",
  arrowLeft: "M13 8H3.5M7.2 4l-4 4 4 4",
  filter: "M2.5 3.5h11L9.5 8.3v4.2l-3-1.5V8.3Z",
  keyboard: "M1.8 4h12.4v8H1.8ZM4.2 6.8h.1M6.7 6.8h.1M9.2 6.8h.1M11.7 6.8h.1M5 9.4h6",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 16, className = "" }: { name: IconName; size?: number; className?: string }) {
  const heavy = name === "more" || name === "question" || name === "keyboard" || name === "warning";
  return (
    <svg
      aria-hidden="true" focusable="false" width={size} height={size} viewBox="0 0 16 16" fill="none"
      stroke="currentColor" strokeWidth={heavy && name === "more" ? 2.2 : 1.5} strokeLinecap="round" strokeLinejoin="round"
      className={`shrink-0 ${className}`}
    >
      <path d={PATHS[name]} />
    </svg>
  );
}
