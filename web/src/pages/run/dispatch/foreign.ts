/** Values of an agent as words. */
export function wordsOf(value: unknown): string {
  if (typeof value === "string") return value;
  if (typeof value === "object" && value !== null) {
    const { title, text, description } = value as Record<string, unknown>;
    const first = [title, text, description].find((one) => typeof one === "string");
    if (typeof first === "string") return first;
  }
  return JSON.stringify(value);
}
