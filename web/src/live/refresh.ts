import type { QueryClient, QueryKey } from "@tanstack/react-query";
import { keys } from "@/api/queries/keys";
import { text, type Entry } from "./protocol";
import { live } from "./store";

/** What an entry makes old. `project` is the key of the entry's project, when it is a project's entry. */
type Rule = (entry: Entry, project: string | null) => readonly QueryKey[];

const ofRun: Rule = (entry, project) => {
  const run = entry.stream.startsWith("run:") ? entry.stream.slice(4) : text(entry.data, "run");
  return [...(run === "" ? [] : [keys.run(run)]), ...(project === null ? [] : [keys.runs(project), keys.everyRun])];
};

/** What the proof page of the entry's project shows. */
const ofProof: Rule = (entry, project) => {
  const requirement = text(entry.data, "requirement") || text(entry.data, "id");
  return [...(project === null ? [] : [keys.proof(project)]), ...(requirement === "" ? [] : [keys.requirement(requirement)])];
};

/** Cards are whole and issues name one another, so that one fact may show in several. */
const ofIssues: Rule = (_, project) => (project === null ? [] : [keys.board(project), keys.issues(project)]);

/**
 * Which answers an entry makes old, by the beginning of its kind. Whoever adds a page adds the lines
 * of what it shows. Answers that nobody looks at are only marked; the others are asked for anew.
 */
export const RULES: readonly (readonly [kind: string, rule: Rule])[] = [
  ["run.", ofRun],
  ["run.created", ofProof],
  ["run.status", ofProof],
  ["run.finished", ofProof],
  ["gate.finished", ofRun],
  ["gate.finished", ofProof],
  ["requirement.", ofProof],
  ["waiver.", ofProof],
  ["evidence.", ofProof],
  ["definition.", ofProof],
  ["settings.", ofProof],
  ["settings.", (_, project) => (project === null ? [] : [keys.settings(project)])],
  ["command.finished", ofRun],
  ["task.", ofRun],
  // A run's page and the day's sum: which of them a line touches is not worth telling apart. The lines of a run that
  // nobody follows are not told here, but its end is.
  ["ledger.", (entry, project) => [keys.ledger, ...ofRun(entry, project)]],
  ["run.status", () => [keys.ledger]],
  ["run.finished", () => [keys.ledger]],
  ["settings.", () => [keys.ledger]],
  ["question.", (entry, project) => [keys.questions, ...ofRun(entry, project)]],
  ["issue.", ofIssues],
  // A card shows that its run asks something, also while the run goes on.
  ["question.", ofIssues],
  ["lineage.", ofIssues],
  ["project.", () => [keys.projects]],
  ["worker.", () => [keys.workers]],
  // What a worker does ends with its run, and begins with a claim.
  ["run.status", () => [keys.workers]],
  ["run.finished", () => [keys.workers]],
];

/** Answers are asked for anew at most this often, however many entries come. */
const PACE = 300;

/** Keeps answers current by what streams tell. `keyOf` knows projects by their id. */
export function refreshByNews(client: QueryClient, keyOf: (project: string) => string | null): () => void {
  const old = new Map<string, QueryKey>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let last = 0;
  const refresh = () => {
    timer = undefined;
    last = Date.now();
    for (const [name, queryKey] of [...old]) {
      old.delete(name);
      // An answer that is on its way is let come, and asked for anew after it: a long list would else
      // never come while there is news. Only that one waits, not all that share its key.
      const coming = client.getQueryCache().findAll({ queryKey, fetchStatus: "fetching" });
      for (const query of coming) old.set(query.queryHash, query.queryKey);
      void client.invalidateQueries({ queryKey, fetchStatus: "idle" });
    }
    if (old.size > 0) timer = setTimeout(refresh, PACE);
  };
  // What was answered before the first connection may have grown old before it stood.
  let met = false;
  const endStatus = live.onStatus(() => {
    if (met || live.status.state !== "live") return;
    met = true;
    void client.invalidateQueries();
  });
  const end = live.onNews((entries) => {
    for (const entry of entries) {
      if (entry.stream.startsWith("audit:")) {
        const audited = keyOf(entry.stream.slice(6));
        // The project's own stream tells the same facts to all else.
        if (audited !== null) old.set(JSON.stringify(keys.audit(audited)), keys.audit(audited));
        continue;
      }
      const project = entry.stream.startsWith("project:") ? keyOf(entry.stream.slice(8)) : null;
      for (const [kind, rule] of RULES) {
        if (!entry.kind.startsWith(kind)) continue;
        for (const key of rule(entry, project)) old.set(JSON.stringify(key), key);
      }
    }
    // The first news is acted upon at once; what follows within the pace goes together.
    if (old.size > 0) timer ??= setTimeout(refresh, Math.max(0, last + PACE - Date.now()));
  });
  return () => {
    clearTimeout(timer);
    endStatus();
    end();
  };
}
