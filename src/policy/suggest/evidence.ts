/** Why a rule was drafted, in a sentence: how often, by how many, over how long. */
import type { SeenCall } from "./seen-call.ts";

const dayMs = 24 * 3_600_000;

/** @param says what is asked of the arguments, a line each */
export function evidenceOf(
  calls: readonly SeenCall[],
  { isRare, says }: { readonly isRare: boolean; readonly says: readonly string[] },
): string {
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
  if (isRare) return `${seen}${beside}, unlike the others: allowed as it came.`;
  const ranges = says.filter((each) => range.test(each)).slice(0, maxRanges);
  return `${seen}${beside}${ranges.map((each) => `; ${each.replace(":", "")}`).join("")}.`;
}

/** `amount: 5 to 480`. */
const range = /^[\w-]{1,40}: -?[\d.e+-]+ to -?[\d.e+-]+/;
const maxRanges = 3;

function many(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}
