import { createElement, useMemo, type ReactNode } from "react";
import { visible } from "@/format/text";
import { cx } from "../classes";
import { Icon } from "../Icon";
import { parse, type Node } from "./tree";

/** Deeper than this, what is nested is not moved in any further: the words need their place. */
const DEEP = 5;

interface Where {
  /** The level of its first headings. */
  level: number;
  depth: number;
  /** A link holds no other. */
  inLink: boolean;
}

/** Markdown as elements of the page. No part of the text is ever taken for HTML. */
export function Drawn({ text, level }: { text: string; level: number }) {
  const nodes = useMemo(() => parse(text), [text]);
  return draw(nodes, { level, depth: 0, inLink: false });
}

function draw(nodes: readonly Node[], where: Where): ReactNode {
  return nodes.map((node, at) => <One key={at} node={node} where={where} />);
}

function One({ node, where }: { node: Node; where: Where }) {
  const deeper = { ...where, depth: where.depth + 1 };
  const indent = where.depth < DEEP;
  switch (node.type) {
    case "text":
      return visible(node.text);
    case "code":
      return <code className="rounded-sm bg-well px-1 py-px text-[0.94em] break-words">{visible(node.text)}</code>;
    case "break":
      return <br />;
    case "line":
      return <hr className="border-line" />;
    case "task":
      return (
        <>
          <Icon name={node.done ? "check" : "ring"} size={13} className={cx("mr-1.5 inline align-[-2px]", node.done ? "text-good" : "text-faint")} />
          <span className="sr-only">{node.done ? "Done: " : "To do: "}</span>
        </>
      );
    case "fence":
      return (
        <pre tabIndex={0} className="max-h-96 overflow-auto rounded-md border border-line bg-panel px-3 py-2 text-sm leading-[18px]" {...(node.language === "" ? {} : { "aria-label": `Code: ${visible(node.language)}`, role: "group" })}>
          <code>{node.text.split("\n").map(visible).join("\n")}</code>
        </pre>
      );
    case "heading": {
      const level = where.level + node.level - 1;
      return createElement(`h${Math.min(6, level)}`, { dir: "auto", className: cx("pt-1 font-semibold text-ink", node.level === 1 && "text-lg") }, draw(node.children, where));
    }
    case "paragraph":
      return <p dir="auto">{draw(node.children, where)}</p>;
    case "quote":
      return <blockquote dir="auto" className={cx("flex flex-col gap-2 border-l-2 border-line-strong/60 text-soft", indent && "pl-3")}>{draw(node.children, deeper)}</blockquote>;
    case "list": {
      const look = cx("flex flex-col gap-0.5", indent && "pl-5");
      const items = draw(node.children, deeper);
      return node.start === null ? <ul className={cx("list-disc", look)}>{items}</ul> : <ol start={node.start} className={cx("list-decimal", look)}>{items}</ol>;
    }
    case "item": {
      const isTask = node.children[0]?.type === "task" || (node.children[0]?.type === "paragraph" && node.children[0].children[0]?.type === "task");
      return <li dir="auto" className={cx("marker:text-faint [&>p]:mb-1", isTask && "-ml-5 list-none")}>{draw(node.children, where)}</li>;
    }
    case "strong":
      return <strong className="font-semibold text-ink">{draw(node.children, where)}</strong>;
    case "emphasis":
      return <em>{draw(node.children, where)}</em>;
    case "struck":
      return <s>{draw(node.children, where)}</s>;
    case "link":
      return where.inLink ? draw(node.children, where) : <Away href={node.href}>{draw(node.children, { ...where, inLink: true })}</Away>;
    case "image": {
      const name = node.alt.trim() === "" ? node.href : node.alt;
      return where.inLink ? visible(name) : <Away href={node.href}>image: {visible(name)}</Away>;
    }
    case "table":
      return (
        <div className="overflow-x-auto" tabIndex={0} role="group" aria-label="Table">
          <table className="border-t border-l border-line text-sm">{draw(node.children, where)}</table>
        </div>
      );
    case "head":
      return <thead>{draw(node.children, where)}</thead>;
    case "body":
      return <tbody>{draw(node.children, where)}</tbody>;
    case "row":
      return <tr>{draw(node.children, where)}</tr>;
    case "cell":
      return createElement(
        node.head && node.children.length > 0 ? "th" : "td",
        { dir: "auto", className: cx("border-r border-b border-line px-2 py-1 align-top", node.head && "bg-panel font-semibold", node.align === "right" ? "text-right" : node.align === "center" ? "text-center" : "text-left") },
        draw(node.children, where),
      );
  }
}

/** A way out of the page. Where it leads stands beside it when one points at it, whatever its words say. */
function Away({ href, children }: { href: string; children: ReactNode }) {
  return (
    <a href={href} target="_blank" rel="noopener noreferrer" title={visible(href)} className="text-accent underline underline-offset-2">
      {children}
      <Icon name="external" size={11} className="ml-0.5 inline align-[-1px]" />
    </a>
  );
}
