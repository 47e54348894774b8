/** Values as people read them. */

export function duration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86_400)} d ${Math.floor((seconds % 86_400) / 3600)} h`;
}

/** `spiffe://domain/agent/x` → `agent/x` within its own trust domain. */
export function callerName(spiffeId: string, trustDomain: string): string {
  const prefix = `spiffe://${trustDomain}/`;
  return spiffeId.startsWith(prefix) ? spiffeId.slice(prefix.length) : spiffeId;
}

export function count(value: number, one: string, many: string): string {
  return `${value.toLocaleString("en")} ${value === 1 ? one : many}`;
}

/** "3 min ago", "in 2 h"; a moment within the last seconds is "just now". */
export function relative(atUnixMs: number, nowUnixMs: number): string {
  const apartMs = Math.abs(nowUnixMs - atUnixMs);
  if (apartMs < 10_000) return "just now";
  const words = shortly(apartMs);
  return atUnixMs <= nowUnixMs ? `${words} ago` : `in ${words}`;
}

/** 1,234 → "1,234", 1,234,567 → "1.23 M": at most five characters and a letter. */
export function compact(value: number): string {
  if (Math.abs(value) < 100_000) return value.toLocaleString("en", { maximumFractionDigits: 1 });
  return new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 2 })
    .format(value)
    .replace(/(?=[A-Z])/, " ");
}

export function percent(share: number): string {
  const rounded = Math.round(share * 1000) / 10;
  // What isn't whole is never shown as whole.
  if (rounded === 100 && share < 1) return "99.9 %";
  if (rounded === 0 && share > 0) return "0.1 %";
  return `${rounded} %`;
}

/** The largest unit alone. */
function shortly(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 2 * 86_400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}
