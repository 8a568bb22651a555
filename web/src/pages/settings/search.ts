/** The parts of the settings. */
export const TABS = ["project", "gates", "proof", "policy", "budgets", "agents", "tokens", "notifications", "appearance"] as const;
export type Tab = (typeof TABS)[number];

export interface SettingsSearch {
  tab?: Tab;
}

export function readSettingsSearch(search: Record<string, unknown>): SettingsSearch {
  const tab = TABS.find((known) => known === search.tab);
  return tab === undefined ? {} : { tab };
}
