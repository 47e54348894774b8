/** What the control room tells of traffic: over time, as a map, of one caller or server, and what changed. */
import { type Entry, readEntry } from "../../audit/entry.ts";
import { changeInWords, type ToldChange } from "../../control/changes-in-words.ts";
import type { PageAsked } from "../../control/paging.ts";
import {
  callerId,
  type MapServer,
  serverId,
  type TrafficMap,
  trafficMap,
} from "../../control/traffic-map.ts";
import { busiest, countedIn, type TrafficReport, trafficReport } from "../../control/traffic-report.ts";
import { openLogBundles } from "../../host/store/log-bundles.ts";
import { resolutions, type TrafficAsked } from "../../host/store/state-traffic.ts";
import type { Clock } from "../../kernel/clock.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { Config } from "../config.ts";
import type { LiveDocument } from "../crypto/live-document.ts";
import { listIncidents } from "../respond/incident-operations.ts";
import { listResponses } from "../respond/response-operations.ts";
import { statePaths } from "../state-folder.ts";
import type { Naming } from "../subject-names.ts";
import type { KeptTraffic } from "./kept-traffic.ts";
import type { ChangesAnswer, MapAnswer, StoryAnswer } from "./traffic-answers.ts";

export interface TrafficPlace {
  readonly config: Config;
  readonly kept: KeptTraffic;
  readonly clock: Clock;
  readonly crypto: () => LiveDocument;
  readonly named: Naming;
  readonly gatewayId: string;
}

interface TrafficQuestion {
  /** An hour ago if absent. */
  readonly sinceUnixMs?: number;
  readonly untilUnixMs?: number;
  readonly caller?: string;
  readonly server?: string;
}

type Change = ToldChange & { readonly index: number };

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
/** So many points are a line; more is a coarser step. */
const maxPoints = 300;

/** @throws Refusal `bad_message` for times that aren't */
export function toldTraffic({ kept, clock }: TrafficPlace, question: TrafficQuestion): TrafficReport {
  const asked = trafficAsked(question, clock.nowUnixMs());
  const isWhole = asked.caller === undefined && asked.server === undefined;
  return trafficReport({
    ...asked,
    overTime: kept.overTime(asked),
    byRoute: kept.byRoute(asked),
    spreads: isWhole ? kept.spreads(asked) : [],
  });
}

/** In whole steps of the finest resolution that reaches back so far and has few enough of them. */
function trafficAsked(
  { sinceUnixMs, untilUnixMs, caller, server }: TrafficQuestion,
  nowUnixMs: number,
): TrafficAsked {
  const until = Math.min(untilUnixMs ?? nowUnixMs, nowUnixMs);
  const coarsest = resolutions[2];
  const since = Math.max(sinceUnixMs ?? until - hourMs, nowUnixMs - coarsest.keptMs);
  if (since >= until) throw new Refusal("bad_message", "query, since: expected a time before until.");
  const fine = resolutions.find(
    ({ stepMs, keptMs }) => since >= nowUnixMs - keptMs && (until - since) / stepMs <= maxPoints,
  );
  const { stepMs } = fine ?? coarsest;
  return {
    stepMs,
    fromUnixMs: since - (since % stepMs),
    toUnixMs: until + ((stepMs - (until % stepMs)) % stepMs || (until === nowUnixMs ? stepMs : 0)),
    ...(caller !== undefined && { caller }),
    ...(server !== undefined && { server }),
  };
}

export function toldMap(place: TrafficPlace, question: TrafficQuestion): MapAnswer {
  const asked = trafficAsked(question, place.clock.nowUnixMs());
  const { fromUnixMs, toUnixMs } = asked;
  return { fromUnixMs, toUnixMs, ...mapOf(place, asked) };
}

function mapOf({ kept, config, clock, crypto, gatewayId }: TrafficPlace, asked: TrafficAsked): TrafficMap {
  const { state } = config;
  return trafficMap({
    rows: kept.byRoute(asked),
    servers: serversOf(config, crypto()),
    restrictions: listResponses({ config, clock }).map(({ id, action, because, until, scope }) => ({
      id,
      action,
      because,
      until,
      ...(scope.caller !== undefined && { caller: scope.caller }),
      ...(scope.server !== undefined && { server: scope.server }),
    })),
    incidents: listIncidents({ state, clock }, { all: false }).map(({ incident }) => ({
      id: incident.id,
      callers: incident.callers,
      servers: incident.targets.map((target) => target.split("/", 1)[0] ?? target),
    })),
    gateway: gatewayId,
  });
}

