/** Where the lines of a long text begin, found as its bytes come. */

const NEWLINE = 10;

/**
 * The starts of lines, 4 bytes each, so that a log of a million lines costs 4 MB. It only grows: what
 * was read off it stays true.
 */
export class LineIndex {
  #starts = new Uint32Array(1_024);
  #count = 1;
  /** How many bytes were looked at. */
  #scanned = 0;

  /** How many lines there are so far; the bytes after the last newline are one, unless there are none. */
  get count(): number {
    return this.#start(this.#count - 1) === this.#scanned ? this.#count - 1 : this.#count;
  }

  get scanned(): number {
    return this.#scanned;
  }

  /** Looks at the bytes that follow what it has seen. */
  add(bytes: Uint8Array): void {
    for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) {
      if (this.#count === this.#starts.length) {
        const grown = new Uint32Array(this.#count * 2);
        grown.set(this.#starts);
        this.#starts = grown;
      }
      this.#starts[this.#count] = this.#scanned + at + 1;
      this.#count += 1;
    }
    this.#scanned += bytes.length;
  }

  /** The bytes of a line from 0, without its newline. */
  span(line: number): { from: number; to: number } {
    const from = this.#start(line);
    const to = line + 1 < this.#count ? this.#start(line + 1) - 1 : this.#scanned;
    return { from, to: Math.max(from, to) };
  }

  #start(line: number): number {
    return this.#starts[line] ?? this.#scanned;
  }
}
