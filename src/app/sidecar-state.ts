/** Where a sidecar keeps its identity, unless it is told. */
import { homedir } from "node:os";
import path from "node:path";

export function sidecarState(named: string | undefined): string {
  return path.resolve(named ?? process.env["LATTICEGATE_STATE"] ?? path.join(homedir(), ".latticegate"));
}
