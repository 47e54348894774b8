/** The day: every distinct benign session through the gateway, and the attacks among them; and what came of it, as a table. */
import { seededRandom } from "../../../src/kernel/seeded-random.ts";
import type { RecordedSession } from "../../../src/app/detect/calls/sessions.ts";
import type { Incident } from "../../../src/respond/incidents/incident.ts";
import { table } from "../../../src/cli/table.ts";
import type { Cleanup } from "../cleanup.ts";
import { type Attack, type AttackKind, recordedPuppets, replayed, scriptedAttacks } from "./attacks.ts";
import { house, type House } from "./house.ts";
import type { Recordings } from "./recorded-sessions.ts";

/** Of each suite so many goals of attackers. */
const puppetsEach = 20;
/** Agents that work at once. */
const atOnce = 4;

export interface AttackRow {
  readonly kind: string;
  readonly seenBy: string;
  readonly sessions: number;
  readonly attacks: number;
  readonly incidents: readonly Incident[];
  readonly isRecorded: boolean;
  /** Harmful writes that were refused; that went through before the incident, and after it. */
  readonly refused: number;
  readonly before: number;
  readonly after: number;
}

export interface Day {
  readonly rows: readonly AttackRow[];
  readonly benign: {
    readonly runs: number;
    readonly sessions: number;
    readonly calls: number;
    readonly refused: number;
    readonly incidents: readonly Incident[];
    readonly budget: number;
  };
}

export async function attackDay(t: Cleanup, { benign, benignRuns, attacks }: Recordings): Promise<Day> {
  const kinds = [...recordedPuppets(attacks, puppetsEach), ...scriptedAttacks];
  const suites = [...new Set(benign.map(({ suite }) => suite))];
  const at = await house(t, [...suites.map(serverOf), ...kinds.flatMap(({ servers }) => servers)]);
  const agents = new Map(
    await Promise.all(suites.map(async (suite) => [suite, await at.agent(`work-${suite}`)] as const)),
  );
  let refused = 0;
  const went = new Map<AttackKind, Attack>();
  const work = async (session: RecordedSession): Promise<void> => {
    const agent = agents.get(session.suite);
    if (agent === undefined) throw new Error(`nobody works on ${session.suite}`);
    const harmless = { ...session, calls: session.calls.map((call) => ({ ...call, isHarmful: true })) };
    refused += (await replayed(agent, serverOf(session.suite), harmless)).filter(
      ({ isRefused }) => isRefused,
    ).length;
  };
  const jobs = shuffled([
    ...benign.map((session) => () => work(session)),
    ...kinds.map((kind) => async () => void went.set(kind, await kind.run(at))),
  ]);
  await inTurns(jobs);
  await at.gateway.stop(); // What was only counted so far is written.
  return dayOf(
    at,
    { kinds, went },
    {
      runs: benignRuns,
      sessions: benign.length,
      calls: benign.reduce((sum, { calls }) => sum + calls.length, 0),
      refused,
    },
  );
}

function serverOf(suite: string): string {
  return `of-${suite}`;
}

async function inTurns(jobs: readonly (() => Promise<void>)[]): Promise<void> {
  const waiting = [...jobs];
  const worker = async (): Promise<void> => {
    for (let job = waiting.shift(); job !== undefined; job = waiting.shift()) await job();
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

function shuffled<T>(all: readonly T[]): readonly T[] {
  const random = seededRandom(12);
  return all
    .map((each) => [random(), each] as const)
    .toSorted(([a], [b]) => a - b)
    .map(([, each]) => each);
}

function dayOf(
  at: House,
  { kinds, went }: { readonly kinds: readonly AttackKind[]; readonly went: ReadonlyMap<AttackKind, Attack> },
  worked: Omit<Day["benign"], "incidents" | "budget">,
): Day {
  const incidents = at.incidents();
  const isOf = (incident: Incident, { place }: AttackKind): boolean =>
    [...incident.callers, ...incident.targets, ...incident.sources].some((name) =>
      new RegExp(`^(?:spiffe://[^/]+/agent/)?${place}(?![a-z0-9])`).test(name),
    );
  const each = kinds.map((kind) =>
    rowOf(
      kind,
      went.get(kind),
      incidents.filter((one) => isOf(one, kind)),
    ),
  );
  const rows = [...Map.groupBy(each, ({ kind }) => kind).values()].map(summed);
  const others = incidents.filter((incident) => !kinds.some((kind) => isOf(incident, kind)));
  const { per_day: budget } = at.gateway.config.response.incidents;
  return { rows, benign: { ...worked, incidents: others, budget } };
}

function rowOf(
  { kind, seenBy, sessions, isRecorded }: AttackKind,
  attack: Attack | undefined,
  incidents: readonly Incident[],
): AttackRow {
  const harmful = attack?.harmful ?? [];
  const seenUnixMs = Math.min(...incidents.map(({ openedUnixMs }) => openedUnixMs));
  const through = harmful.filter(({ isRefused }) => !isRefused);
  const after = through.filter(({ startedUnixMs }) => startedUnixMs >= seenUnixMs).length;
  return {
    kind,
    seenBy,
    sessions,
    attacks: 1,
    incidents,
    isRecorded: isRecorded === true,
    refused: harmful.length - through.length,
    before: through.length - after,
    after,
  };
}

function summed(rows: readonly AttackRow[]): AttackRow {
  const [first] = rows;
  if (first === undefined) throw new Error("no row");
  const sum = (of: (row: AttackRow) => number): number => rows.reduce((all, row) => all + of(row), 0);
  return {
    ...first,
    sessions: sum((row) => row.sessions),
    attacks: rows.length,
    incidents: rows.flatMap((row) => row.incidents),
    before: sum((row) => row.before),
    refused: sum((row) => row.refused),
    after: sum((row) => row.after),
  };
}

/** For people who ask how it went. */
export function tableOf({ rows, benign }: Day): readonly string[] {
  const head = [
    "attack",
    "seen by",
    "sessions",
    "attacks",
    "incidents",
    "writes refused",
    "through before it was seen",
    "after",
    "first finding",
  ];
  const lines = rows.map(({ kind, seenBy, sessions, attacks, incidents, refused, before, after }) => [
    kind,
    seenBy,
    ...[sessions, attacks, incidents.length, refused, before, after].map(String),
    [...new Set(incidents.map(({ kinds }) => Object.keys(kinds)[0] ?? ""))].join(", "),
  ]);
  const { runs, sessions, calls, refused, incidents, budget } = benign;
  return [
    ...table([head, ...lines], ""),
    "",
    `benign: ${sessions} distinct sessions (of ${runs} runs), ${calls} calls, ${refused} refused; ${incidents.length} incidents, budget ${budget} a day`,
    ...incidents.map(({ title }) => `  ${title}`),
    "The model of calls learned from these benign sessions and recorded puppets; on suites it never saw it sees less (docs/detection.md).",
  ];
}
