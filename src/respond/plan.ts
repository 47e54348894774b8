/**
 * What playbooks make of signals: which steps, about whom and what. It does nothing; it remembers only what it needs to
 * do no more than is due.
 *
 * INVARIANT: on unproven evidence nothing is planned. What isn't about one caller takes the evidence of two callers, a
 * manifest's, or the gateway's own of a server: one caller alone takes nothing away from others.
 */
import type { FactValues } from "../expr/condition.ts";
import { factTypes } from "../policy/facts.ts";
import { type ActionName, isRestriction, whyNotAbout } from "./actions.ts";
import { type Playbook, signalFacts, type Trigger } from "./playbook.ts";
import type { StepDocument, StepScope } from "./playbook-schema.ts";
import { type Recent, recent } from "./recent.ts";
import type { Scope } from "./restriction.ts";
import type { Signal } from "./signal.ts";

/** One playbook's run. */
export interface Plan {
  readonly playbook: Playbook;
  readonly signal: Signal;
  /** In order; never empty. */
  readonly steps: readonly PlannedStep[];
}

export interface PlannedStep {
  readonly step: StepDocument;
  readonly scope: Scope;
  /** One sentence or more, for those who are refused and for people. */
  readonly because: string;
}

/** Bounded; lost with the process, after which playbooks run again and votes are cast anew. */
export interface PlanMemory {
  readonly counts: Recent;
  readonly runs: Recent;
  readonly votes: Recent;
}

export function planMemory(): PlanMemory {
  return { counts: recent("together"), runs: recent(), votes: recent() };
}

export interface Planning {
  readonly playbooks: readonly Playbook[];
  readonly memory: PlanMemory;
  readonly nowUnixMs: number;
  /** What conditions see of the call; absent where there is none, or nothing is known of it any more. */
  readonly facts?: () => FactValues;
}

/** For how long a caller's evidence against a tool or a server counts beside another's. */
export const votesWithinMs = 3_600_000;

/** In the order of the playbooks; each once, however many of the signals set it off. */
export function plan(signals: readonly Signal[], planning: Planning): readonly Plan[] {
  const counted = signals.filter(({ evidence }) => evidence !== "unproven");
  return planning.playbooks.flatMap((playbook) => {
    const [first] = counted.filter((signal) => setsOff(signal, playbook, planning)).toSorted(worst);
    if (first === undefined) return [];
    const steps = playbook.steps.flatMap((step) => planned(step, first, { playbook, ...planning }) ?? []);
    if (steps.length === 0 || isCooling(playbook, { steps, signal: first }, planning)) return [];
    return [{ playbook, signal: first, steps }];
  });
}

function worst(a: Signal, b: Signal): number {
  return b.score - a.score;
}

function setsOff(signal: Signal, playbook: Playbook, planning: Planning): boolean {
  // Each is asked: a count that another trigger cuts short would begin too late.
  const isDue = playbook.triggers.map((trigger, index) =>
    isTriggered(signal, trigger, { playbook, index, ...planning }),
  );
  return isDue.includes(true) && isWhen(signal, playbook, planning);
}

interface AtTrigger extends Planning {
  readonly playbook: Playbook;
  readonly index: number;
}

function isTriggered(
  signal: Signal,
  trigger: Trigger,
  { playbook, index, memory, nowUnixMs }: AtTrigger,
): boolean {
  if (!trigger.matches(signal)) return false;
  if (trigger.times === 1) return true;
  const { server = "", tool = "" } = trigger.ofTool === true ? signal.about : {};
  const at = { unixMs: nowUnixMs, sinceUnixMs: nowUnixMs - trigger.withinMs, most: trigger.times };
  const owner = JSON.stringify([ownerOf(signal), playbook.name, index]);
  return memory.counts.note(owner, JSON.stringify([server, tool]), at) >= trigger.times;
}

/** Whose name what is remembered stands under. */
function ownerOf({ about }: Signal): string {
  const { caller, user, server = "" } = about;
  if (caller === undefined) return `server ${server}`;
  return user === undefined ? caller : `${caller} for ${user}`;
}

/** As of rules that restrict: a condition that errs, or that nobody can tell, doesn't keep them from counting. */
function isWhen(signal: Signal, { when }: Playbook, { facts }: Planning): boolean {
  if (when === undefined) return true;
  const known = Object.defineProperties({}, Object.getOwnPropertyDescriptors(facts?.() ?? {}));
  const all = Object.assign(known, { signal: signalFacts(signal) });
  return when.evaluate(all, facts === undefined ? factsOfCalls : undefined).kind !== "false";
}

const factsOfCalls: ReadonlySet<string> = new Set(Object.keys(factTypes));

interface AtStep extends Planning {
  readonly playbook: Playbook;
}

