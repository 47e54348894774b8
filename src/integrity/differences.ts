/** Where two answers say different things, as JSON pointers (RFC 6901) to members of their results. */
import { canonicalJson } from "../wire/canonical-json.ts";
import { everyMember, type Place, scanJson, tolerantScanLimits } from "../wire/json-scan.ts";

/** The members of `result` that only one of the two has, or that they have otherwise; `/result` if there is none to name. */
export function differences(before: Uint8Array, after: Uint8Array): readonly string[] {
  const [one, other] = [membersOf(before), membersOf(after)];
  const names = new Set([...one.keys(), ...other.keys()]);
  names.delete("_meta");
  const differing = [...names].filter((name) => one.get(name) !== other.get(name));
  return differing.length === 0 ? ["/result"] : differing.map((name) => `/result/${escaped(name)}`);
}

function membersOf(message: Uint8Array): ReadonlyMap<string, string | undefined> {
  const { members } = scanJson(message, { result: { [everyMember]: true } }, tolerantScanLimits);
  const rows = members?.get("result")?.members ?? new Map<string, Place>();
  return new Map(
    [...rows].map(([name, { start, end }]) => [name, canonicalJson(message.subarray(start, end))]),
  );
}

function escaped(name: string): string {
  return name.replaceAll("~", "~0").replaceAll("/", "~1");
}
