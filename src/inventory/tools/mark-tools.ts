/**
 * Risk marks on the tools of all servers that were seen: what each may do, where its sources disagree, whether its
 * declaration is poisoned or has another one's name, and which tools together let a stranger's text carry data away.
 */
import { scoreTool } from "../../detect/tools/score-tool.ts";
import { contentHash } from "../../integrity/tools/content-hash.ts";
import { lookAlikes, type NamedTools } from "../../integrity/tools/look-alike.ts";
import { utf8 } from "../../kernel/bytes.ts";
import type { Finding } from "../../model/finding.ts";
import type { SeenTool } from "../sighting.ts";
import { disagreements } from "./disagreements.ts";
import { type OperatorSays, type Trait, type TraitName, traitsOf } from "./tool-traits.ts";

export interface ToolsOfServer {
  /** `placeKey` of the server. */
  readonly server: string;
  readonly tools: readonly SeenTool[];
  /** By the tool's name. */
  readonly operator?: (tool: string) => OperatorSays | undefined;
}

export interface MarkedTool {
  readonly server: string;
  readonly name: string;
  /** SEP-3140; undefined of a declaration that has no canonical form. */
  readonly contentHash: string | undefined;
  readonly traits: readonly Trait[];
  /** What counts of the traits: an operator's word where there is one, otherwise what any source says. */
  readonly may: readonly TraitName[];
  readonly findings: readonly Finding[];
}

export function markTools(servers: readonly ToolsOfServer[]): readonly MarkedTool[] {
  const named = servers.map(namedTools);
  return servers.flatMap(({ server, tools, operator }) => {
    const others = named.filter((other) => other.server !== server);
    const names = others.flatMap((other) =>
      [...other.tools.keys()].map((name) => ({ server: other.server, name })),
    );
    return tools.map((tool): MarkedTool => {
      const traits = traitsOf(tool, operator?.(tool.name));
      const { name, description, inputSchema, outputSchema, annotations, title } = tool;
      const { findings } = scoreTool(
        {
          server,
          name,
          ...(description !== undefined && { description }),
          inputSchema,
          rest: { title, annotations, outputSchema },
        },
        names,
      );
      return {
        server,
        name,
        contentHash: hashOf(tool),
        traits,
        may: mayOf(traits),
        findings: [
          ...disagreements(traits),
          ...shadows(tool, others),
          // A name is looked at above, where copies of one tool are told from others of its name.
          ...findings.filter(({ kind }) => kind !== "shadowed"),
        ],
      };
    });
  });
}

const effectNames: readonly TraitName[] = ["destructive", "write", "read"];

function mayOf(traits: readonly Trait[]): readonly TraitName[] {
  const said = new Set(traits.map(({ trait }) => trait));
  const byOperator = traits.filter(({ source }) => source === "operator").map(({ trait }) => trait);
  const decided = effectNames.find((effect) => byOperator.includes(effect));
  const effect = decided ?? effectNames.find((each) => said.has(each));
  const others = (["egress", "untrusted-input", "private-data"] as const).filter((each) => said.has(each));
  return effect === undefined ? others : [effect, ...others];
}

function shadows(tool: SeenTool, others: readonly NamedTools[]): readonly Finding[] {
  const hash = hashOf(tool) ?? "";
  return lookAlikes({ name: tool.name, contentHash: hash }, others)
    .filter(({ how }) => how !== "same-tool")
    .map(({ server, tool: other, how }) => ({
      kind: how === "same-name" ? "tool.shadowed" : "tool.look-alike",
      severity: how === "homoglyphs" ? "high" : "medium",
      at: "tool.name",
      says:
        how === "same-name"
          ? `${server} has another tool of this name.`
          : `Its name looks like ${other} of ${server} (${how}).`,
    }));
}

function namedTools({ server, tools }: ToolsOfServer): NamedTools {
  return {
    server,
    tools: new Map(tools.map((tool) => [tool.name, { contentHash: hashOf(tool) ?? "" }])),
  };
}

const hashes = new WeakMap<SeenTool, { readonly hash: string | undefined }>();

function hashOf(tool: SeenTool): string | undefined {
  const known = hashes.get(tool);
  if (known !== undefined) return known.hash;
  const hash = contentHash(utf8(JSON.stringify(tool)));
  hashes.set(tool, { hash });
  return hash;
}