function planned(step: StepDocument, signal: Signal, at: AtStep): PlannedStep | undefined {
  const asked = scopes[step.of](signal.about);
  const { scope, note } =
    asked === undefined ? fallback(signal.about) : justified(asked, signal, { ...at, does: step.do });
  if (scope === undefined) return undefined;
  const action = step.do === "cut" && scope.caller === undefined ? "quarantine" : step.do;
  // What can't be narrowed isn't done before it is justified.
  if (note !== undefined && whyNotAbout(action, scope) !== undefined) return undefined;
  const said = [at.playbook.because, signal.says, note].filter((text) => text !== undefined && text !== "");
  return { step: { ...step, do: action }, scope, because: said.join(" ").slice(0, maxBecause) };
}

const maxBecause = 600;

interface Scoped {
  readonly scope: Scope | undefined;
  readonly note?: string;
}

/** Undefined where the signal doesn't say enough. */
const scopes: Readonly<Record<StepScope, (about: Scope) => Scope | undefined>> = {
  caller_tool: (about) => fallback(about).scope,
  session: ({ session, ...about }) => whole({ ...whose(about), session }),
  caller: (about) => whole(whose(about)),
  tool: ({ server, tool }) => whole({ server, tool }),
  server: ({ server }) => whole({ server }),
  peer: (about) => whole(about.caller === undefined ? { server: about.server } : whose(about)),
};

/** INVARIANT: what a client did for a user is about what it does for that user, and for no other. */
function whose({ caller, user }: Scope): { readonly caller: string | undefined; readonly user?: string } {
  return { caller, ...(user !== undefined && { user }) };
}

function whole(parts: { readonly [Name in keyof Scope]: string | undefined }): Scope | undefined {
  return Object.values(parts).includes(undefined) ? undefined : (parts as Scope);
}

/** The caller's use of the tool; of what names none, its session's use of the server. */
function fallback({ caller, user, session, server, tool }: Scope): Scoped {
  if (caller === undefined || server === undefined) return { scope: undefined };
  const own = { caller, ...(user !== undefined && { user }) };
  if (tool !== undefined) return { scope: { ...own, server, tool } };
  return { scope: { ...own, ...(session !== undefined && { session }), server } };
}

/** What the gateway sees of a server by itself, and no caller brings about. */
const gatewaysOwn: ReadonlySet<string> = new Set(["egress", "regression"]);

/** INVARIANT: what is about others too isn't done on the word of one caller. */
function justified(
  scope: Scope,
  { kind, about, chain = [], evidence }: Signal,
  { playbook, does, memory, nowUnixMs }: AtStep & { readonly does: ActionName },
): Scoped {
  const { caller } = about;
  if (scope.caller !== undefined || evidence === "manifest") return { scope };
  // What was seen of a server may be what one caller made it do.
  if (caller === undefined)
    return { scope: gatewaysOwn.has(kind) || !isRestriction(does) ? scope : undefined };
  const sinceUnixMs = nowUnixMs - votesWithinMs;
  const name = JSON.stringify([playbook.name, scope.server, scope.tool]);
  const parties = [...chain, caller];
  memory.votes.note(JSON.stringify(parties), name, { unixMs: nowUnixMs, sinceUnixMs, most: 1 });
  if (memory.votes.owners(name, sinceUnixMs).some((other) => isApart(other, parties))) return { scope };
  const note = "Only for this caller: another one's evidence is needed before it is for all.";
  return { ...fallback(about), note };
}

/** INVARIANT: whoever asks through two clients, and a client that asks for two users, has one voice. */
function isApart(vote: string, parties: readonly string[]): boolean {
  const others: unknown = JSON.parse(vote);
  return Array.isArray(others) && !parties.some((party) => others.includes(party));
}

function scopeText({ caller, user, session, server, tool }: Scope): string {
  return JSON.stringify([caller, user, session, server, tool]);
}

/** It wasn't done after all: the next signal sets it off again. */
export function undone({ playbook, steps, signal }: Plan, { runs }: PlanMemory): void {
  runs.note(ownerOf(signal), runName(playbook.name, steps), { unixMs: 0, sinceUnixMs: 0, most: 1 });
}

function runName(playbook: string, steps: readonly PlannedStep[]): string {
  return JSON.stringify([playbook, ...new Set(steps.map(({ scope }) => scopeText(scope)))]);
}

/** Notes that it runs, if it does. */
function isCooling(
  { name, coolDownMs }: Playbook,
  { steps, signal }: Pick<Plan, "steps" | "signal">,
  { memory, nowUnixMs }: Planning,
): boolean {
  const what = runName(name, steps);
  const last = memory.runs.last(ownerOf(signal), what);
  if (last !== undefined && nowUnixMs - last < coolDownMs) return true;
  memory.runs.note(ownerOf(signal), what, { unixMs: nowUnixMs, sinceUnixMs: 0, most: 1 });
  return false;
}
