/** "90s" → milliseconds, "64KiB" → bytes: the only place that parses units. */

const durations: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

const sizes: Readonly<Record<string, number>> = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };

/** Milliseconds, or undefined if `text` is not a whole number followed by ms, s, m, h or d. */
export function parseDurationMs(text: string): number | undefined {
  return parse(text, durations);
}

/** Bytes, or undefined if `text` is not a whole number followed by B, KiB, MiB or GiB. */
export function parseSizeBytes(text: string): number | undefined {
  return parse(text, sizes);
}

function parse(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const match = /^(\d{1,12})([A-Za-z]{1,3})$/.exec(text);
  const factor = match?.[2] === undefined || !Object.hasOwn(units, match[2]) ? undefined : units[match[2]];
  if (match?.[1] === undefined || factor === undefined) return undefined;
  const value = Number(match[1]) * factor;
  return Number.isSafeInteger(value) ? value : undefined;
}
