import type { ServerEvent } from "./protocol";

/**
 * Cuts server-sent events out of text that arrives in pieces, as the standard says. `retry` is not
 * honoured: how soon to come back is decided in one place, the hub.
 */
export class EventReader {
  #rest = "";
  #id = "";
  #event = "";
  #data: string[] = [];

  /** Takes the next piece; answers the events that are complete with it. */
  read(piece: string): ServerEvent[] {
    const text = this.#rest + piece;
    const found: ServerEvent[] = [];
    let from = 0;
    for (;;) {
      const end = text.indexOf("\n", from);
      if (end < 0) break;
      const line = text.charCodeAt(end - 1) === 13 && end > from ? text.slice(from, end - 1) : text.slice(from, end);
      from = end + 1;
      const event = this.#take(line);
      if (event !== null) found.push(event);
    }
    this.#rest = text.slice(from);
    return found;
  }

  #take(line: string): ServerEvent | null {
    if (line === "") return this.#dispatch();
    const colon = line.indexOf(":");
    if (colon === 0) return null;
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(line.charCodeAt(colon + 1) === 32 ? colon + 2 : colon + 1);
    if (name === "id") this.#id = value;
    else if (name === "event") this.#event = value;
    else if (name === "data") this.#data.push(value);
    return null;
  }

  #dispatch(): ServerEvent | null {
    const [id, event, data] = [this.#id, this.#event, this.#data];
    this.#event = "";
    this.#data = [];
    return data.length === 0 ? null : { id, event: event === "" ? "message" : event, data: data.join("\n") };
  }
}
