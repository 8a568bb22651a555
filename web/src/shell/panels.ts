/** What can lie over a page. One at a time. */
export type Panel = "palette" | "inbox" | "shortcuts";
