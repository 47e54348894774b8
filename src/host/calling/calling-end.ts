/**
 * The calling end of message signatures, for one target: its calls leave signed, and no answer reaches the client that
 * the serving end hasn't signed, if that end signs at all. Used by sidecars, and by the gateway towards exposed servers.
 */
import { envelopePlace } from "../../integrity/envelope.ts";
import { attestMethod, messageKeysMethod } from "../../integrity/extension-methods.ts";
import { leastMode, type SignatureNeed } from "../../integrity/mode.ts";
import { type Frame, readFrame, type RequestFrame } from "../../wire/frame.ts";
import { valueOf } from "../net/headers.ts";
import type { HttpAnswer, HttpRequest } from "../net/http-exchange.ts";
import type { Send } from "../net/patient-send.ts";
import { type AnswerProof, answerCheck, type Route } from "./answer-check.ts";
import { Attesting } from "./attesting.ts";
import type { CallingOptions } from "./calling-options.ts";
import { type Manner, mannerOf } from "./extension-request.ts";
import { type KnownEnd, knownEnd, type ServingEnd } from "./known-end.ts";
import { type OpenCalls, openCalls } from "./open-calls.ts";
import { type OpenCall, type Outgoing, signedCall, type Spoken } from "./outgoing-call.ts";
import { type Cure, cureIn } from "./refusal-cure.ts";
import { withoutEnd } from "./without-end.ts";

/** An answer, and what is proven of it when it has been read. */
export type CheckedAnswer = HttpAnswer & { readonly proof?: () => AnswerProof };

export interface CallingEnd {
  /**
   * Sends one request, signed if it is one that is, and resolves with its answer, which is checked as it is read.
   * @throws Refusal `route_cut`, `answer_refused`; what the sending throws
   */
  readonly exchange: (request: HttpRequest, spoken?: Spoken) => Promise<CheckedAnswer>;
  /** Delivers what was promised, for at most two seconds. */
  readonly stop: () => Promise<void>;
}

export interface CallingEndOptions extends CallingOptions {
  /** Sends one request as it is. */
  readonly send: Send;
  /** Whether a request goes to the target, and not beside it. */
  readonly isCall: (request: HttpRequest) => boolean;
  /** Whether one client speaks here, or many. */
  readonly clients: "one" | "many";
  readonly maxEventBytes: number;
}

/** Each of another refusal: an end that has just begun may know neither our keys nor what was signed before it began, and end at once. */
const maxCures = 4;

export function callingEnd(options: CallingEndOptions): CallingEnd {
  const { send, clients, isCall, clock } = options;
  const known = knownEnd(options);
  const routes = routeKeeper(options, known);
  const ends: Ends = { options, known, routes, calls: openCalls(clients), sent: new WeakMap() };
  return {
    exchange: async (request, spoken = {}) => {
      if (!isCall(request) || request.method === "DELETE") return await send(request);
      const frame = request.method === "POST" ? messageIn(request) : undefined;
      if (frame?.kind !== "request") return await beside(request, ends);
      if (speaksForItself(frame)) return await send(request);
      let made = await attempt(request, { frame, spoken }, ends);
      const heeded = new Set<string>();
      for (;;) {
        const cure = cureFor(made, heeded, clock.nowUnixMs());
        if (cure === undefined) break;
        made.drop();
        if (cure.asksAgain) known.forget();
        if (cure.need?.notBeforeUnixMs !== undefined) known.began(cure.need.notBeforeUnixMs);
        if (cure.attests) await routes.deliver();
        made = await attempt(request, { frame, spoken, need: cure.need, before: made.sent }, ends);
      }
      return await made.check();
    },
    stop: routes.stop,
  };
}

/** What to do about a refusal, once for each kind. */
function cureFor(made: Attempt, heeded: Set<string>, nowUnixMs: number): Cure | undefined {
  const cure = made.isPromiseForDirect ? undefined : cureIn(made.answer, nowUnixMs);
  if (cure === undefined || heeded.has(cure.of) || heeded.size === maxCures) return undefined;
  heeded.add(cure.of);
  return cure;
}

/** This end, and what it knows of the other. */
interface Ends {
  readonly options: CallingEndOptions;
  readonly known: KnownEnd;
  readonly routes: RouteKeeper;
  readonly calls: OpenCalls;
  /** What was sent of a request that may be made again, since it wasn't answered with 200; by its body. */
  readonly sent: WeakMap<Uint8Array, Sent>;
}

/** INVARIANT: whoever may have kept one message gets no second one that would be carried out beside it. */
interface Sent {
  readonly out: Outgoing;
  readonly audience: string;
  /** Fingerprint. */
  readonly keys: string;
  readonly batch: string;
}

/** It is to that end as it is now: what was signed before it began is stale there. */
function countsFor({ out, audience, keys, batch }: Sent, end: ServingEnd, attesting: Attesting): boolean {
  const { claims } = out.call.signed ?? {};
  const isFresh = claims === undefined || claims.issuedAtUnixS * 1000 >= (end.sinceUnixMs ?? 0);
  const isSame = keys === end.keySet.fingerprint && batch === attesting.batch.id;
  return isFresh && isSame && audience === end.audience;
}

/** What no call is made with: notifications, answers of the client's, and the streams it opens. */
async function beside(request: HttpRequest, ends: Ends): Promise<CheckedAnswer> {
  const { options } = ends;
  const manner = (): Manner => mannerOf(request);
  const known = await ends.known.ask(options.send, manner);
  if (known.kind !== "signs") return await withoutEnd(known, { request, options });
  const answer = await options.send(request);
  return await checked(
    answer,
    { route: ends.routes.to(known.end, manner), session: sessionOf(request) },
    ends,
  );
}

