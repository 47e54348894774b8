/** What the control room tells of traffic: over time, as a map, of one caller or server, and what changed. */
import type { Entry } from "../../audit/entry.ts";
import { changeInWords, type ToldChange } from "../../control/changes-in-words.ts";
import type { PageAsked } from "../../control/paging.ts";
import {
  callerId,
  type MapServer,
  serverId,
  type TrafficMap,
  trafficMap,
} from "../../control/traffic-map.ts";
import { minuteMs } from "../../control/traffic.ts";
import { busiest, countedIn, type TrafficReport, trafficReport } from "../../control/traffic-report.ts";
import { resolutions } from "../../host/store/state-traffic.ts";
import type { ChangesAsked, TrafficAsked } from "../../host/store/traffic-reader.ts";
import type { Clock } from "../../kernel/clock.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { Config } from "../config.ts";
import type { LiveDocument } from "../crypto/live-document.ts";
import { listIncidents } from "../respond/incident-operations.ts";
import { listResponses } from "../respond/response-operations.ts";
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
/** So many points are a line; more is a coarser step: whole hours at last. */
const maxPoints = 300;

/** @throws Refusal `bad_message` for times that aren't */
export async function toldTraffic(
  { kept, clock }: TrafficPlace,
  question: TrafficQuestion,
): Promise<TrafficReport> {
  const asked = trafficAsked(question, clock.nowUnixMs());
  const isWhole = asked.caller === undefined && asked.server === undefined;
  const [overTime, byRoute, spreads] = await Promise.all([
    kept.overTime(asked),
    kept.byRoute(asked),
    isWhole ? kept.spreads(asked) : [],
  ]);
  return trafficReport({ ...asked, overTime, byRoute, spreads });
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
  const hours = Math.ceil((until - since) / coarsest.stepMs / maxPoints);
  const stepMs = fine?.stepMs ?? coarsest.stepMs * hours;
  return {
    stepMs,
    fromUnixMs: since - (since % stepMs),
    toUnixMs: until + ((stepMs - (until % stepMs)) % stepMs || (until === nowUnixMs ? stepMs : 0)),
    ...(caller !== undefined && { caller }),
    ...(server !== undefined && { server }),
  };
}

export async function toldMap(place: TrafficPlace, question: TrafficQuestion): Promise<MapAnswer> {
  const asked = trafficAsked(question, place.clock.nowUnixMs());
  const { fromUnixMs, toUnixMs } = asked;
  return { fromUnixMs, toUnixMs, ...(await mapOf(place, asked)) };
}

async function mapOf(
  { kept, config, clock, crypto, gatewayId }: TrafficPlace,
  asked: TrafficAsked,
): Promise<TrafficMap> {
  const { state } = config;
  return trafficMap({
    rows: await kept.byRoute(asked),
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
export async function toldStory(
  place: TrafficPlace,
  id: string,
  question: TrafficQuestion,
): Promise<StoryAnswer> {
  const nowUnixMs = place.clock.nowUnixMs();
  const about = aboutNode(id);
  const asked = trafficAsked({ sinceUnixMs: nowUnixMs - dayMs, ...question, ...about }, nowUnixMs);
  const map = await mapOf(place, asked);
  const node = map.nodes.find((each) => each.id === id);
  const firstSeenUnixMs = await place.kept.firstSeen(about);
  const isUnknown = node?.kind === "caller" && firstSeenUnixMs === undefined && !(await isSeen(place, about));
  if (node === undefined || isUnknown)
    throw new Refusal("bad_state", `Nothing is known of ${id.slice(0, 300)}.`);
  const peerOf = about.caller === undefined ? "caller" : "server";
  const peers = busiest(await place.kept.byRoute(asked), (row) => row[peerOf]);
  return {
    node,
    firstSeenUnixMs: firstSeenUnixMs ?? null,
    traffic: await toldTraffic(place, { ...question, ...about, sinceUnixMs: asked.fromUnixMs }),
    links: map.links.filter(({ from, to }) => from === id || to === id),
    peers: peers
      .filter(([name]) => name !== "")
      .map(([name, counted]) => ({
        id: peerOf === "caller" ? callerId(name) : serverId(name),
        name,
        ...counted,
      })),
    changes: await changesOf(place, about),
  };
}

/** Of what isn't written down yet. */
async function isSeen({ kept, clock }: TrafficPlace, about: { readonly caller?: string }): Promise<boolean> {
  const [{ stepMs }] = resolutions;
  const lately = { stepMs, fromUnixMs: clock.nowUnixMs() - hourMs, toUnixMs: clock.nowUnixMs() + dayMs };
  return countedIn(await kept.byRoute({ ...lately, ...about })).calls > 0;
}

function aboutNode(id: string): { readonly caller?: string; readonly server?: string } {
  if (id.startsWith("caller:")) return { caller: id.slice("caller:".length) };
  if (id.startsWith("server:")) return { server: id.slice("server:".length) };
  throw new Refusal("bad_message", 'path, id: expected "caller:NAME" or "server:NAME".');
}

const storySearched = 500;
const storyChanges = 50;

async function changesOf(
  place: TrafficPlace,
  { caller, server }: { readonly caller?: string; readonly server?: string },
): Promise<readonly Change[]> {
  const isAbout = ({ principal, facts, tool }: Entry): boolean =>
    caller === undefined
      ? facts["server"] === server || tool?.split("/", 1)[0] === server
      : principal === caller || facts["caller"] === caller || facts["peer"] === caller;
  const asked = { sinceUnixMs: 0, before: Number.MAX_SAFE_INTEGER, limit: storySearched };
  return (await readChanges(place, asked, isAbout)).changes.slice(0, storyChanges);
}

/** @throws Refusal `bad_message` for a cursor that is none */
export async function toldChanges(
  place: TrafficPlace,
  { sinceUnixMs = yesterday(place), limit, cursor }: PageAsked & { readonly sinceUnixMs?: number },
): Promise<ChangesAnswer> {
  const before = cursor === undefined ? Number.MAX_SAFE_INTEGER : Number(cursor);
  if (!Number.isSafeInteger(before)) throw new Refusal("bad_message", "query, cursor: expected one of ours.");
  const { changes, last } = await readChanges(place, { sinceUnixMs, before, limit });
  return { sinceUnixMs, items: changes, next: last === undefined ? null : String(last) };
}

/** In whole minutes: who asks again has the same answer. */
function yesterday({ clock }: TrafficPlace): number {
  const at = clock.nowUnixMs() - dayMs;
  return at - (at % minuteMs);
}

/** @returns also the entry of the last one that was looked at, if there may be more */
async function readChanges(
  { kept, named }: TrafficPlace,
  asked: ChangesAsked,
  isWanted: (entry: Entry) => boolean = () => true,
): Promise<{ readonly changes: readonly Change[]; readonly last: number | undefined }> {
  const noted = await kept.changes(asked);
  const changes = noted.flatMap(({ index, entry: written }): readonly Change[] => {
    if (written === undefined) return [];
    const entry = named(written);
    const told = isWanted(entry) ? changeInWords(entry) : undefined;
    return told === undefined ? [] : [{ index, ...told }];
  });
  return { changes, last: noted.length < asked.limit ? undefined : noted.at(-1)?.index };
}
