/** What the doctor and `status` say of outlets: those that get nothing through, those with dead letters, and their links. */
import type { Config } from "../config.ts";
import type { Finding } from "../doctor.ts";
import { printable } from "../../kernel/printable.ts";
import { type ListedOutlet, listOutlets } from "./outlet-operations.ts";

const maxReason = 300;

/** One for each; none where the config has no outlets. */
export async function outletFindings(config: Config): Promise<readonly Finding[]> {
  return (await listOutlets(config)).map((outlet) => ({ what: "outlet", ...findingOf(outlet) }));
}

function findingOf(outlet: ListedOutlet): Omit<Finding, "what"> {
  const { name, failingSinceUnixMs, lastError = "", lag, dead, deadFile, link } = outlet;
  if (failingSinceUnixMs !== undefined) {
    const since = new Date(failingSinceUnixMs).toISOString();
    return {
      level: "wrong",
      text: `${name} gets nothing through since ${since} (${printable(lastError, maxReason)}); ${lag} entries wait in the log`,
      remedy: `"latticegate outlets test ${name}" says what its other end says`,
    };
  }
  if (dead > 0)
    return {
      level: "warn",
      text: `${name}: its other end never took ${dead} events; they are in ${deadFile}`,
      remedy: "see why there, mend it, and move the file away",
    };
  if (link !== undefined && !link.includes("MLKEM"))
    return { level: "warn", text: `${name} is told over a link without ML-KEM (${link})` };
  return { level: "ok", text: `${name}: ${lag} entries behind${link === undefined ? "" : `, ${link}`}` };
}
