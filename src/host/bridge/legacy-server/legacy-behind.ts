/** A legacy server for modern clients: each link is what one caller asks, whatever its clients' selves. */
import { clientSelfIn, inputResponsesIn, logLevelIn, modernVersion } from "../../../bridge/requests.ts";
import { discovered } from "../../../bridge/legacy-server/discovered.ts";
import {
  askedIn,
  openState,
  stateRefused,
  type StateOwner,
} from "../../../bridge/legacy-server/request-state.ts";
import { filterIn, maxUris } from "../../../bridge/legacy-server/subscription-filter.ts";
import type { Journaled } from "../../../gate/call.ts";
import { utf8 } from "../../../kernel/bytes.ts";
import { Refusal } from "../../../kernel/refusal.ts";
import { holderOf } from "../../../model/caller.ts";
import { readFrame, type RequestFrame, type RequestId, tryReadFrame } from "../../../wire/frame.ts";
import { tolerantScanLimits } from "../../../wire/json-scan.ts";
import { memberOf, valueAt } from "../../../wire/values.ts";
import { flowGate } from "../../link/flow-gate.ts";
import type { Link, LinkEvents } from "../../link/link.ts";
import { AskedCall, type Waiting } from "./asked-call.ts";
import { asRefusal } from "../as-refusal.ts";
import type { Behind, BehindOptions } from "../behind.ts";
import { type ParkedCalls, parkedCalls } from "./parked-calls.ts";
import { type PooledSession, sessionPool } from "./session-pool.ts";
import type { Listener } from "./subscriptions.ts";

export interface LegacyBehindOptions extends BehindOptions {
  /** Seals what clients of parked calls carry; 32 bytes. */
  readonly stateKey: Uint8Array;
}

/** Methods that the modern era hasn't (any more), and tasks, which are another protocol there. */
const unknownMethods: ReadonlySet<string> = new Set([
  "initialize",
  "ping",
  "logging/setLevel",
  "resources/subscribe",
  "resources/unsubscribe",
  "tasks/get",
  "tasks/list",
  "tasks/result",
  "tasks/update",
  "tasks/cancel",
]);

/** Of one caller, parked ones not counted. */
const maxUnderWay = 256;

export function legacyBehind(options: LegacyBehindOptions): Behind {
  const parked = parkedCalls();
  return (events) => legacyLink({ options, parked, events });
}

interface LinkParts {
  readonly options: LegacyBehindOptions;
  readonly parked: ParkedCalls;
  readonly events: LinkEvents;
}

/** What a client waits for. */
interface UnderWay {
  readonly giveUp: () => void;
}

function legacyLink(parts: LinkParts): Link {
  const { options, events } = parts;
  const flow = flowGate();
  const pool = sessionPool(options);
  const underWay = new Map<RequestId, UnderWay>();
  const serving = { ...parts, flow, pool, underWay };
  return {
    send: (message, call) => {
      const frame = call?.frame?.bytes === message ? call.frame : tryReadFrame(message);
      if (frame?.kind === "notification" && frame.method === "notifications/cancelled") {
        const id = frame.params?.requestId;
        if (id !== undefined) underWay.get(id)?.giveUp();
      }
      if (frame?.kind !== "request" || call === undefined) return;
      if (underWay.size >= maxUnderWay)
        throw new Refusal("busy", "Too many calls of this caller are under way; let one finish first.");
      // Never within `send`: who sent it isn't ready for an answer yet.
      const served = Promise.resolve().then(async () => serve(frame, call, serving));
      served.catch((error: unknown) => {
        events.onUndelivered(message, asRefusal(error, options));
      });
    },
    pause: flow.pause,
    resume: flow.resume,
    isHeldUp: flow.isPaused,
    stop: async () => {
      for (const each of underWay.values()) each.giveUp();
      await pool.end();
      events.onEnd(new Refusal("upstream_failed", "The gateway left the server."));
    },
  };
}

interface Serving extends LinkParts {
  readonly flow: ReturnType<typeof flowGate>;
  readonly pool: ReturnType<typeof sessionPool>;
  readonly underWay: Map<RequestId, UnderWay>;
}

/** Answers by `events`; rejects where there is no answer. */
async function serve(frame: RequestFrame, call: Journaled, serving: Serving): Promise<void> {
  const { events, pool } = serving;
  const requested = frame.params?.meta?.protocolVersion ?? "";
  if (requested !== modernVersion) {
    const data = { supported: [modernVersion], requested };
    throw new Refusal("unsupported_version", `Unsupported protocol version: ${requested}`, { data });
  }
  if (unknownMethods.has(frame.method)) {
    say(events, { id: frame.id, error: { code: -32601, message: "Method not found" } });
  } else if (frame.method === "server/discover") {
    const { legacy } = await pool.of(clientSelfIn(frame), call);
    say(events, { id: frame.id, result: discovered(legacy.greeting) });
  } else if (frame.method === "subscriptions/listen") await listen(frame, call, serving);
  else await ask(frame, call, serving);
}

