/** Where the sources of a tool's marks contradict each other. */
import type { Finding } from "../../model/finding.ts";
import { type Trait, type TraitSource } from "./tool-traits.ts";

const speaks: Readonly<Record<TraitSource, string>> = {
  operator: "its operator",
  annotation: "its annotations",
  schema: "its schema",
  description: "its name or description",
};

/** One finding for each source that says more than one that says it only reads. */
export function disagreements(traits: readonly Trait[]): readonly Finding[] {
  const harmless = traits.filter(({ trait }) => trait === "read");
  const harmful = traits.filter(({ trait }) => trait === "write" || trait === "destructive");
  return harmless.flatMap((mild) => {
    // A name that begins with a reading verb and a statement as its argument: what the statement does, nobody says.
    const worse = harmful.find(({ source }) => source !== mild.source);
    if (worse === undefined) return [];
    const { source, because, trait } = worse;
    return [
      {
        kind: "tool.disagreement",
        severity: trait === "destructive" || mild.source === "operator" ? "high" : "medium",
        at: mild.source === "annotation" ? "tool.annotations" : "tool",
        says: `By ${speaks[mild.source]} it only reads (${mild.because}), by ${speaks[source]} it ${trait === "write" ? "writes" : "destroys"} (${because}).`,
      } satisfies Finding,
    ];
  });
}
