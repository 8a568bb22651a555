import MarkdownIt, { type Token } from "markdown-it";

/** A text that was written as Markdown, as what a page can draw of it. */
export type Node =
  | { type: "text"; text: string }
  | { type: "code"; text: string }
  | { type: "break" }
  | { type: "line" }
  | { type: "task"; done: boolean }
  | { type: "fence"; text: string; language: string }
  | { type: "heading"; level: number; children: readonly Node[] }
  | { type: "list"; start: number | null; children: readonly Node[] }
  | { type: "cell"; head: boolean; align: Align; children: readonly Node[] }
  /** Only ever `http` or `https`. */
  | { type: "link"; href: string; children: readonly Node[] }
  /** An image is a link to it: the page asks no other host for anything (W11). */
  | { type: "image"; href: string; alt: string }
  | { type: Plain; children: readonly Node[] };

export type Plain = (typeof PLAIN)[keyof typeof PLAIN];
export type Align = "left" | "center" | "right";

const PLAIN = {
  paragraph_open: "paragraph", blockquote_open: "quote", list_item_open: "item", strong_open: "strong", em_open: "emphasis", s_open: "struck",
  table_open: "table", thead_open: "head", tbody_open: "body", tr_open: "row",
} as const;

/** Deeper than this nobody reads, and the parser would leave the rest of the text out. */
const NESTING = 32;

const markdown = new MarkdownIt({
  // Raw HTML is text like any other (P10).
  html: false,
  linkify: true,
  // Who writes on a new line means one.
  breaks: true,
  maxNesting: NESTING,
});
// Only what says that it is an address is one: `README.md` is a file.
markdown.linkify.set({ fuzzyLink: false, fuzzyEmail: false, fuzzyIP: false });
markdown.validateLink = isAddress;

function isAddress(address: string): boolean {
  return /^https?:\/\/[^/]/i.test(address);
}

/** Reads a text. Whatever it is, nothing of it is lost, and nothing in it is more than text, form and links. */
export function parse(text: string): readonly Node[] {
  const tokens = markdown.parse(text, {});
  if (tokens.some((token) => token.level >= NESTING - 2)) return [{ type: "fence", text, language: "" }];
  return new Reader(tokens).nodes();
}

class Reader {
  readonly #tokens: readonly Token[];
  #at = 0;
  /** The smallest heading of the text is the first level, whatever it was written as. */
  readonly #top: number;
  #heading = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
    this.#top = Math.min(...tokens.filter((token) => token.type === "heading_open").map(levelOf));
  }

  /** The nodes up to the end of what was opened. */
  nodes(): readonly Node[] {
    const nodes: Node[] = [];
    for (let token = this.#next(); token !== undefined && token.nesting !== -1; token = this.#next()) {
      if (token.type === "inline") nodes.push(...new Reader(token.children ?? []).nodes());
      // The paragraphs of a tight list are no paragraphs.
      else if (token.hidden && token.nesting === 1) nodes.push(...this.nodes());
      else nodes.push(this.#node(token));
    }
    return nodes;
  }

  #next(): Token | undefined {
    const token = this.#tokens[this.#at];
    this.#at += 1;
    return token;
  }

  #node(token: Token): Node {
    switch (token.type) {
      case "softbreak":
      case "hardbreak":
        return { type: "break" };
      case "hr":
        return { type: "line" };
      case "code_inline":
        return { type: "code", text: token.content };
      case "code_block":
      case "fence":
        return { type: "fence", text: token.content.replace(/\n$/, ""), language: token.info.trim().split(/\s/, 1)[0] ?? "" };
      case "image":
        return { type: "image", href: attribute(token, "src"), alt: token.content };
      case "heading_open": {
        // No level is left out on the way down: who is read to would look for it.
        this.#heading = Math.min(levelOf(token) - this.#top + 1, this.#heading + 1);
        return { type: "heading", level: this.#heading, children: this.nodes() };
      }
      case "link_open": {
        const href = attribute(token, "href");
        const children = this.nodes();
        return isAddress(href) ? { type: "link", href, children } : { type: "emphasis", children };
      }
      case "bullet_list_open":
        return { type: "list", start: null, children: this.nodes() };
      case "ordered_list_open":
        return { type: "list", start: Number(token.attrGet("start") ?? 1), children: this.nodes() };
      case "list_item_open":
        return { type: "item", children: withTask(this.nodes()) };
      case "th_open":
      case "td_open":
        return { type: "cell", head: token.type === "th_open", align: alignOf(attribute(token, "style")), children: this.nodes() };
      default: {
        const plain = (PLAIN as Record<string, Plain | undefined>)[token.type];
        if (plain !== undefined) return { type: plain, children: this.nodes() };
        // What a later parser knows and this page does not is shown as it was written.
        return token.nesting === 1 ? { type: "emphasis", children: this.nodes() } : { type: "text", text: token.content };
      }
    }
  }
}

/** `[x] done` at the beginning of an item is a mark of a list of tasks. */
function withTask(nodes: readonly Node[]): readonly Node[] {
  const [first, ...rest] = nodes;
  if (first?.type === "paragraph") return [{ ...first, children: withTask(first.children) }, ...rest];
  const mark = first?.type === "text" ? /^\[([ xX])\] /.exec(first.text) : null;
  if (first?.type !== "text" || mark === null) return nodes;
  return [{ type: "task", done: mark[1] !== " " }, { type: "text", text: first.text.slice(mark[0].length) }, ...rest];
}

function levelOf(token: Token): number {
  return Number(token.tag.slice(1));
}

function attribute(token: Token, name: string): string {
  return String(token.attrGet(name) ?? "");
}

function alignOf(style: string): Align {
  return style.includes("right") ? "right" : style.includes("center") ? "center" : "left";
}
