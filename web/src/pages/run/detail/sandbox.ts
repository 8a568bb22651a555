import { list, text, type Data } from "@/live/protocol";

/** How a command was confined, in words; `weak` when something that was planned could not be had. */
export function sandboxWords(sandbox: Data | null): { words: string; weak: boolean } | null {
  if (sandbox === null) return null;
  const files = { enforced: "files", partial: "files in part", none: "" }[text(sandbox, "files")] ?? text(sandbox, "files");
  const network = text(sandbox, "network") === "open" ? "network open" : text(sandbox, "network") === "off" ? "network off" : text(sandbox, "network");
  const missing = list(sandbox, "missing").filter((one): one is string => typeof one === "string");
  const by = text(sandbox, "by");
  const parts = [files, network, by === "none" || by === "" ? "" : `by ${by}`].filter((part) => part !== "");
  return { words: `${parts.join(", ")}${missing.length > 0 ? `; missing: ${missing.join(", ")}` : ""}`, weak: missing.length > 0 || files === "" };
}
