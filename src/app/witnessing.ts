/**
 * A sidecar as a witness: at its start and about once a minute it asks its gateway for the newest head of the log.
 * Beside the calls, never in their way. Sidecars that share a state folder share what was witnessed.
 */
import { setTimeout as pause } from "node:timers/promises";

import { type OpenIncident, type WitnessFolder, witnessFolder } from "../host/store/witness-folder.ts";
import { within } from "../host/within.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Log } from "../kernel/log.ts";
import { Refusal } from "../kernel/refusal.ts";
import type { SidecarIdentity } from "./sidecar-identity.ts";
import { statePaths } from "./state-folder.ts";
import { reportOf, type RoundOutcome, witnessRound, witnessSigner } from "./witness-round.ts";
import { withGatewayLog } from "./witness-source.ts";

/** What a sidecar does while an incident of the log is open. */
export const onLogIncidents = ["report", "refuse"] as const;
export type OnLogIncident = (typeof onLogIncidents)[number];

export interface Witness {
  /** What nobody accepted yet. */
  readonly incident: () => OpenIncident | undefined;
  /** A call that was sent then was carried out, so there must soon be a newer head. @param atMs of `performance.now` */
  readonly called: (atMs: number) => void;
  /** Called when an incident was found, or accepted. */
  readonly onChange: (act: () => void) => void;
  readonly stop: () => Promise<void>;
}

export interface WitnessOptions {
  readonly identity: SidecarIdentity;
  readonly state: string;
  readonly clock: Clock;
  readonly log: Log;
  /** A minute by default. */
  readonly everyMs?: number;
  /** How long one look at the log may take; 50 seconds by default. */
  readonly lookMs?: number;
  /** How long calls may be carried out without a newer head; 15 minutes by default. */
  readonly freezeAfterMs?: number;
}

const defaultEveryMs = 60_000;
/** A head comes within seconds of a call (`longestHeadPauseMs`); this is for gateways that are short of disk. */
const defaultFreezeAfterMs = 15 * 60_000;
const stopMs = 2000;

/** Never fails for a gateway that is away. @throws Refusal `bad_state` if what was witnessed can't be read */
export async function startWitness(options: WitnessOptions): Promise<Witness> {
  const store = witnessFolder(statePaths(options.state).witness);
  const over = new AbortController();
  const watch: Watch = { ...options, store, signal: over.signal };
  let open = await store.open();
  let changed: () => void = () => {};
  const growth = growthWatch(await headText(store));
  const telling = tellingOnce(watch);
  const see = async (): Promise<void> => {
    const before = open?.file;
    open = await store.open();
    if (open?.file !== before) changed();
    // A gateway that doesn't want to hear it delays nothing else.
    if (open !== undefined) await telling.incident(open);
  };
  const rest = (): Promise<void> => rested(watch);
  const goOn = async (): Promise<void> => {
    for (let isFirst = true; !watch.signal.aborted; isFirst = false) {
      try {
        if (await isDue(watch, isFirst)) telling.outcome(await lookOnce(watch));
        growth.looked(await headText(store));
      } catch (error) {
        growth.failed();
        telling.failed(error);
      }
      await see().catch(telling.failed);
      await rest();
    }
  };
  // On a clock of its own: what stands still is told whatever a look is waiting for.
  const judge = async (): Promise<void> => {
    for (; !watch.signal.aborted; await rest()) {
      if (!growth.isFrozenFor(options.freezeAfterMs ?? defaultFreezeAfterMs)) continue;
      await reportFrozen(watch).then(growth.reported, telling.failed);
      await see().catch(telling.failed);
    }
  };
  const going = Promise.all([goOn(), judge()]);
  return {
    incident: () => open,
    called: growth.called,
    onChange: (act) => (changed = act),
    stop: async () => {
      over.abort();
      await within(going, stopMs);
    },
  };
}

/** @throws Refusal `log_incident` while one is open, where calls are to be refused then */
export function refuseOnIncident(witness: Witness | undefined, mode: OnLogIncident | undefined): void {
  const incident = mode === "refuse" ? witness?.incident() : undefined;
  if (incident === undefined) return;
  throw new Refusal("log_incident", `No calls while this is open: ${whatToDo(incident)}`, {
    facts: { kind: incident.what },
  });
}

export function whatToDo({ what, says, file }: OpenIncident): string {
  return `the gateway's audit log isn't the one seen before (${what}). ${says} Evidence: ${file}. Look at it, then run "latticegate audit witness accept".`;
}

interface Watch extends WitnessOptions {
  readonly store: WitnessFolder;
  readonly signal: AbortSignal;
}

