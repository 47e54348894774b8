/** `latticegate audit verify --broken ALGORITHM`: what is still proven, by what stands alone. */
import { type LogToVerify, verifyLogFolderWithout } from "../app/log-verification.ts";
import type { Renewal } from "../audit/renewal.ts";
import { readFallen } from "../crypto/suites/fallen.ts";
import type { CommandCall, Option } from "./command.ts";

export const brokenOption = {
  broken: {
    type: "string",
    multiple: true,
    value: "ALGORITHM[@DAY]",
    help: "Count it as fallen (since that day): the verdict rests on the others alone. SHA-256, ML-DSA-65, …; repeatable.",
  },
} as const satisfies Record<string, Option>;

/** 0 if something still vouches for the log's beginning, and nothing speaks against it. */
export async function verifyWithout(call: CommandCall, what: LogToVerify): Promise<number> {
  const fallen = call.texts("broken").map(readFallen);
  const verdict = await verifyLogFolderWithout(what, fallen);
  const without = fallen.map(({ id }) => id).join(" and ");
  if (verdict.kind === "broken") {
    for (const { what: kind, text } of verdict.findings) call.out(`${kind}: ${text}`);
    return 1;
  }
  if (verdict.kind === "unproven") {
    call.out(`unproven: without ${without} nothing vouches for any of ${verdict.unproven} entries`);
  } else {
    const { path, size, hash, signedBy, atUnixMs } = verdict.by;
    const when = atUnixMs === undefined ? "" : ` of ${iso(atUnixMs)}`;
    call.out(
      `proven without ${without}: the first ${size} entries, by ${path}${when}, ${hash}, signed by ${signedBy.join(", ")}`,
    );
    if (verdict.removed > 0) call.out(removedLine(verdict.removed, verdict.by.from));
    if (verdict.unproven > 0)
      call.out(
        `unproven: ${verdict.unproven} more ${verdict.unproven === 1 ? "entry" : "entries"} behind them`,
      );
  }
  for (const note of verdict.notes) call.out(`  ${note}`);
  return verdict.kind === "proven" ? 0 : 1;
}

export function renewalLine(renewal: Omit<Renewal, "note" | "generations">): string {
  const { number, size, hash, from, atUnixMs, signedBy } = renewal;
  const of = `renewal ${number} of ${iso(atUnixMs)} wraps ${size} entries under ${hash}`;
  const hashed = from === 0 ? "" : `, some of those before ${from} by their SHA-256 hashes`;
  return `${of}${hashed}, signed by ${signedBy.join(", ")}`;
}

function removedLine(removed: number, from = 0): string {
  const hashed = Math.min(removed, from);
  const text = `${removed} of them aren't there, as the log says: retention removed them`;
  return hashed === 0 ? text : `${text}; some before ${hashed} are known by their SHA-256 hashes alone`;
}

function iso(unixMs: number): string {
  return new Date(unixMs).toISOString();
}
