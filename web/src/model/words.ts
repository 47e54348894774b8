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
