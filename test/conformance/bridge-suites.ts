/**
 * The official server suites of one era of the protocol against servers of the other, through the gateway's bridge, held
 * against the same suite at a server of its own era: what differs has to be in a table, and what is there has to differ.
 */
import path from "node:path";
import { fileURLToPath } from "node:url";

import { explanations } from "./bridge-differences.ts";
import { type Checks, compare, type Comparison, readChecks, replaced } from "./compare.ts";
import { explain, type Explained } from "./explain.ts";
import { type Pin, runSuite } from "./suite.ts";

export type Era = "legacy" | "modern";

export interface Suite {
  readonly name: string;
  readonly pin: Pin;
  readonly args: readonly string[];
  /** That of its client. */
  readonly era: Era;
}

export const suites: readonly Suite[] = [
  {
    name: "0.2.0-alpha.12 2026-07-28",
    pin: "mcp-conformance-next",
    args: ["--requirements", "2026-07-28"],
    era: "modern",
  },
  {
    name: "0.2.0-alpha.12 2025-11-25",
    pin: "mcp-conformance-next",
    args: ["--requirements", "2025-11-25"],
    era: "legacy",
  },
  { name: "0.1.16 all", pin: "mcp-conformance-stable", args: ["--suite", "all"], era: "legacy" },
];

/** How the gateway reaches the server. */
export const upstreams = ["http", "stdio"] as const;

export interface Cell {
  readonly comparison: Comparison;
  readonly explained: Explained;
  /** Scenarios that differed unexpectedly at first and were run again. */
  readonly repeated: readonly string[];
}

/**
 * Some checks wait half a second for an answer, and a legacy server over stdio is begun anew for other capabilities: what
 * differs is run again before it counts.
 */
const maxRepeats = 3;

/** @param url of the sidecar before the server of the other era */
export async function bridgedCell(
  suite: Suite,
  direct: Checks,
  { upstream, url }: { readonly upstream: (typeof upstreams)[number]; readonly url: string },
): Promise<Cell> {
  const table = explanations(suite);
  let bridged = await runAt(suite, url, upstream);
  const repeated = new Set<string>();
  for (let repeat = 1; repeat <= maxRepeats; repeat++) {
    const { surprises } = explain(compare(direct, bridged).different, table);
    for (const found of new Set(surprises.map(({ scenario }) => scenario))) {
      const scenario = found.replace(/^server-/, "");
      repeated.add(scenario);
      const again = { ...suite, args: ["--scenario", scenario] };
      bridged = replaced(bridged, await runAt(again, url, `${upstream}-${scenario}-repeat-${repeat}`));
    }
  }
  const comparison = compare(direct, bridged);
  return { comparison, explained: explain(comparison.different, table), repeated: [...repeated] };
}

const folder = fileURLToPath(new URL("../../out/bridge", import.meta.url));

/** @param name of the folder with what it writes */
export async function runAt(suite: Suite, url: string, name: string): Promise<Checks> {
  const command = ["server", "--url", url.replace("127.0.0.1", "localhost"), ...suite.args];
  const into = path.join(folder, suite.name.replaceAll(" ", "-"), name);
  return await readChecks(await runSuite(suite.pin, command, into));
}