interface Attempting {
  readonly frame: RequestFrame;
  readonly spoken: Spoken;
  /** What a refusal has asked for. */
  readonly need?: SignatureNeed | undefined;
  /** What that was the answer to. */
  readonly before?: Sent | undefined;
}

/** Sends the request once, signed if the other end signs. */
async function attempt(request: HttpRequest, about: Attempting, ends: Ends): Promise<Attempt> {
  const { options, calls } = ends;
  const { frame, spoken, need } = about;
  const { send } = options;
  const manner = (): Manner => mannerOf(request, frame);
  const known = await ends.known.ask(send, manner);
  if (known.kind !== "signs") return attempted(await withoutEnd(known, { request, frame, options }));
  const { end } = known;
  const route = ends.routes.to(end, manner);
  const { attesting } = route;
  await attesting.settle();
  const session = sessionOf(request);
  const before = about.before ?? ends.sent.get(frame.bytes);
  const again =
    need === undefined && before !== undefined && countsFor(before, end, attesting) ? before.out : undefined;
  const claims = before?.out.call.signed?.claims;
  const signing = { end, batch: attesting.batch, spoken, session, need, before: claims };
  const out = again ?? (await signedCall(frame, signing, options));
  const sent: Sent = { out, audience: end.audience, keys: end.keySet.fingerprint, batch: attesting.batch.id };
  const isOffered = out.call.isOffered || calls.isOffering(frame, session);
  const call = isOffered === out.call.isOffered ? out.call : { ...out.call, isOffered };
  const drop = (): void => calls.close(call);
  calls.open(call);
  if (out.isPromise) attesting.due();
  try {
    const answer = await send({ ...request, body: out.body });
    if (answer.status !== 200) ends.sent.set(frame.bytes, sent);
    return {
      answer,
      sent,
      isPromiseForDirect: isForced(out, end),
      drop,
      check: () => checked(answer, { route, call, session }, ends),
    };
  } catch (error) {
    drop();
    throw error;
  }
}

async function checked(
  answer: HttpAnswer,
  about: { readonly route: Route; readonly call?: OpenCall; readonly session: string | undefined },
  { options, calls, known }: Ends,
): Promise<CheckedAnswer> {
  const check = answerCheck({ ...about, options, calls, onUnknownKey: known.forget });
  if (about.call !== undefined) calls.began(about.call, valueOf(answer.headers, "mcp-session-id"));
  return { ...(await check.pass(answer)), proof: check.proof };
}

function sessionOf({ headers }: HttpRequest): string | undefined {
  return valueOf(headers, "mcp-session-id");
}

/** Promises are counted by their numbers, which a signature of its own hasn't: who kept the one could deliver both. */
function isForced({ call: { frame }, isPromise }: Outgoing, { modes }: ServingEnd): boolean {
  return isPromise && leastMode(frame.method, modes.isReadOnly(frame.params?.name ?? "")) === "direct";
}

/** What came of sending a request once. */
interface Attempt {
  readonly answer: HttpAnswer;
  /** Absent if it went unsigned, as it was. */
  readonly sent?: Sent;
  /** It may not be made again: what changes something was only promised, as this end was told to. */
  readonly isPromiseForDirect: boolean;
  /** The answer as the client may have it. */
  readonly check: () => Promise<CheckedAnswer>;
  /** Nothing came of it: its answer is awaited no more. */
  readonly drop: () => void;
}

function attempted(answer: HttpAnswer): Attempt {
  return { answer, isPromiseForDirect: false, check: () => Promise.resolve(answer), drop: () => {} };
}

interface RouteKeeper {
  /** The route to that end, as its newest call is made. */
  readonly to: (end: ServingEnd, manner: () => Manner) => Route;
  /** Has what waits attested now. */
  readonly deliver: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

/** One route at a time; what an old one has promised is still delivered. */
function routeKeeper(options: CallingEndOptions, known: KnownEnd): RouteKeeper {
  const { send } = options;
  const ending = new Set<Promise<void>>();
  let route: Route | undefined;
  let newest = (): Manner => ({ path: "", headers: [] });
  const askAgain = async (): Promise<ServingEnd | undefined> => {
    known.forget();
    const now = await known.ask(send, newest);
    return now.kind === "signs" ? now.end : undefined;
  };
  const leave = (): void => {
    const stopping = route?.attesting.stop();
    route = undefined;
    if (stopping === undefined) return;
    const ended = stopping.finally(() => ending.delete(ended));
    ending.add(ended);
  };
  return {
    to: (end, manner) => {
      newest = manner;
      const isSame =
        route?.end.audience === end.audience && route.end.keySet.fingerprint === end.keySet.fingerprint;
      if (route?.end === end) return route;
      if (route !== undefined && isSame) return (route = { ...route, end });
      leave();
      return (route = {
        end,
        attesting: new Attesting(end, { ...options, askAgain, manner: () => newest(), onCut: known.forget }),
      });
    },
    deliver: async () => await route?.attesting.deliver(),
    stop: async () => {
      leave();
      await Promise.all(ending);
    },
  };
}

/** The message as the other end reads it; what it can't read it refuses. */
function messageIn({ body }: HttpRequest): Frame | undefined {
  try {
    return body && readFrame(body);
  } catch {
    return undefined;
  }
}

/** A client that signs itself, or asks about signatures: it answers for what it does, and nothing is done in its name. */
function speaksForItself(frame: RequestFrame): boolean {
  return (
    frame.method === messageKeysMethod || frame.method === attestMethod || envelopePlace(frame) !== undefined
  );
}