function say(events: LinkEvents, message: object): void {
  events.onMessage(readFrame(utf8(JSON.stringify({ jsonrpc: "2.0", ...message }))));
}

async function ask(frame: RequestFrame, call: Journaled, serving: Serving): Promise<void> {
  const { options, parked, events, flow, underWay } = serving;
  const owner: StateOwner = {
    holder: holderOf(call.caller),
    server: options.name,
    asked: askedIn(frame),
  };
  const logLevel = logLevelIn(frame);
  const waiting: Waiting = {
    frame,
    call,
    events,
    flow,
    logLevel,
    onDone: () => underWay.delete(frame.id),
  };
  const waitsFor = (asked: AskedCall): void => {
    underWay.set(frame.id, { giveUp: () => void asked.giveUp("The client went away.") });
  };
  const before = earlierRound(frame, owner, serving);
  if (before !== undefined) {
    // It may be answered at once, and waits no more then.
    waitsFor(before);
    try {
      before.resume(waiting, inputResponsesIn(frame));
    } catch (error) {
      underWay.delete(frame.id);
      throw error;
    }
    return;
  }
  const self = clientSelfIn(frame);
  const asked = new AskedCall(waiting, { options, parked, owner, capabilities: self.capabilities });
  waitsFor(asked);
  try {
    await inSession(serving, call, { self, logLevel }, (session) => asked.begin(session));
  } catch (error) {
    asked.fail(asRefusal(error, options));
  }
}

/** Once more in a new session if the server has lost the one it was made in: nothing came of it then. */
async function inSession(
  { pool }: Serving,
  call: Journaled,
  {
    self,
    logLevel,
  }: { readonly self: ReturnType<typeof clientSelfIn>; readonly logLevel: string | undefined },
  act: (session: PooledSession) => Promise<void>,
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const session = await pool.of(self, call);
    if (logLevel !== undefined) await session.wantsLogs(logLevel, call);
    try {
      await act(session);
      return;
    } catch (error) {
      if (!(error instanceof Refusal) || error.code !== "no_such_session") throw error;
      pool.lost(session);
      // Of sessions a modern client knows nothing; by a 404 it would take the server for a legacy one.
      if (attempt === 2)
        throw new Refusal("upstream_failed", "The server keeps no session.", { cause: error });
    }
  }
}

/** The parked call that the request goes on with; undefined if it begins one. @throws Refusal `request_state` */
function earlierRound(
  frame: RequestFrame,
  owner: StateOwner,
  { options, parked }: Serving,
): AskedCall | undefined {
  const place = frame.params?.requestState;
  if (place === undefined) return undefined;
  const text = valueAt(frame.bytes, place);
  const state = typeof text === "string" ? text : "";
  const { parked: name } = openState(options.stateKey, owner, state, options.clock.nowUnixMs());
  if (name === undefined) {
    const isRefused = Object.values(inputResponsesIn(frame)).some(
      (each) => memberOf(each, "action") !== "accept",
    );
    if (isRefused) throw stateRefused("The consent that the server asks for wasn't given.");
    return undefined;
  }
  const found = parked.find(name, owner.holder);
  if (found !== undefined) return found;
  throw stateRefused("The call of this requestState was answered or ended already; make the call again.");
}

async function listen(frame: RequestFrame, call: Journaled, serving: Serving): Promise<void> {
  const { events, pool, underWay } = serving;
  const filter = filterIn(frame);
  if (filter === undefined) {
    throw new Refusal(
      "bad_envelope",
      `Expected an object \`notifications\`, with at most ${maxUris} addresses.`,
    );
  }
  const gone = new AbortController();
  const listener: Listener = {
    id: frame.id,
    say: (message) => events.onMessage(readFrame(message, tolerantScanLimits), frame.id),
    end: () => {
      underWay.delete(frame.id);
      events.onUndelivered(frame.bytes, new Refusal("upstream_failed", "The server ended its session."));
    },
  };
  underWay.set(frame.id, {
    giveUp: () => {
      underWay.delete(frame.id);
      gone.abort();
    },
  });
  try {
    const { subscriptions } = await pool.of(clientSelfIn(frame), call);
    if (gone.signal.aborted) return;
    gone.signal.addEventListener("abort", () => subscriptions.remove(listener));
    await subscriptions.add(listener, filter);
  } catch (error) {
    if (gone.signal.aborted) return;
    underWay.delete(frame.id);
    throw error;
  }
}
