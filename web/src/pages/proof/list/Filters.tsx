import { useQuery } from "@tanstack/react-query";
import { useNavigate, useParams } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";
import type { Shape } from "@/api/client";
import { gatesQuery, type RequirementFilter } from "@/api/queries/proof";
import { count } from "@/format/number";
import { useKeys } from "@/shell/keys";
import { Button } from "@/ui/Button";
import { cx } from "@/ui/classes";
import { Icon } from "@/ui/Icon";
import { HUES } from "@/ui/status";
import { isFiltered, KINDS, SEVERITIES, STATUSES, VERDICTS, type ProofSearch } from "../search";
import { KIND_WORDS, lookOfStanding, severityLook } from "../words";

/** After this long without a key, what was typed is searched for. */
const TYPED = 180;

/** What is listed; all of it stands in the address. */
export function Filters({ filter, counts, total }: { filter: RequirementFilter; counts: Shape<"RequirementList">["by_status"] | undefined; total: number | undefined }) {
  const { key } = useParams({ from: "/shell/p/$key/proof" });
  const navigate = useNavigate({ from: "/p/$key/proof" });
  const { data: gates } = useQuery(gatesQuery(key));
  const set = (change: Partial<Record<keyof ProofSearch, unknown>>) =>
    void navigate({
      to: ".",
      search: (before) => Object.fromEntries(Object.entries({ ...before, ...change }).filter(([, value]) => value !== undefined)),
      replace: true,
    });
  const [finer, setFiner] = useState(false);
  const fine = (["severity", "kind", "gate", "verdict", "stale", "flaky"] as const).filter((name) => filter[name] !== undefined).length;
  const toggle = (status: Shape<"Status">) => {
    const asked = filter.status ?? [];
    const next = asked.includes(status) ? asked.filter((one) => one !== status) : STATUSES.filter((one) => one === status || asked.includes(one));
    set({ status: next.length === 0 || next.length === STATUSES.length ? undefined : next });
  };
  return (
    <div role="search" aria-label="Requirements" className="flex shrink-0 flex-wrap items-center gap-x-2 gap-y-1.5 border-b border-line px-4 py-2">
      <SearchBox asked={filter.q ?? ""} onAsk={(q) => set({ q })} />
      <div role="group" aria-label="Only these statuses" className="flex gap-1">
        {STATUSES.map((status) => {
          const look = lookOfStanding(status);
          const hue = HUES[status === "open" ? "warning" : look.hue];
          const on = filter.status?.includes(status) === true;
          return (
            <button
              key={status} type="button" aria-pressed={on} onClick={() => toggle(status)}
              className={cx("num flex h-7 items-center gap-1 rounded-md border px-2 text-sm max-sm:h-9", on ? cx(hue.tint, hue.text, hue.line, "font-medium") : "border-line text-soft hover:border-line-strong")}
            >
              <Icon name={look.icon} size={12} />
              {look.word}
              {counts !== undefined && <span className={on ? "" : "text-faint"}>{count(counts[status])}</span>}
            </button>
          );
        })}
      </div>
      <button
        type="button" aria-expanded={finer} onClick={() => setFiner(!finer)}
        className={cx("flex h-9 items-center gap-1 rounded-md border px-2 text-sm sm:hidden", fine > 0 ? "border-accent text-accent" : "border-line text-soft")}
      >
        <Icon name="filter" size={12} /> More{fine > 0 && ` (${fine})`}
      </button>
      <div className={cx("flex flex-wrap gap-1", !finer && "max-sm:hidden")}>
        <Pick label="Severity" value={filter.severity?.[0]} options={SEVERITIES.map((word) => [word, severityLook(word).word])} onPick={(value) => set({ severity: value === undefined ? undefined : [value] })} />
        <Pick label="Kind" value={filter.kind?.[0]} options={KINDS.map((word) => [word, KIND_WORDS[word]])} onPick={(value) => set({ kind: value === undefined ? undefined : [value] })} />
        <Pick label="Gate" value={filter.gate} options={(gates?.items ?? []).map(({ name }) => [name, name])} onPick={(gate) => set({ gate })} />
        <Pick label="Verdict" value={filter.verdict} options={VERDICTS.map((word) => [word, word])} onPick={(verdict) => set({ verdict })} />
        {(["stale", "flaky"] as const).map((name) => (
          <button
            key={name} type="button" aria-pressed={filter[name] === true} onClick={() => set({ [name]: filter[name] === true ? undefined : true })}
            className={cx("flex h-7 items-center gap-1 rounded-md border px-2 text-sm max-sm:h-9", filter[name] === true ? "border-warning/40 bg-warning-tint font-medium text-warning" : "border-line text-soft hover:border-line-strong")}
          >
            <Icon name={name === "stale" ? "clock" : "flaky"} size={12} />
            {name === "stale" ? "Stale" : "Flaky"}
          </button>
        ))}
      </div>
      {filter.issue !== undefined && (
        <button
          type="button" aria-pressed onClick={() => set({ issue: undefined })} title="Only what is about this issue"
          className="num flex h-7 items-center gap-1 rounded-md border border-accent bg-accent-tint px-2 text-sm font-medium text-accent max-sm:h-9"
        >
          Issue #{filter.issue}
        </button>
      )}
      {isFiltered(filter) && (
        <Button look="quiet" icon="cross" onClick={() => set({ q: undefined, issue: undefined, status: undefined, severity: undefined, kind: undefined, gate: undefined, verdict: undefined, stale: undefined, flaky: undefined })}>
          Clear
        </Button>
      )}
      <p role="status" className="num ml-auto text-sm text-faint max-sm:sr-only">
        {total !== undefined && (isFiltered(filter) ? `${count(total)} found` : `${count(total)} in all`)}
      </p>
    </div>
  );
}

