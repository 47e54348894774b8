/** What is known of calls by one caller before one is made: who it is, what it names, and what was asked for. */
import type { LinkPosture } from "../../model/channel.ts";
import type { Surroundings } from "../surroundings.ts";
import type { KnownFacts } from "./partial-condition.ts";
import type { ReachTarget } from "./targets.ts";

export interface ReachCaller {
  readonly id: string;
  readonly groups: readonly string[];
  readonly issuer: string;
  /** With a certificate; otherwise with an access token, of which nothing is known. */
  readonly isWorkload: boolean;
}

/** Where and when; absent where it may be anywhere, any time. */
export interface Narrowed {
  readonly address?: string;
  readonly atUnixMs?: number;
}

export interface AboutCall {
  readonly caller: ReachCaller;
  readonly link: LinkPosture;
  readonly surroundings: Surroundings;
  readonly narrowed: Narrowed;
  /** Absent of what isn't a call: a link that comes up. */
  readonly target?: ReachTarget;
  /** It is on behalf of others, whoever they are. */
  readonly isDelegated: boolean;
}

type Members = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

export function knownFacts(about: AboutCall): KnownFacts {
  const { link, surroundings, narrowed } = about;
  const { address, atUnixMs } = narrowed;
  const members: Members = {
    caller: callerFacts(about),
    link: {
      group: link.group,
      level: link.level,
      pq: link.isPostQuantum,
      certificate: link.certificate ?? "none",
    },
    quantum: { earliest: surroundings.quantumEarliestUnixMs },
    ...(address !== undefined && { place: { address, networks: surroundings.networksOf(address) } }),
    ...(atUnixMs !== undefined && { time: timeFacts(surroundings, atUnixMs) }),
    ...(about.target && targetFacts(about.target, surroundings)),
  };
  const paths = Object.entries(members).flatMap(([variable, own]) =>
    Object.keys(own).map((member) => `${variable}.${member}`),
  );
  if (atUnixMs === undefined) return { facts: members, paths: new Set(paths) };
  return { facts: { ...members, now: atUnixMs }, paths: new Set([...paths, "now"]) };
}

function timeFacts({ clock }: Surroundings, atUnixMs: number): Members[string] {
  const { hour, weekday, minute } = clock(atUnixMs);
  return { hour, weekday, minute };
}

/** Of a token, its scopes and claims are the issuer's to say. */
function callerFacts({ caller, isDelegated }: AboutCall): Members[string] {
  const { id, groups, issuer, isWorkload } = caller;
  return {
    id,
    groups,
    issuer,
    kind: isWorkload ? "workload" : "client",
    ...(!isDelegated && { chain: [] }),
    ...(isWorkload && { scopes: [], binding: "", claims: {} }),
  };
}

/** The method isn't: one that nobody knows is judged as a tool of its name. */
function targetFacts({ kind, server, name, onlyReads }: ReachTarget, surroundings: Surroundings): Members {
  if (name.kind === "pattern") return { call: { server, kind, ...(kind !== "tools" && { tool: "" }) } };
  const data = surroundings.dataOf(kind, server, name.text);
  const isTool = kind === "tools";
  return {
    call: { server, kind, name: name.text, tool: isTool ? name.text : "" },
    tool: {
      labels: isTool ? surroundings.labelsOf(server, name.text) : [],
      ...(isTool ? onlyReads !== undefined && { read_only: onlyReads } : { read_only: false }),
    },
    resource: { class: data?.name ?? "", shelf_life: data?.shelfLifeMs ?? 0 },
  };
}
