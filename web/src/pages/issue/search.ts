/** What of an issue stands in the address (W2). */
export interface IssueSearch {
  tab?: "runs" | "changes" | "artifacts" | "lineage";
  /** The run whose changes are looked at; the newest when absent. */
  run?: string;
  /** The file of them. */
  file?: string;
  /** Its two sides beside each other. */
  split?: true;
  /** The sheet that hands it to a role. */
  start?: true;
}

const TABS = ["runs", "changes", "artifacts", "lineage"] as const;

export function readIssueSearch(search: Record<string, unknown>): IssueSearch {
  const tab = TABS.find((one) => one === search.tab);
  const is = (name: string) => search[name] === true || search[name] === "true";
  return {
    ...(tab === undefined ? {} : { tab }),
    ...(typeof search.run === "string" && /^[0-9a-f-]{36}$/.test(search.run) ? { run: search.run } : {}),
    ...(typeof search.file === "string" && search.file !== "" && search.file.length <= 2_000 ? { file: search.file } : {}),
    ...(is("split") ? { split: true as const } : {}),
    ...(is("start") ? { start: true as const } : {}),
  };
}
