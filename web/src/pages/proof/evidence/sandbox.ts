/** What a command was kept to, as the plane reached it: in a sentence's part. */
export function sandboxInWords(report: Readonly<Record<string, unknown>>): string {
  const files: Record<string, string> = { enforced: "files fenced", none: "files not fenced" };
  const network: Record<string, string> = { off: "network off", open: "network open" };
  const word = (table: Record<string, string>, value: unknown) => (typeof value === "string" ? (table[value] ?? value.replaceAll("_", " ")) : null);
  const missing = Array.isArray(report.missing) ? report.missing.filter((one) => typeof one === "string") : [];
  const by = typeof report.by === "string" && report.by !== "none" ? `by ${report.by}` : null;
  const parts = [word(files, report.files), word(network, report.network), by].filter((part) => part !== null);
  return [parts.join(", "), ...(missing.length > 0 ? [`could not be had: ${missing.join(", ")}`] : [])].join("; ");
}