function serversOf(config: Config, { servers }: LiveDocument): readonly MapServer[] {
  return [
    ...servers.map(({ name, how, target, local, negotiated }) => ({
      name,
      what: `${how}, ${target}`,
      isLocal: local || how === "stdio",
      isVirtual: false,
      ...(negotiated !== null &&
        negotiated.group !== null && {
          negotiated: {
            group: negotiated.group,
            certificate: negotiated.server_key,
            isHybrid: negotiated.group.includes("MLKEM"),
          },
        }),
    })),
    ...Object.entries(config.virtual_servers).map(([name, { servers: members }]) => ({
      name,
      what: `virtual, of ${members.join(", ")}`,
      isLocal: true,
      isVirtual: true,
    })),
  ];
}

/** @throws Refusal `bad_state` if nothing is known of it */
export function toldStory(place: TrafficPlace, id: string, question: TrafficQuestion): StoryAnswer {
  const nowUnixMs = place.clock.nowUnixMs();
  const about = aboutNode(id);
  const asked = trafficAsked({ sinceUnixMs: nowUnixMs - dayMs, ...question, ...about }, nowUnixMs);
  const map = mapOf(place, asked);
  const node = map.nodes.find((each) => each.id === id);
  if (node === undefined || (node.kind === "caller" && isUnknown(place, about)))
    throw new Refusal("bad_state", `Nothing is known of ${id.slice(0, 300)}.`);
  const peerOf = about.caller === undefined ? "caller" : "server";
  const peers = busiest(place.kept.byRoute(asked), (row) => row[peerOf]);
  return {
    node,
    firstSeenUnixMs: place.kept.firstSeen(about) ?? null,
    traffic: toldTraffic(place, { ...question, ...about, sinceUnixMs: asked.fromUnixMs }),
    links: map.links.filter(({ from, to }) => from === id || to === id),
    peers: peers
      .filter(([name]) => name !== "")
      .map(([name, counted]) => ({
        id: peerOf === "caller" ? callerId(name) : serverId(name),
        name,
        ...counted,
      })),
    changes: changesOf(place, about),
  };
}

function isUnknown({ kept, clock }: TrafficPlace, about: { readonly caller?: string }): boolean {
  const [{ stepMs }] = resolutions;
  const all = { stepMs, fromUnixMs: 0, toUnixMs: clock.nowUnixMs() + dayMs, ...about };
  return kept.firstSeen(about) === undefined && countedIn(kept.byRoute(all)).calls === 0;
}

function aboutNode(id: string): { readonly caller?: string; readonly server?: string } {
  if (id.startsWith("caller:")) return { caller: id.slice("caller:".length) };
  if (id.startsWith("server:")) return { server: id.slice("server:".length) };
  throw new Refusal("bad_message", 'path, id: expected "caller:NAME" or "server:NAME".');
}

const storySearched = 500;
const storyChanges = 50;

function changesOf(
  place: TrafficPlace,
  { caller, server }: { readonly caller?: string; readonly server?: string },
): readonly Change[] {
  const isAbout = ({ principal, facts, tool }: Entry): boolean =>
    caller === undefined
      ? facts["server"] === server || tool?.split("/", 1)[0] === server
      : principal === caller || facts["caller"] === caller || facts["peer"] === caller;
  const asked = { sinceUnixMs: 0, before: Number.MAX_SAFE_INTEGER, limit: storySearched };
  return readChanges(place, asked, isAbout).changes.slice(0, storyChanges);
}

/** @throws Refusal `bad_message` for a cursor that is none */
export function toldChanges(
  place: TrafficPlace,
  {
    sinceUnixMs = place.clock.nowUnixMs() - dayMs,
    limit,
    cursor,
  }: PageAsked & { readonly sinceUnixMs?: number },
): ChangesAnswer {
  const before = cursor === undefined ? Number.MAX_SAFE_INTEGER : Number(cursor);
  if (!Number.isSafeInteger(before)) throw new Refusal("bad_message", "query, cursor: expected one of ours.");
  const { changes, last } = readChanges(place, { sinceUnixMs, before, limit });
  return { sinceUnixMs, items: changes, next: last === undefined ? null : String(last) };
}

/** @returns also the entry of the last one that was looked at, if there may be more */
function readChanges(
  { kept, config, named }: TrafficPlace,
  asked: { readonly sinceUnixMs: number; readonly before: number; readonly limit: number },
  isWanted: (entry: Entry) => boolean = () => true,
): { readonly changes: readonly Change[]; readonly last: number | undefined } {
  const noted = kept.changes(asked);
  const log = openLogBundles(statePaths(config.state).log);
  const changes = noted.flatMap(({ index }): readonly Change[] => {
    const bytes = log.entry(index);
    const reading = bytes === undefined ? undefined : readEntry(bytes);
    if (reading?.kind !== "entry") return [];
    const entry = named(reading.entry);
    const told = isWanted(entry) ? changeInWords(entry) : undefined;
    return told === undefined ? [] : [{ index, ...told }];
  });
  return { changes, last: noted.length < asked.limit ? undefined : noted.at(-1)?.index };
}