function Pick({ label, value, options, onPick }: { label: string; value: string | undefined; options: readonly (readonly [string, string])[]; onPick: (value: string | undefined) => void }) {
  return (
    <select
      aria-label={label} value={value ?? ""} onChange={(event) => onPick(event.target.value === "" ? undefined : event.target.value)}
      className={cx("h-7 max-w-36 rounded-md border bg-bg px-1 text-sm max-sm:h-9", value === undefined ? "border-line text-soft" : "border-accent font-medium text-accent")}
    >
      <option value="">{label}</option>
      {value !== undefined && !options.some(([known]) => known === value) && <option value={value}>{value}</option>}
      {options.map(([word, shown]) => (
        <option key={word} value={word}>{shown}</option>
      ))}
    </select>
  );
}

function SearchBox({ asked, onAsk }: { asked: string; onAsk: (q: string | undefined) => void }) {
  const [typed, type] = useState(asked);
  const [seen, see] = useState(asked);
  const [sent, send] = useState(asked);
  // The address changed by other means than this box, such as by the browser's back button.
  if (asked !== seen) {
    see(asked);
    if (asked !== sent) type(asked);
  }
  const input = useRef<HTMLInputElement>(null);
  const ask = useRef(onAsk);
  useEffect(() => {
    ask.current = onAsk;
  });
  useEffect(() => {
    const q = typed.trim();
    if (q === asked) return;
    const timer = setTimeout(() => {
      send(q);
      ask.current(q === "" ? undefined : q);
    }, TYPED);
    return () => clearTimeout(timer);
  }, [typed, asked]);
  useKeys({ "/": () => input.current?.focus() });
  return (
    <label className="relative flex w-56 items-center max-sm:w-full">
      <span className="sr-only">Search requirements</span>
      <Icon name="search" size={14} className="pointer-events-none absolute left-2 text-faint" />
      <input
        ref={input} type="search" value={typed} maxLength={200} placeholder="Search title, text, number" spellCheck={false} aria-keyshortcuts="/"
        onChange={(event) => type(event.target.value)}
        onKeyDown={(event) => {
          if (event.key !== "Escape") return;
          event.preventDefault();
          if (typed === "") event.currentTarget.blur();
          else type("");
        }}
        className="h-7 w-full rounded-md border border-line-strong bg-bg pr-2 pl-7 max-sm:h-9"
      />
    </label>
  );
}
