/** Why a rule was drafted, in a sentence: how often, by how many, over how long. */
import type { SeenCall } from "./seen-call.ts";

const dayMs = 24 * 3_600_000;

export function evidenceOf(calls: readonly SeenCall[], isRare: boolean): string {
  const callers = new Set(calls.map(({ caller }) => caller)).size;
  const times = calls.map(({ atUnixMs }) => atUnixMs);
  const [first, last] = times.reduce(
    ([least, most], at) => [Math.min(least, at), Math.max(most, at)],
    [Infinity, -Infinity],
  );
  const days = Math.max(1, Math.ceil((last - first) / dayMs));
  const failed = calls.filter((call) => call.failed).length;
  const seen = `Seen ${many(calls.length, "time")} by ${many(callers, "caller")} in ${many(days, "day")}`;
  const beside = failed === 0 ? "" : `, ${failed} of them failed`;
  return isRare ? `${seen}${beside}, unlike the others: allowed as it came.` : `${seen}${beside}.`;
}

function many(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}