/** At a start always; else unless another process that shares the folder just did, or is at it. */
async function isDue({ store, clock, everyMs = defaultEveryMs }: Watch, isFirst: boolean): Promise<boolean> {
  if (store.isBusy()) return false;
  return isFirst || Math.abs(clock.nowUnixMs() - (await store.askedUnixMs())) > everyMs / 2;
}

async function lookOnce({ identity, store, clock, signal, lookMs }: Watch): Promise<RoundOutcome> {
  const signer = await witnessSigner(identity.keys, identity.trustDomain);
  const asking = { signal, ...(lookMs !== undefined && { withinMs: lookMs }) };
  return await withGatewayLog(identity, asking, (source) => witnessRound({ store, source, signer, clock }));
}

async function rested({ everyMs = defaultEveryMs, signal }: Watch): Promise<void> {
  await pause(jittered(everyMs), undefined, { signal, ref: false }).catch(() => undefined);
}

/** Each thing once: what is open, and what keeps it from looking. */
function tellingOnce({ identity, log, signal }: Watch): {
  readonly incident: (incident: OpenIncident) => Promise<void>;
  readonly outcome: (outcome: RoundOutcome) => void;
  readonly failed: (error: unknown) => void;
} {
  let [told, reported, failure] = ["", "", ""];
  let failures = 0;
  const failed = (error: unknown): void => {
    const reason = error instanceof Error ? error.message : "unknown";
    failures += 1;
    // A gateway that is being restarted fails once; what fails twice in a row is told, and told once.
    if (signal.aborted || failures < 2 || failure === reason) return;
    failure = reason;
    log.warn("witness.failed", { reason });
  };
  return {
    failed,
    outcome: (outcome) => {
      if (outcome.kind === "unreadable") failed(new Error(outcome.says));
      if (outcome.kind !== "consistent") return;
      const { head, cosigned } = outcome;
      if (cosigned.kind === "refused") failed(new Error(cosigned.why));
      else [failure, failures] = ["", 0];
      log.debug("witness.head", { size: head.size, cosigned: cosigned.kind });
    },
    incident: async (incident) => {
      const { what, file } = incident;
      if (told !== file) log.error("log.incident", { kind: what, says: whatToDo(incident) });
      told = file;
      if (reported === file) return;
      await withGatewayLog(identity, { signal }, async ({ report }) => report?.(reportOf(incident)));
      reported = file;
    },
  };
}

/** While the log can't be asked, calls alone tell that its gateway is there. */
const failuresThatTell = 3;

/**
 * Whether heads stand still although calls are carried out. Only a call that was sent after the newest head was taken
 * tells: its entry can't be under that head. A gateway that is away isn't one that holds heads back.
 */
function growthWatch(first: string | undefined): GrowthWatch {
  let newest = first;
  let takenMs = performance.now();
  let waiting: { readonly sinceMs: number; lastSignMs: number } | undefined;
  let failures = 0;
  return {
    looked: (text) => {
      const isNewer = text !== newest;
      newest = text;
      failures = 0;
      if (isNewer) takenMs = performance.now();
      if (isNewer) waiting = undefined;
      else if (waiting !== undefined) waiting.lastSignMs = performance.now();
    },
    failed: () => void failures++,
    called: (atMs) => {
      if (atMs > takenMs) waiting ??= { sinceMs: atMs, lastSignMs: atMs };
      if (waiting !== undefined && failures >= failuresThatTell) waiting.lastSignMs = atMs;
    },
    isFrozenFor: (ms) => {
      // Who never saw a head has nothing that could stand still.
      return newest !== undefined && waiting !== undefined && waiting.lastSignMs - waiting.sinceMs > ms;
    },
    reported: () => (waiting = undefined),
  };
}

interface GrowthWatch extends Pick<Witness, "called"> {
  /** The newest head that is kept, after the log was asked. */
  readonly looked: (text: string | undefined) => void;
  readonly failed: () => void;
  /** It then waits anew. */
  readonly reported: () => void;
  readonly isFrozenFor: (ms: number) => boolean;
}

async function reportFrozen({ store, clock }: Watch): Promise<void> {
  await store.alone(async () => {
    if ((await store.open()) !== undefined) return;
    const kept = (await store.checkpoint()) ?? new Uint8Array();
    await store.report({
      what: "frozen",
      atUnixMs: clock.nowUnixMs(),
      says: "Calls are carried out, but no head of the log covers them: it isn't written any more, or newer heads are held back.",
      kept,
      shown: new Uint8Array(),
      proof: [],
      keys: "",
      keptSignedBy: "",
      shownSignedBy: "",
    });
  });
}

async function headText(store: WitnessFolder): Promise<string | undefined> {
  const bytes = await store.checkpoint();
  return bytes === undefined ? undefined : Buffer.from(bytes).toString("utf8");
}

/** So that sidecars started together don't ask together. */
function jittered(ms: number): number {
  return ms * (0.9 + Math.random() * 0.2);
}
