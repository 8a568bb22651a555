import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate, useParams } from "@tanstack/react-router";
import { useEffect, useId, useRef, useState, type KeyboardEvent } from "react";
import { openQuestionsQuery } from "@/api/queries/questions";
import { runsQuery } from "@/api/queries/runs";
import { ago, instant } from "@/format/time";
import { shortId, visible } from "@/format/text";
import { lookOfIssue } from "@/pages/board/words";
import { lookOfRequirement } from "@/pages/proof/words";
import { useNow } from "@/ui/clock";
import { cx } from "@/ui/classes";
import { Dialog } from "@/ui/Dialog";
import { Icon, type IconName } from "@/ui/Icon";
import { Kbd } from "@/ui/Kbd";
import { lookOfRun } from "@/ui/status";
import { StatusMark } from "@/ui/Status";
import { useFound } from "./found";
import type { Panel } from "./panels";
import { PLACES } from "./places";
import { useProjectAtHand } from "./project";
import { rank } from "./rank";
import { setTheme } from "./theme";

interface Item {
  id: string;
  group: string;
  label: string;
  /** Found by these words, too. */
  words?: string;
  icon: IconName;
  mark?: ReturnType<typeof lookOfRun>;
  hint?: string;
  keys?: string;
  /** It was found for what was asked before: shown until the next answer, and not acted on. */
  stale?: boolean;
  act: () => void;
}

const MOST = 40;

/** Reaches every page and action by a few letters. */
export function Palette({ onClose, open }: { onClose: () => void; open: (panel: Panel) => void }) {
  const [asked, ask] = useState("");
  const [at, go] = useState(0);
  const id = useId();
  const found = useFoundItems(asked, onClose);
  const items = [...rank(useItems(onClose, open), asked, (item) => `${item.label} ${item.words ?? ""}`), ...found.items].slice(0, MOST);
  const chosen = Math.min(at, items.length - 1);
  // Enter before the first hit: it is kept, and done when there is one.
  const wish = useRef(false);
  const first = items[0]?.stale === true ? undefined : items[0];
  useEffect(() => {
    if (!wish.current) return;
    if (first !== undefined || !found.looking) wish.current = false;
    first?.act();
  }, [first, found.looking]);

  const onKeyDown = (event: KeyboardEvent) => {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (step !== 0) {
      event.preventDefault();
      const next = (chosen + step + items.length) % Math.max(1, items.length);
      go(next);
      document.getElementById(`${id}-${next}`)?.scrollIntoView({ block: "nearest" });
    } else if (event.key === "Enter" && !event.nativeEvent.isComposing) {
      event.preventDefault();
      const item = items[chosen];
      if (item === undefined || item.stale === true) wish.current = found.looking;
      else item.act();
    }
  };

  return (
    <Dialog title="Search or go to" shape="bare" onClose={onClose}>
      <div className="sticky top-0 flex items-center gap-2 border-b border-line bg-bg px-3">
        <Icon name="search" className="text-faint" />
        <input
          autoFocus
          role="combobox"
          aria-label="Search or go to"
          aria-expanded="true"
          aria-controls={`${id}-list`}
          aria-activedescendant={items.length > 0 ? `${id}-${chosen}` : undefined}
          autoComplete="off"
          spellCheck={false}
          placeholder="A page, an action, an issue, a requirement, a run, a project"
          value={asked}
          onChange={(event) => {
            ask(event.target.value);
            go(0);
            wish.current = false;
          }}
          onKeyDown={onKeyDown}
          className="h-11 w-full bg-transparent text-lg outline-none"
        />
      </div>
      <ul id={`${id}-list`} role="listbox" aria-label="Found" className="p-1.5">
        {items.map((item, index) => (
          <li
            key={item.id}
            id={`${id}-${index}`}
            role="option"
            aria-selected={index === chosen}
            onPointerMove={() => go(index)}
            onClick={item.act}
            className={cx("flex h-9 cursor-pointer items-center gap-2.5 rounded-md px-2", index === chosen && "bg-accent-tint")}
          >
            {item.mark === undefined ? <Icon name={item.icon} className="text-soft" /> : <StatusMark look={item.mark} />}
            <span className="min-w-0 truncate">{item.label}</span>
            <span className="ml-auto flex shrink-0 items-center gap-2 text-sm text-faint">
              {item.hint ?? item.group}
              {item.keys !== undefined && <Kbd keys={item.keys} />}
            </span>
          </li>
        ))}
      </ul>
      <p role="status" className={items.length === 0 ? "px-4 py-8 text-center text-soft" : "sr-only"}>
        {items.length > 0 ? `${items.length} found` : found.looking ? "Looking…" : `Nothing is called “${asked}”`}
      </p>
    </Dialog>
  );
}

