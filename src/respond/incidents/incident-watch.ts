/**
 * Makes incidents of what is found, while entries come: what has one cause is one incident, what a model says is told as
 * far as the budget goes, what a rule says always is. Memory is bounded whatever comes; what is held back is told apart.
 */
import type { EntryDraft } from "../../model/entry.ts";
import { signalKind } from "../signal-kinds.ts";
import type { Signal } from "../signal.ts";
import { signalsOf } from "../signals-of-entry.ts";
import type { AlertBudget } from "./alert-budget.ts";
import { type CauseKeys, causeKeys } from "./cause-keys.ts";
import { deniedRate } from "./denied-rate.ts";
import { emptyIncident, type Incident, manyOf, type Moment, withDone, withSignal } from "./incident.ts";
import { OpenIncidents } from "./open-incidents.ts";
import { recently } from "./recently.ts";
import { responseIn } from "./response-moment.ts";
import { type Suppression, suppressionOf } from "./suppression.ts";

export interface WatchTerms {
  readonly budget: AlertBudget;
  /** From here on a signal is an incident by itself. */
  readonly leastScore: number;
  /** An incident that nothing was added to for so long is over. */
  readonly quietMs: number;
  /** A new incident's; unique for ever. */
  readonly newId: () => string;
}

/** A model's signal that there was no room for. */
export interface HeldBack {
  readonly signal: Signal;
  /** From which score on one would have been told. */
  readonly threshold: number;
  readonly why: "score" | "budget" | "room";
}

/** What became of an entry. */
export interface Told {
  readonly opened: readonly Incident[];
  readonly changed: readonly Incident[];
  readonly heldBack: readonly HeldBack[];
  /** By whose suppression nothing was made of something. */
  readonly suppressed: readonly Suppression[];
}

/** A person reads some dozens; beyond, what a rule sees is one incident a kind. */
const maxOpen = 512;
/** Of one caller alone, beyond which what is found of it is one more: nobody uses up others' room. */
const maxOfCaller = 5;
/** Weak signals are kept for what may come of them: of so many sessions, so many each. */
const maxTrails = 2000;
const maxTrail = 8;
const trailFrom = 0.3;
/** What was done just before the entry that shows why. */
const maxDoneBefore = 256;
/** Below, a model says nothing worth a line. */
const leastTold = 0.2;

export class IncidentWatch {
  readonly #terms: WatchTerms;
  readonly #open: OpenIncidents;
  readonly #trails = recently<string, readonly Signal[]>(maxTrails);
  readonly #doneBefore: Moment[] = [];
  readonly #denials = deniedRate();
  readonly #past = recently<string, Past>(maxTrails);
  #suppressions: readonly Suppression[] = [];

  constructor(terms: WatchTerms, known: readonly Incident[] = []) {
    this.#terms = terms;
    this.#open = new OpenIncidents(known);
  }

  get open(): ReadonlyMap<string, Incident> {
    return this.#open.all;
  }

