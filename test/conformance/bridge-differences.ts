/** What a bridge between the eras can't give: the checks that differ from a server of the client's own era, and why. */
import type { Suite, Upstream } from "./bridge-suites.ts";
import type { Reason } from "./explain.ts";

export function explanations(suite: Pick<Suite, "era" | "pin">, _upstream: Upstream): readonly Reason[] {
  return suite.era === "modern" ? modernClient : [];
}

const modernClient: readonly Reason[] = [];
