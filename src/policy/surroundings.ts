/** What the operator says of callers, places and data, so that conditions can ask for it by name; made ready to look up. */
import { holds, type Network, parseAddress, parseNetwork } from "../expr/network.ts";
import { type Clock, utc, zoneClock } from "../expr/time.ts";
import { type Matcher, matcher, serverPattern, targetMatcher } from "./patterns.ts";
import { type TargetKind, targetKindNames } from "./rules.ts";

/** As the config says it. */
export interface SurroundingsDocument {
  /** Patterns of callers, by the group's name. */
  readonly groups: Readonly<Record<string, readonly string[]>>;
  /** CIDR blocks, by the network's name. */
  readonly networks: Readonly<Record<string, readonly string[]>>;
  /** IANA name of the zone whose clock `time` is. */
  readonly zone: string;
  readonly data: readonly DataClass[];
  readonly quantumEarliestUnixMs: number;
  /** By server and label: what has it. */
  readonly labels: Readonly<Record<string, Readonly<Record<string, Labelled>>>>;
  /** By server: patterns of tools whose answers have no labels of what they were given. */
  readonly declassify: Readonly<Record<string, readonly string[]>>;
}

/** Patterns of names: of tools where it is a list; `*` is everything of the server. */
type Labelled =
  | readonly string[]
  | "*"
  | Readonly<Partial<Record<TargetKind, readonly string[] | undefined>>>;

/** Data of one kind: what is about it, and for how long it must stay secret. */
interface DataClass extends Readonly<Partial<Record<TargetKind, readonly string[]>>> {
  readonly name: string;
  readonly shelfLifeMs: number;
}

export interface Surroundings {
  readonly groupsOf: (caller: string) => readonly string[];
  readonly networksOf: (address: string) => readonly string[];
  readonly clock: Clock;
  readonly labelsOf: (server: string, tool: string) => readonly string[];
  /** What an answer of it is known by: its labels, and the names of all data classes that are about it. */
  readonly answerLabels: (kind: TargetKind, server: string, name: string) => readonly string[];
  readonly declassifies: (server: string, tool: string) => boolean;
  /** Of any answer of that server. */
  readonly anyLabels: (server: string) => readonly string[];
  /** The class that must stay secret longest, of those that the target is about. */
  readonly dataOf: (kind: TargetKind, server: string, name: string) => DataClass | undefined;
  readonly quantumEarliestUnixMs: number;
}

export const nothingSaid: SurroundingsDocument = {
  groups: {},
  networks: {},
  zone: "UTC",
  data: [],
  quantumEarliestUnixMs: Date.UTC(2030, 0),
  labels: {},
  declassify: {},
};

/** INVARIANT: what is no CIDR block and no zone was refused before. */
export function surroundingsOf(document: SurroundingsDocument): Surroundings {
  const groups = named(document.groups, (patterns) => matcher(patterns));
  const networks = named(document.networks, (blocks) =>
    blocks.flatMap((text): Network | [] => parseNetwork(text) ?? []),
  );
  const labels = new Map(
    Object.entries(document.labels).map(([server, own]) => [server, labelMatchers(own)]),
  );
  const withLabel = (kind: TargetKind, server: string, name: string): readonly string[] =>
    namesWhere(labels.get(server) ?? [], (matches) => matches[kind](name));
  const declassifying = new Map(
    Object.entries(document.declassify).map(([server, tools]) => [server, matcher(tools)]),
  );
  const data = document.data
    .toSorted((a, b) => b.shelfLifeMs - a.shelfLifeMs)
    .map((each) => ({
      each,
      servers: matcher(targetKindNames.flatMap((kind) => (each[kind] ?? []).map(serverPattern))),
      matches: {
        tools: targetMatcher(each.tools ?? []),
        resources: targetMatcher(each.resources ?? []),
        prompts: targetMatcher(each.prompts ?? []),
      },
    }));
  return {
    groupsOf: (caller) => namesWhere(groups, (matches: Matcher) => matches(caller)),
    networksOf: (text) => {
      const address = parseAddress(text);
      if (address === undefined) return [];
      return namesWhere(networks, (blocks) => blocks.some((block) => holds(block, address)));
    },
    clock: zoneClock(document.zone) ?? utc,
    labelsOf: (server, tool) => withLabel("tools", server, tool),
    answerLabels: (kind, server, name) => {
      const classes = data.filter(({ matches }) => matches[kind](server, name)).map(({ each }) => each.name);
      return [...new Set([...withLabel(kind, server, name), ...classes])];
    },
    declassifies: (server, tool) => declassifying.get(server)?.(tool) === true,
    anyLabels: (server) => [
      ...new Set([
        ...(labels.get(server) ?? []).map(([label]) => label),
        ...data.filter(({ servers }) => servers(server)).map(({ each }) => each.name),
      ]),
    ],
    dataOf: (kind, server, name) => data.find(({ matches }) => matches[kind](server, name))?.each,
    quantumEarliestUnixMs: document.quantumEarliestUnixMs,
  };
}

function labelMatchers(
  labels: Readonly<Record<string, Labelled>>,
): Named<Readonly<Record<TargetKind, Matcher>>> {
  return Object.entries(labels).map(([label, given]) => {
    const { tools = [], resources = [], prompts = [] } = byKind(given);
    return [
      label,
      { tools: matcher(tools), resources: matcher(resources), prompts: matcher(prompts) },
    ] as const;
  });
}

export function byKind(labelled: Labelled): Exclude<Labelled, readonly string[] | "*"> {
  if (labelled === "*") return { tools: ["*"], resources: ["*"], prompts: ["*"] };
  return "at" in labelled ? { tools: labelled } : labelled;
}

type Named<T> = readonly (readonly [name: string, value: T])[];

function named<T>(
  said: Readonly<Record<string, readonly string[]>>,
  read: (texts: readonly string[]) => T,
): Named<T> {
  return Object.entries(said).map(([name, texts]) => [name, read(texts)] as const);
}

function namesWhere<T>(all: Named<T>, isSo: (value: T) => boolean): readonly string[] {
  return all.filter(([, value]) => isSo(value)).map(([name]) => name);
}
