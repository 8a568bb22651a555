/** Counts and sizes with separators and units. */

const COUNT = new Intl.NumberFormat("en-US");

/** `12,345` */
export function count(number: number): string {
  return COUNT.format(number);
}

/** `1 gate`, `3 gates` */
export function counted(number: number, one: string, many = `${one}s`): string {
  return `${count(number)} ${number === 1 ? one : many}`;
}

const UNITS = ["B", "kB", "MB", "GB", "TB"] as const;

/** `16 B`, `4.2 kB`, `50 MB` */
export function bytes(number: number): string {
  let value = number;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1_000;
    unit += 1;
  }
  const shown = unit === 0 || value >= 99.5 ? String(Math.round(value)) : value.toFixed(1).replace(/\.0$/, "");
  return `${shown} ${UNITS[unit] ?? ""}`;
}
