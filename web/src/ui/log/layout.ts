/**
 * How many rows each line of a log takes, and so where it stands. Unwrapped, each takes one. Wrapped, a
 * line's rows are first guessed from its bytes and put right when it was drawn; sums over blocks of
 * lines keep both directions cheap.
 */
const BLOCK = 512;

export class Layout {
  readonly #rows: Uint16Array | null;
  readonly #blocks: Float64Array;
  readonly count: number;

  /** `guess` says the rows of a line; null when every line is one row. */
  constructor(count: number, guess: ((line: number) => number) | null) {
    this.count = count;
    this.#rows = guess === null ? null : new Uint16Array(count);
    this.#blocks = new Float64Array(guess === null ? 0 : Math.ceil(count / BLOCK));
    if (guess === null || this.#rows === null) return;
    for (let line = 0; line < count; line += 1) {
      const rows = Math.max(1, Math.min(65_535, guess(line)));
      this.#rows[line] = rows;
      const block = Math.floor(line / BLOCK);
      this.#blocks[block] = (this.#blocks[block] ?? 0) + rows;
    }
  }

  /** All rows together. */
  get total(): number {
    return this.#rows === null ? this.count : this.#blocks.reduce((sum, rows) => sum + rows, 0);
  }

  /** The rows before a line. */
  before(line: number): number {
    if (this.#rows === null) return line;
    const block = Math.floor(line / BLOCK);
    let rows = 0;
    for (let at = 0; at < block; at += 1) rows += this.#blocks[at] ?? 0;
    for (let at = block * BLOCK; at < line; at += 1) rows += this.#rows[at] ?? 0;
    return rows;
  }

  /** The line that a row belongs to. */
  lineAt(row: number): number {
    const last = Math.max(0, this.count - 1);
    if (this.#rows === null) return Math.min(last, Math.max(0, Math.floor(row)));
    let rest = Math.max(0, row);
    let block = 0;
    while (block < this.#blocks.length - 1 && rest >= (this.#blocks[block] ?? 0)) {
      rest -= this.#blocks[block] ?? 0;
      block += 1;
    }
    let line = block * BLOCK;
    while (line < last && rest >= (this.#rows[line] ?? 1)) {
      rest -= this.#rows[line] ?? 1;
      line += 1;
    }
    return line;
  }

  rowsOf(line: number): number {
    return this.#rows === null ? 1 : (this.#rows[line] ?? 1);
  }

  /** Puts right what was guessed; answers by how much. */
  set(line: number, rows: number): number {
    if (this.#rows === null || line >= this.count) return 0;
    const change = Math.min(65_535, rows) - (this.#rows[line] ?? 1);
    if (change === 0) return 0;
    this.#rows[line] = (this.#rows[line] ?? 1) + change;
    const block = Math.floor(line / BLOCK);
    this.#blocks[block] = (this.#blocks[block] ?? 0) + change;
    return change;
  }
}
