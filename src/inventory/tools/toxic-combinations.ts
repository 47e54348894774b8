/**
 * Tools that are harmless alone and together let a stranger in: whoever can have one agent read text of theirs, read what is
 * private, and send something out, can have the private sent to them. One agent's servers count together, whoever made them.
 */
import type { MarkedTool } from "./mark-tools.ts";
import type { TraitName } from "./tool-traits.ts";

export interface Reach {
  /** A client's file or a caller: whoever has these servers in one context. */
  readonly who: string;
  /** `placeKey` of each. */
  readonly servers: readonly string[];
}

export interface ToxicCombination {
  readonly who: string;
  readonly kind: "exfiltration" | "sabotage";
  /** What each part of it could be done with; the first few of each. */
  readonly parts: readonly { readonly trait: TraitName; readonly tools: readonly string[] }[];
  /** Whether it takes more than one server: no server's owner sees it then. */
  readonly isAcrossServers: boolean;
  readonly says: string;
}

const kinds: readonly {
  readonly kind: ToxicCombination["kind"];
  readonly traits: readonly TraitName[];
  readonly says: string;
}[] = [
  {
    kind: "exfiltration",
    traits: ["untrusted-input", "private-data", "egress"],
    says: "text that anybody may have written, private data and a way out meet in one agent: an instruction in that text can have the data sent away",
  },
  {
    kind: "sabotage",
    traits: ["untrusted-input", "destructive"],
    says: "text that anybody may have written and tools that destroy or pay meet in one agent: an instruction in that text can use them",
  },
];

/** Named of each part; more say nothing more. */
const maxNamed = 5;

export function toxicCombinations(
  reaches: readonly Reach[],
  tools: readonly MarkedTool[],
): readonly ToxicCombination[] {
  return reaches.flatMap(({ who, servers }) => {
    const own = tools.filter(({ server }) => servers.includes(server));
    return kinds.flatMap(({ kind, traits, says }): readonly ToxicCombination[] => {
      const parts = traits.map((trait) => ({ trait, having: own.filter(({ may }) => may.includes(trait)) }));
      if (parts.some(({ having }) => having.length === 0)) return [];
      const isWithinOne = servers.some((server) =>
        parts.every(({ having }) => having.some((tool) => tool.server === server)),
      );
      return [
        {
          who,
          kind,
          parts: parts.map(({ trait, having }) => ({
            trait,
            tools: having.slice(0, maxNamed).map(({ server, name }) => `${server}#${name}`),
          })),
          isAcrossServers: !isWithinOne,
          says,
        },
      ];
    });
  });
}
