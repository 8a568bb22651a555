import { visible } from "@/format/text";
import { text, type Entry } from "@/live/protocol";

/** What a person wants to be told of while they look elsewhere. */
export type Wish = "nothing" | "needed" | "everything";

/** Something to be told. */
export interface Notice {
  /** Its name: what was told under it once is not told again. */
  tag: string;
  title: string;
  body: string;
  /** Where it leads. */
  href: string;
}

/** As much of a text as a notification shows anyway. */
const MOST = 200;

/** What an entry is worth telling; `project` is the key of its project. One for each gate of a run that fails, however many requirements fail in it, and none for what is unproven (P81). */
export function noticeOf({ kind, stream, data }: Entry, project: string, wish: Wish): Notice | null {
  if (wish === "nothing") return null;
  const ofRun = stream.startsWith("run:");
  const run = ofRun ? stream.slice("run:".length) : text(data, "run");
  const place = `/p/${encodeURIComponent(project)}`;
  switch (kind) {
    case "question.asked":
      return ofRun ? null : { tag: `question:${text(data, "question")}`, title: `${project}: a person is asked`, body: short(text(data, "prompt")), href: `${place}/runs/${run}` };
    case "gate.finished":
      if (!ofRun || text(data, "verdict") !== "failed") return null;
      return {
        tag: `gate:${run}/${text(data, "gate")}`, title: `${project}: ${visible(text(data, "gate"))} failed`,
        body: short(`${text(data, "requirement")}: ${text(data, "message")}`), href: `${place}/proof/runs/${run}`,
      };
    case "run.finished": {
      if (ofRun) return null;
      const [status, verdict, of] = [text(data, "status"), text(data, "verdict"), text(data, "run_kind")];
      // The gates of a proof run have told already what failed.
      const bad = status === "failed" || (verdict === "failed" && of !== "proof");
      if (!bad && (wish !== "everything" || status === "cancelled")) return null;
      return {
        tag: `run:${run}`, title: `${project}: ${visible(of) || "a run"} ${bad ? "failed" : `ended${verdict === "" ? "" : `, ${visible(verdict)}`}`}`,
        body: short(text(data, "message")), href: `${place}/runs/${run}`,
      };
    }
    default:
      return null;
  }
}

function short(words: string): string {
  const shown = visible(words);
  return shown.length > MOST ? `${shown.slice(0, MOST)}…` : shown;
}

/** A page's title with how many things wait for a person before it. */
export function badged(title: string, waiting: number): string {
  const bare = title.replace(/^\(\d+\+?\) /, "");
  return waiting === 0 ? bare : `(${waiting > 99 ? "99+" : waiting}) ${bare}`;
}
