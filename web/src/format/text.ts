/** Foreign text, made fit to show. */

/** The end of an id that tells ids of the same moment apart, as the command line shows it. */
export function shortId(id: string): string {
  return id.slice(-8);
}

// C0 and C1 controls, line separators, and what turns the direction of text around (W42).
 
const INVISIBLE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** Text with what cannot be seen shown as its code, so that no name can pass for another. */
export function visible(text: string): string {
  return text.replace(INVISIBLE, (char) => {
    // As a number: few fonts have a picture for each control.
    return `\u27e8${char.charCodeAt(0).toString(16).padStart(2, "0")}\u27e9`;
  });
}

/** A command line as one would type it. */
export function commandLine(argv: readonly string[]): string {
  return argv.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)).join(" ");
}

/** One line of at most so many characters. */
export function oneLine(text: string, limit = 300): string {
  const line = text.split("\n", 1)[0] ?? "";
  return line.length > limit ? `${line.slice(0, limit)}\u2026` : line;
}

// Escape sequences of terminals: colours, cursor moves, titles.
const SEQUENCES = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[@-_])/g;

/** The newest line with something on it, as a terminal would show it: without its colours, one line long. */
export function lastLine(text: string, limit = 300): string {
  const lines = text.slice(-4_000).replace(SEQUENCES, "").split(/[\r\n]+/);
  const line = lines.findLast((one) => one.trim() !== "") ?? "";
  return visible(line.length > limit ? `${line.slice(0, limit)}\u2026` : line);
}