/** Issues and requirements of the project at hand, as the plane finds them. */
function useFoundItems(asked: string, onClose: () => void): { items: Item[]; looking: boolean } {
  const navigate = useNavigate();
  const { key } = useProjectAtHand();
  const { issues, requirements, looking } = useFound(key, asked);
  const params = { key: key ?? "" };
  const go = (act: () => unknown) => () => {
    onClose();
    void act();
  };
  return {
    looking,
    items: [
      ...issues.map((issue): Item => ({
        id: issue.id, group: "Issue", stale: looking, label: `#${issue.number} ${visible(issue.title)}`, icon: "board", mark: lookOfIssue(issue.status),
        act: go(() => navigate({ to: "/p/$key/issues/$number", params: { ...params, number: String(issue.number) } })),
      })),
      ...requirements.map((one): Item => ({
        id: one.id, group: "Requirement", stale: looking, label: `${one.id} ${visible(one.title)}`, icon: "proof", mark: lookOfRequirement(one),
        act: go(() => navigate({ to: "/p/$key/proof/$req", params: { ...params, req: one.id } })),
      })),
    ],
  };
}

function useItems(onClose: () => void, open: (panel: Panel) => void): Item[] {
  const navigate = useNavigate();
  const client = useQueryClient();
  const now = useNow();
  const { key, projects } = useProjectAtHand();
  // What other parts of the page have asked for is here at once; the rest comes.
  const { data: questions } = useQuery(openQuestionsQuery);
  const runs = key === null ? undefined : client.getQueryData(runsQuery(key, {}).queryKey);
  const then = (act: () => unknown) => () => {
    onClose();
    void act();
  };
  const { number } = useParams({ strict: false });
  const ofIssue: Item[] = key === null || number === undefined ? [] : [{
    id: "dispatch", group: "Action", label: `Dispatch #${number}`, words: "start run agent role hand", icon: "play",
    act: then(() => navigate({ to: "/p/$key/issues/$number", params: { key, number }, search: { start: true } })),
  }];
  const places = PLACES.filter((place) => !place.ofProject || key !== null).map((place): Item => ({
    id: `place:${place.label}`, group: "Page", label: place.label, icon: place.icon, keys: `g ${place.key}`,
    act: then(() => navigate({ to: place.to ?? "/", params: place.ofProject ? { key: key ?? "" } : {} })),
  }));
  const actions: Item[] = [
    { id: "inbox", group: "Action", label: "Open the inbox", words: "questions answer", icon: "inbox", keys: "i", act: () => open("inbox") },
    { id: "shortcuts", group: "Action", label: "Shortcuts", words: "keyboard help", icon: "keyboard", keys: "?", act: () => open("shortcuts") },
    { id: "light", group: "Action", label: "Light theme", icon: "sun", act: then(() => setTheme("light")) },
    { id: "dark", group: "Action", label: "Dark theme", icon: "moon", act: then(() => setTheme("dark")) },
    { id: "system", group: "Action", label: "Theme of the system", icon: "screen", act: then(() => setTheme("system")) },
  ];
  const asked = (questions?.items ?? []).map((question): Item => ({
    id: question.id, group: "Question", label: visible(question.subject), words: question.prompt, icon: "question", act: () => open("inbox"),
  }));
  const known = (runs?.pages ?? []).flatMap((page) => page.items).map((run): Item => ({
    id: run.id, group: "Run", label: `Run ${shortId(run.id)}`, words: `${run.kind} ${run.status} ${run.verdict ?? ""} ${run.id}`,
    icon: "runs", mark: lookOfRun(run.status, run.verdict), hint: ago(instant(run.created_at), now),
    act: then(() => navigate({ to: "/p/$key/runs/$run", params: { key: key ?? "", run: run.id } })),
  }));
  const others = projects.map((project): Item => ({
    id: project.id, group: "Project", label: project.key, words: `${project.name} ${project.path}`, icon: "home",
    act: then(() => navigate({ to: "/p/$key/runs", params: { key: project.key } })),
  }));
  return [...ofIssue, ...places, ...asked, ...actions, ...others, ...known];
}
