/**
 * Reads a unified diff as git writes it. What stands in files is foreign: lines of a hunk are counted by its head, so
 * that no line in a file can pass for the beginning of another file.
 */

export interface DiffLine {
  kind: " " | "+" | "-";
  text: string;
  /** Its number before and after; null where it is not. */
  before: number | null;
  after: number | null;
  /** It is the last line and has no line break. */
  open?: true;
}

export interface Hunk {
  head: string;
  lines: DiffLine[];
}

export interface FileDiff {
  /** Its path afterwards; before, when it is gone. */
  path: string;
  /** Its path before, when that was another. */
  from: string | null;
  change: "added" | "deleted" | "modified" | "renamed";
  binary: boolean;
  hunks: Hunk[];
  added: number;
  removed: number;
}

const HUNK = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@/;

export function parseDiff(text: string): FileDiff[] {
  const files: FileDiff[] = [];
  let file: FileDiff | null = null;
  let hunk: Hunk | null = null;
  let [before, after, left, right] = [0, 0, 0, 0];
  // A text may end in the middle of a line, where it was cut.
  for (const line of linesOf(text)) {
    if (hunk !== null && file !== null && (left > 0 || right > 0)) {
      const kind = line[0];
      if (kind === "+" && right > 0) {
        hunk.lines.push({ kind, text: line.slice(1), before: null, after });
        [after, right, file.added] = [after + 1, right - 1, file.added + 1];
        continue;
      }
      if (kind === "-" && left > 0) {
        hunk.lines.push({ kind, text: line.slice(1), before, after: null });
        [before, left, file.removed] = [before + 1, left - 1, file.removed + 1];
        continue;
      }
      if ((kind === " " || line === "") && left > 0 && right > 0) {
        hunk.lines.push({ kind: " ", text: line.slice(1), before, after });
        [before, after, left, right] = [before + 1, after + 1, left - 1, right - 1];
        continue;
      }
    }
    if (line.startsWith("\\ ")) {
      const last = hunk?.lines.at(-1);
      if (last !== undefined) last.open = true;
      continue;
    }
    if (line.startsWith("diff --git ")) {
      [left, right, hunk] = [0, 0, null];
      file = { path: pathIn(line), from: null, change: "modified", binary: false, hunks: [], added: 0, removed: 0 };
      files.push(file);
      continue;
    }
    if (file === null) continue;
    const head = HUNK.exec(line);
    if (head !== null) {
      [before, after] = [Number(head[1]), Number(head[3])];
      [left, right] = [Number(head[2] ?? 1), Number(head[4] ?? 1)];
      hunk = { head: line, lines: [] };
      file.hunks.push(hunk);
    } else headLine(file, line);
  }
  return files;
}

function* linesOf(text: string): Generator<string> {
  let from = 0;
  while (from < text.length) {
    const at = text.indexOf("\n", from);
    if (at < 0) {
      yield text.slice(from);
      return;
    }
    yield text.slice(from, at);
    from = at + 1;
  }
}

/** What stands between the beginning of a file and its hunks. */
function headLine(file: FileDiff, line: string): void {
  if (line.startsWith("new file mode")) file.change = "added";
  else if (line.startsWith("deleted file mode")) file.change = "deleted";
  else if (line.startsWith("rename from ")) [file.from, file.change] = [unquoted(line.slice(12)), "renamed"];
  else if (line.startsWith("rename to ")) file.path = unquoted(line.slice(10));
  else if (line.startsWith("Binary files ") || line === "GIT binary patch") file.binary = true;
  else if (line.startsWith("+++ ") && !line.startsWith("+++ /dev/null")) file.path = sidePath(line.slice(4));
  else if (line.startsWith("--- ") && !line.startsWith("--- /dev/null") && file.change === "deleted") file.path = sidePath(line.slice(4));
}

/** `a/x` or `b/x` without its side; git ends a path with a blank in it with a tab. */
function sidePath(text: string): string {
  return unquoted(text.replace(/\t$/, "")).replace(/^[ab]\//, "");
}

/** The path in `diff --git a/x b/x`: both halves are the same but for a rename, which says its own. */
function pathIn(line: string): string {
  const rest = line.slice("diff --git ".length);
  if (rest.startsWith('"')) {
    const end = /^"(?:[^"\\]|\\.)*"/.exec(rest);
    return end === null ? rest : sidePath(end[0]);
  }
  return sidePath(rest.slice(0, (rest.length - 1) / 2));
}

const ESCAPES: Readonly<Record<string, number>> = { a: 7, b: 8, t: 9, n: 10, v: 11, f: 12, r: 13, '"': 34, "\\": 92 };

/** A path that git has quoted as C does, its bytes read as UTF-8. */
function unquoted(text: string): string {
  if (!text.startsWith('"') || !text.endsWith('"') || text.length < 2) return text;
  const bytes: number[] = [];
  const encoder = new TextEncoder();
  for (let at = 1; at < text.length - 1; ) {
    if (text[at] !== "\\") {
      const char = String.fromCodePoint(text.codePointAt(at) ?? 0);
      bytes.push(...encoder.encode(char));
      at += char.length;
      continue;
    }
    const octal = /^[0-7]{3}/.exec(text.slice(at + 1, at + 4));
    if (octal !== null) {
      bytes.push(parseInt(octal[0], 8) & 255);
      at += 4;
    } else {
      bytes.push(ESCAPES[text[at + 1] ?? ""] ?? 63);
      at += 2;
    }
  }
  return new TextDecoder().decode(new Uint8Array(bytes));
}

/** A row of the two sides beside each other. */
export interface Pair {
  left: DiffLine | null;
  right: DiffLine | null;
}

/** The lines of a hunk as pairs: what went beside what came. */
export function pairsOf(lines: readonly DiffLine[]): Pair[] {
  const pairs: Pair[] = [];
  let [gone, come]: [DiffLine[], DiffLine[]] = [[], []];
  const flush = () => {
    for (let at = 0; at < Math.max(gone.length, come.length); at += 1) pairs.push({ left: gone[at] ?? null, right: come[at] ?? null });
    [gone, come] = [[], []];
  };
  for (const line of lines) {
    if (line.kind === "-") {
      // A line that goes behind lines that came begins another change.
      if (come.length > 0) flush();
      gone.push(line);
    } else if (line.kind === "+") come.push(line);
    else {
      flush();
      pairs.push({ left: line, right: line });
    }
  }
  flush();
  return pairs;
}
