/** Those of a list whose words begin or hold what is asked for, the best first; all for an empty ask. */
export function rank<T>(items: readonly T[], asked: string, words: (item: T) => string): T[] {
  const parts = asked.toLowerCase().split(/\s+/).filter((part) => part !== "");
  if (parts.length === 0) return [...items];
  const scored = items.flatMap((item, at) => {
    const text = words(item).toLowerCase();
    let score = 0;
    for (const part of parts) {
      const found = text.indexOf(part);
      if (found < 0) return [];
      // The start of the text, then the start of a word, then anywhere.
      score += found === 0 ? 3 : /[\s/:_-]/.test(text.charAt(found - 1)) ? 2 : 1;
    }
    return [{ item, score, at }];
  });
  return scored.sort((a, b) => b.score - a.score || a.at - b.at).map(({ item }) => item);
}
