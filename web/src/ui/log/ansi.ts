/**
 * A line of a terminal's output as plain text and the styles of its parts. Colours become the page's
 * own hues; every other escape (moves, titles, links) is left out. Nothing of it reaches the page but
 * as text and as class names from here.
 */
export interface Styled {
  text: string;
  parts: readonly Part[];
}

export interface Part {
  from: number;
  to: number;
  className: string;
}

// CSI sequences; strings (OSC, DCS, APC, PM, SOS) up to their end or the line's; other escapes of two characters.
const ESCAPE = /\u001b\[([0-9:;<=>?]*)[ -/]*([@-~])|\u001b[\]PX^_][^\u0007\u001b]*(?:\u0007|\u001b\\|$)|\u001b[ -/]*[0-~]|\u001b/g;

const COLOURS = ["text-faint", "text-bad", "text-good", "text-warning", "text-accent", "text-neutral", "text-running", ""] as const;
const GROUNDS = ["bg-well", "bg-bad-tint", "bg-good-tint", "bg-warning-tint", "bg-accent-tint", "bg-neutral-tint", "bg-running-tint", "bg-well"] as const;

interface Pen {
  colour: string;
  ground: string;
  bold: boolean;
  dim: boolean;
  italic: boolean;
  line: boolean;
  inverse: boolean;
}

const PLAIN: Pen = { colour: "", ground: "", bold: false, dim: false, italic: false, line: false, inverse: false };

/** Reads a line. Styles begin anew at each line, so that a line looks the same wherever one begins to read. */
export function styled(line: string): Styled {
  if (!line.includes("\u001b")) return { text: line, parts: [] };
  let text = "";
  let pen = PLAIN;
  let seen = 0;
  const parts: Part[] = [];
  const write = (piece: string) => {
    if (piece === "") return;
    const className = classesOf(pen);
    const last = parts.at(-1);
    if (last?.to === text.length && last.className === className) last.to += piece.length;
    else if (className !== "") parts.push({ from: text.length, to: text.length + piece.length, className });
    text += piece;
  };
  for (const match of line.matchAll(ESCAPE)) {
    write(line.slice(seen, match.index));
    seen = match.index + match[0].length;
    if (match[2] === "m") pen = inked(pen, match[1] ?? "");
  }
  write(line.slice(seen));
  return { text, parts };
}

/** The text without its escapes. */
export function plain(line: string): string {
  return line.includes("\u001b") ? line.replace(ESCAPE, "") : line;
}

function classesOf(pen: Pen): string {
  const words = [
    pen.inverse ? "bg-well" : pen.ground,
    // On a ground only its own hue or ink is sure to be read.
    pen.ground === "" || pen.inverse ? (pen.dim && pen.colour === "" ? "text-faint" : pen.colour) : groundText(pen),
    pen.bold ? "font-bold" : "",
    pen.italic ? "italic" : "",
    pen.line ? "underline" : "",
  ];
  return words.filter((word) => word !== "").join(" ");
}

function groundText(pen: Pen): string {
  const own = GROUNDS.indexOf(pen.ground as (typeof GROUNDS)[number]);
  return pen.colour !== "" && COLOURS.indexOf(pen.colour as (typeof COLOURS)[number]) === own ? pen.colour : "text-ink";
}

function inked(before: Pen, codes: string): Pen {
  const pen = { ...before };
  const list = codes.split(/[;:]/).map(Number);
  for (let at = 0; at < list.length; at += 1) {
    const code = list[at] ?? 0;
    if (code === 0) Object.assign(pen, PLAIN);
    else if (code === 1) pen.bold = true;
    else if (code === 2) pen.dim = true;
    else if (code === 3) pen.italic = true;
    else if (code === 4) pen.line = true;
    else if (code === 7) pen.inverse = true;
    else if (code === 22) pen.bold = pen.dim = false;
    else if (code === 23) pen.italic = false;
    else if (code === 24) pen.line = false;
    else if (code === 27) pen.inverse = false;
    else if (code >= 30 && code <= 37) pen.colour = COLOURS[code - 30] ?? "";
    else if (code >= 90 && code <= 97) pen.colour = COLOURS[code - 90] ?? "";
    else if (code === 39) pen.colour = "";
    else if (code >= 40 && code <= 47) pen.ground = GROUNDS[code - 40] ?? "";
    else if (code >= 100 && code <= 107) pen.ground = GROUNDS[code - 100] ?? "";
    else if (code === 49) pen.ground = "";
    else if (code === 38 || code === 48) {
      const named = list[at + 1] === 5 ? (list[at + 2] ?? 16) % 256 : null;
      if (named !== null && named < 16 && code === 38) pen.colour = COLOURS[named % 8] ?? "";
      if (named !== null && named < 16 && code === 48) pen.ground = GROUNDS[named % 8] ?? "";
      at += list[at + 1] === 5 ? 2 : list[at + 1] === 2 ? 4 : 0;
    }
  }
  return pen;
}