  see(entry: EntryDraft, nowUnixMs: number): Told {
    const told: Telling = { opened: new Set(), changed: new Set(), heldBack: [], suppressed: [] };
    this.#seeResponse(entry, told);
    this.#count(entry, nowUnixMs);
    const signals = [...signalsOf(entry), ...this.#denials.see(entry, nowUnixMs)];
    const isDestructive = signals.some(({ kind }) => kind === "finding destructive");
    for (const signal of signals) {
      // Of a session's risk there was a call whose risk it was.
      if (signal.kind === "risk.session") continue;
      const suppression = suppressionOf(signal, this.#suppressions, { isDestructive, nowUnixMs });
      if (suppression !== undefined) told.suppressed.push(suppression);
      else this.#take(signal, nowUnixMs, told);
    }
    const now = (ids: ReadonlySet<string>): readonly Incident[] =>
      [...ids].flatMap((id) => this.#open.all.get(id) ?? []);
    const changed = new Set([...told.changed].filter((id) => !told.opened.has(id)));
    return { ...told, opened: now(told.opened), changed: now(changed) };
  }

  /** Those that nothing was added to for so long; they aren't known any more. */
  quiet(nowUnixMs: number): readonly Incident[] {
    const { quietMs } = this.#terms;
    const over = [...this.open.values()].filter(({ lastUnixMs }) => lastUnixMs + quietMs <= nowUnixMs);
    for (const { id } of over) this.#open.drop(id);
    return over;
  }

  /** A person closed it. */
  drop(id: string): void {
    this.#open.drop(id);
  }

  suppress(all: readonly Suppression[]): void {
    this.#suppressions = all;
  }

  /** Nothing names these callers any more. */
  forget(callers: readonly string[]): void {
    const gone = new Set(callers);
    for (const caller of gone) this.#past.delete(caller);
    for (const [key, trail] of this.#trails.entries())
      if (trail.some(({ about }) => about.caller !== undefined && gone.has(about.caller)))
        this.#trails.delete(key);
    this.#doneBefore.splice(0);
    this.#open.forget(gone);
  }

  #take(signal: Signal, nowUnixMs: number, told: Telling): void {
    const crowded = this.#isCrowded(signal);
    const isFull = !crowded && this.open.size >= maxOpen;
    const keys = crowded ? manyOfCaller(signal) : isFull ? many(signal) : causeKeys(signal);
    const joined = this.#open.first(keys.joins);
    if (joined !== undefined) {
      if (signal.score >= leastTold || signal.isHard) this.#add(joined, { signal, keys }, told);
      return;
    }
    const verdict = this.#judged(signal, nowUnixMs, isFull);
    if (verdict === "open") told.opened.add(this.#begin(signal, keys, nowUnixMs));
    else this.#keep(signal, keys);
    if (typeof verdict === "string") return;
    told.heldBack.push(verdict);
    if (verdict.why === "score") return;
    // INVARIANT: what there is no room for is one incident more: nobody hides behind others' noise.
    const together = this.#open.first(many(signal).offers);
    if (together === undefined) told.opened.add(this.#begin(signal, many(signal), nowUnixMs));
    else this.#add(together, { signal, keys: many(signal) }, told);
  }

  /** Whether its caller has as many incidents of its own as one may. INVARIANT: what nobody proved fills nobody's. */
  #isCrowded({ about: { caller }, evidence }: Signal): boolean {
    if (caller === undefined || evidence === "unproven") return false;
    let own = 0;
    for (const { callers } of this.open.values()) if (callers.length === 1 && callers[0] === caller) own += 1;
    return own >= maxOfCaller;
  }

  #add(
    incident: Incident,
    { signal, keys }: { readonly signal: Signal; readonly keys: CauseKeys },
    told: Telling,
  ): void {
    this.#open.put(withSignal(incident, signal, keys.offers));
    told.changed.add(incident.id);
  }

  /** What is worth an incident; why not, of a model's that isn't. */
  #judged(signal: Signal, nowUnixMs: number, isFull: boolean): "open" | "leave" | HeldBack {
    const { leastScore, budget } = this.#terms;
    const { score, isHard } = signal;
    if (score < leastScore) return "leave";
    if (isHard) return "open";
    const threshold = budget.threshold(nowUnixMs);
    // However many sessions somebody begins that do nothing: what is that odd is part of an incident at least.
    if (score < threshold) return { signal, threshold, why: score >= neverUntold ? "budget" : "score" };
    if (isFull) return { signal, threshold, why: "room" };
    if (!budget.hasRoom(nowUnixMs)) return { signal, threshold, why: "budget" };
    budget.spend(nowUnixMs);
    return "open";
  }

  /** With what was seen of its cause before, and what was done already. */
  #begin(signal: Signal, keys: CauseKeys, nowUnixMs: number): string {
    const { newId, quietMs } = this.#terms;
    const id = newId();
    const begun = emptyIncident(
      id,
      nowUnixMs,
      normalOf(this.#past.get(signal.about.caller ?? ""), nowUnixMs),
    );
    const before = keys.joins
      .flatMap((key) => this.#trails.get(key) ?? [])
      .filter(({ atUnixMs }) => atUnixMs > nowUnixMs - quietMs)
      .reduce((all, each) => withSignal(all, each, causeKeys(each).offers), begun);
    const opened = withSignal(before, signal, keys.offers);
    const callIds = new Set(opened.timeline.map(({ callId }) => callId));
    const done = this.#doneBefore.filter(({ callId }) => callIds.has(callId));
    this.#open.put(done.reduce(withDone, opened));
    return id;
  }

  /** For what may come of it. */
  #keep(signal: Signal, { joins }: CauseKeys): void {
    const key = joins.find((each) => each.startsWith("session "));
    if (key === undefined || signal.score < trailFrom) return;
    this.#trails.set(key, [...(this.#trails.get(key) ?? []), signal].slice(-maxTrail));
  }

  #seeResponse(entry: EntryDraft, told: Telling): void {
    const response = responseIn(entry);
    if (response === undefined) return;
    const { about, moment } = response;
    const found = this.#open.first(about) ?? this.#open.ofCall(moment.callId);
    if (found === undefined) {
      this.#doneBefore.push(moment);
      if (this.#doneBefore.length > maxDoneBefore) this.#doneBefore.shift();
      return;
    }
    this.#open.put(withDone(found, moment));
    told.changed.add(found.id);
  }

  /** A session that nothing is seen of is one more that isn't odd. */
  #count({ event, principal, facts }: EntryDraft, nowUnixMs: number): void {
    const risk = Number(facts["risk"] ?? Number.NaN);
    if (event !== "call.decision" || Number.isNaN(risk)) return;
    this.#terms.budget.see({ caller: principal, session: facts["session"] ?? "" }, risk, nowUnixMs);
    const before = this.#past.get(principal) ?? { calls: 0, odd: 0, sinceUnixMs: nowUnixMs };
    const odd = before.odd + (risk >= trailFrom ? 1 : 0);
    this.#past.set(principal, { ...before, calls: before.calls + 1, odd });
  }
}

/** One honest session in a thousand has it. */
const neverUntold = 0.9;

interface Past {
  readonly calls: number;
  readonly odd: number;
  readonly sinceUnixMs: number;
}

interface Telling {
  readonly opened: Set<string>;
  readonly changed: Set<string>;
  readonly heldBack: HeldBack[];
  readonly suppressed: Suppression[];
}

/** Where one caller has too many, all that is found of it from then on is one incident. */
function manyOfCaller(signal: Signal): CauseKeys {
  const key = `${manyOf}${signal.about.caller ?? ""}`;
  return { joins: [...causeKeys(signal).joins, key], offers: [key] };
}

/** Where there are too many, those of one kind are one incident. */
function many(signal: Signal): CauseKeys {
  const key = `many ${signalKind(signal.kind).kind}`;
  return { joins: [...causeKeys(signal).joins, key], offers: [key] };
}

function normalOf(past: Past | undefined, nowUnixMs: number): string {
  // The call itself is counted.
  if (past === undefined || past.calls < 2) return "";
  const hours = Math.max(1, Math.round((nowUnixMs - past.sinceUnixMs) / 3_600_000));
  const odd = Math.max(0, past.odd - 1);
  const were = odd === 0 ? "none was odd" : `${odd} ${odd === 1 ? "was" : "were"} odd`;
  const calls = past.calls === 2 ? "1 call" : `${past.calls - 1} calls`;
  return `Before, ${calls} of this caller in ${hours === 1 ? "an hour or less" : `${hours} hours`}: ${were}.`;
}
