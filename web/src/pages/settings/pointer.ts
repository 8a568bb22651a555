/** Where in a JSON text a value stands: from its first character to behind its last. */
export interface Place {
  from: number;
  to: number;
  /** Counted from 1. */
  line: number;
}

/**
 * The place of the value that a JSON pointer names; of the nearest value around it when it is not
 * there, such as a member that is missing. Null when the text is not JSON so far.
 */
export function placeOf(text: string, pointer: string): Place | null {
  const path = pointer.split("/").slice(1).map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
  let at = 0;
  let found: { from: number; to: number } | null = null;

  const space = () => {
    while (at < text.length && /\s/.test(text.charAt(at))) at += 1;
  };
  const string = (): string => {
    const from = at;
    at += 1;
    while (at < text.length && text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
    at += 1;
    try {
      return String(JSON.parse(text.slice(from, at)));
    } catch {
      return "";
    }
  };
  /** Reads a value; `depth` is how much of the path led here, or null when it leads elsewhere. */
  const value = (depth: number | null): void => {
    space();
    const from = at;
    if (text[at] === "{" || text[at] === "[") {
      const isObject = text[at] === "{";
      const close = isObject ? "}" : "]";
      at += 1;
      for (let index = 0; at < text.length; index += 1) {
        space();
        if (text[at] === close) break;
        let name = String(index);
        if (isObject) {
          if (text[at] !== '"') throw new SyntaxError();
          name = string();
          space();
          if (text[at] !== ":") throw new SyntaxError();
          at += 1;
        }
        value(depth !== null && path[depth] === name ? depth + 1 : null);
        space();
        if (text[at] === ",") at += 1;
        else if (text[at] !== close) throw new SyntaxError();
      }
      if (at >= text.length) throw new SyntaxError();
      at += 1;
    } else if (text[at] === '"') {
      string();
    } else {
      while (at < text.length && !/[\s,\]}]/.test(text.charAt(at))) at += 1;
      if (at === from) throw new SyntaxError();
    }
    // The innermost is read first: what is around it does not take its place.
    if (depth !== null && found === null) found = { from, to: at };
  };
  try {
    value(0);
  } catch {
    return null;
  }
  const place = found as { from: number; to: number } | null;
  return place === null ? null : { ...place, line: text.slice(0, place.from).split("\n").length };
}

/** What is wrong with a text that shall be a JSON object; null when nothing is. */
export function notAnObject(text: string): string | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? null : "It must be one object: { … }";
  } catch (error) {
    return error instanceof SyntaxError ? error.message.replace(/^JSON\.parse: /, "") : "It is not JSON";
  }
}
