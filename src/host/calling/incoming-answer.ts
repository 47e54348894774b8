/**
 * What came as an answer, before its client sees it: whether the end that serves has signed it, as the answer to that
 * very call. What can only deny needs no signature. The signature is taken out again, so that the client sees the bytes
 * its server wrote.
 */
import { inspectBytes } from "../../gate/call.ts";
import { type Claims, readClaims } from "../../integrity/claims.ts";
import { isDenial } from "../../integrity/denial.ts";
import {
  type Envelope,
  envelopePlace,
  envelopeRemovals,
  payloadOf,
  readEnvelope,
} from "../../integrity/envelope.ts";
import { saysCapabilities, withoutAnnouncement } from "../../integrity/extension-offer.ts";
import { readKeySet, writeKeySet } from "../../integrity/key-set.ts";
import { bodyDigest } from "../../integrity/message-digest.ts";
import { type Checked, checkMessage } from "../../integrity/message-signature.ts";
import { strongerMode } from "../../integrity/mode.ts";
import { fromUtf8 } from "../../kernel/bytes.ts";
import type { KeyTrust, MessageProof, SignatureFault } from "../../model/message-proof.ts";
import { type Frame, type RequestId, type ResponseFrame, tryReadFrame } from "../../wire/frame.ts";
import { edited, removals, withMember } from "../../wire/json-edit.ts";
import { everyMember, folded, type Place, scanJson, tolerantScanLimits } from "../../wire/json-scan.ts";
import { mayHoldName, startsLikeJson } from "../../wire/lenient-json.ts";
import type { CallingOptions } from "./calling-options.ts";
import type { ServingEnd } from "./known-end.ts";
import type { OpenCall } from "./outgoing-call.ts";

/** A message as it may pass, or what is wrong with it. */
export type Judged =
  | {
      readonly kind: "pass";
      readonly bytes: Uint8Array;
      /** The call it answers, which is over with that. */
      readonly call?: OpenCall;
      readonly proof?: MessageProof;
    }
  /** It can't carry a signature: the serving end is asked for its digest. */
  | { readonly kind: "unsignable"; readonly call: OpenCall; readonly nonce: string }
  | { readonly kind: "fault"; readonly fault: SignatureFault; readonly call?: OpenCall };

export interface Judging {
  readonly end: ServingEnd;
  readonly options: CallingOptions;
  /** The calls that are open, by the digest that answers name them by. */
  readonly open: ReadonlyMap<string, OpenCall>;
  /** The call this is meant to answer; absent on a stream that answers none, or several. */
  readonly call?: OpenCall | undefined;
  /** The session of the stream that it comes on. */
  readonly session?: string | undefined;
  /** It is all that the call's answer says: there are clients that take it for theirs, whatever its id. */
  readonly isWhole?: boolean;
}

/** A signed answer has a signature more than one that is just short enough to be signed. */
export const maxSignedBytes = inspectBytes + 64 * 1024;

/** @param data a message, or what else a server says where one belongs */
export function judge(data: Uint8Array, judging: Judging): Judged {
  const frame = messageIn(data);
  if (frame === undefined) return mayGrant(data) ? unsignable(judging.call) : { kind: "pass", bytes: data };
  // What a server asks or tells unasked is never signed.
  if (frame.kind !== "response") return { kind: "pass", bytes: data };
  const place = envelopePlace(frame);
  if (place === undefined) return unsigned(data, frame, judging);
  const envelope = readEnvelope(data, place);
  if (envelope === undefined) return { kind: "fault", fault: "malformed", ...callOf(frame, judging) };
  const call = callOf(frame, judging).call ?? namedCall(envelope, frame, judging);
  if (call !== undefined) return signed({ data, frame, call, envelope }, judging);
  const isOthers = judging.call === undefined && judging.options.passesOthers === true;
  return isOthers && awaitedCall(frame, judging) === undefined && !isReadInTwoWays(data)
    ? { kind: "pass", bytes: data }
    : { kind: "fault", fault: "wrong_call" };
}

/** A message that all readers take for the same one: because they can't help it, or since its signature says so. */
function messageIn(data: Uint8Array): Frame | undefined {
  const frame = data.length > maxSignedBytes ? undefined : tryReadFrame(data);
  if (frame === undefined) return undefined;
  const isSigned = frame.kind === "response" && envelopePlace(frame) !== undefined;
  return isSigned || !isReadInTwoWays(data) ? frame : undefined;
}

function signed(
  { data, frame, call, envelope }: Good & { readonly envelope: Envelope },
  judging: Judging,
): Judged {
  if (call.signed === undefined) return { kind: "fault", fault: "wrong_call", call };
  // What the client gets is compared with what was signed; its own signature is no part of it, and costs to read.
  const bare = call.isOffered ? data : edited(data, removals(data, envelopeRemovals(frame)));
  const { ok: proof, fault } = checked(envelope, bare, call, judging);
  if (fault !== undefined) return { kind: "fault", fault, call };
  // A promise in the place of a signature would let it through before anybody knows.
  const isWeaker = strongerMode(proof.mode, call.signed.mode) !== proof.mode;
  return isWeaker
    ? { kind: "fault", fault: "stripped", call }
    : asClientGets({ data, frame, call, proof, bare });
}

/** The call that a message says it answers, if it is the one that is meant. */
function callOf({ id }: ResponseFrame, { call }: Judging): { readonly call?: OpenCall } {
  return call !== undefined && (id === call.frame.id || id === null) ? { call } : {};
}

/** Any other that is open, of the same session: its own stream ended before it was answered. */
function namedCall(
  envelope: Envelope,
  { id }: ResponseFrame,
  { open, session }: Judging,
): OpenCall | undefined {
  const request = readClaims(payloadOf(envelope))?.request;
  const call = request === undefined ? undefined : open.get(request);
  return call?.frame.id === id && call.session === session ? call : undefined;
}

/** One that this would answer, for a client that looks at nothing but ids; its own answer may still come. */
function awaitedCall({ id }: ResponseFrame, { open, session }: Judging): OpenCall | undefined {
  for (const call of open.values())
    if (call.session === session && mayBeTakenFor(id, call.frame.id)) return call;
  return undefined;
}

/** There are clients that make a number of any id, and such that make a text of it. */
function mayBeTakenFor(id: ResponseFrame["id"], asked: RequestId): boolean {
  return String(id) === String(asked) || Number(id) === Number(asked);
}

function checked(envelope: Envelope, data: Uint8Array, call: OpenCall, { end, options }: Judging): Checked {
  const claims = readClaims(payloadOf(envelope));
  const isChanged = claims?.changed !== undefined && claims.issuer !== end.issuer;
  if (isChanged && !isTaken(claims, end, options)) return { fault: "changed" };
  const changer = isChanged ? changerKeys(claims.issuer, envelope, options) : undefined;
  return checkMessage(envelope, data, {
    direction: "res",
    audience: options.issuer,
    method: call.frame.method,
    ...(call.signed && { request: call.signed.digest }),
    nowUnixMs: options.clock.nowUnixMs(),
    ...(changer ?? { issuer: end.issuer, keySet: end.keySet, trust: end.trust }),
  });
}

function isTaken(
  { issuer, changed }: Claims,
  end: ServingEnd,
  { settings, changer }: CallingOptions,
): boolean {
  return settings.acceptsChanges && issuer === changer && changed?.issuer === end.issuer;
}

/** The keys of whoever changed an answer are pinned here, too. */
function changerKeys(issuer: string, envelope: Envelope, { pins, settings, clock }: CallingOptions) {
  const said = envelope.kind === "direct" ? readKeySet(envelope.keys) : undefined;
  const pin =
    said === undefined
      ? pins.of(issuer)
      : pins.meet(
          issuer,
          { fingerprint: said.fingerprint, keys: JSON.stringify(writeKeySet(said)) },
          clock.nowUnixMs(),
        );
  const keySet = pin?.keys === undefined ? undefined : readKeySet(JSON.parse(pin.keys));
  if (pin === undefined || keySet === undefined || pin.state === "cut") return undefined;
  if (settings.pins === "approved" && pin.state !== "approved") return undefined;
  const trust: KeyTrust = pin.state;
  return { issuer, keySet, trust };
}

/** Whether there is something in it for a client: a result, or what some readers may take for one. */
export function grants(data: Uint8Array): boolean {
  const frame = data.length > maxSignedBytes ? undefined : tryReadFrame(data);
  if (frame === undefined || isReadInTwoWays(data)) return mayGrant(data);
  return frame.kind === "response" && !isDenial(frame);
}

/** Nothing is granted by an error, nor by a result that says why there is none. */
function unsigned(data: Uint8Array, frame: ResponseFrame, judging: Judging): Judged {
  const { call } = callOf(frame, judging);
  if (call === undefined) {
    if (isDenial(frame)) return { kind: "pass", bytes: data };
    if (awaitedCall(frame, judging) !== undefined) return { kind: "fault", fault: "stripped" };
    const isHeld = judging.isWhole === true && judging.call?.signed !== undefined;
    return isHeld ? unsignable(judging.call) : { kind: "pass", bytes: data };
  }
  if (isDenial(frame)) return { kind: "pass", bytes: data, call };
  if (call.signed === undefined) return asClientGets({ data, frame, call });
  if (frame.result?.hasOddMeta === true || data.length > inspectBytes || bodyDigest(data) === undefined)
    return unsignable(call);
  return { kind: "fault", fault: "stripped", call };
}

function unsignable(call: OpenCall | undefined): Judged {
  if (call?.signed === undefined) {
    // What isn't signed is a handshake, or answered by nothing: neither is long, or odd.
    return { kind: "fault", fault: "malformed", ...(call && { call }) };
  }
  return { kind: "unsignable", call, nonce: call.signed.claims.nonce };
}

interface Good {
  readonly data: Uint8Array;
  readonly frame: ResponseFrame;
  readonly call: OpenCall;
  readonly proof?: MessageProof;
  /** The message without its signature, for a client that didn't ask for it. */
  readonly bare?: Uint8Array;
}

function asClientGets({ data, frame, call, proof, bare }: Good): Judged {
  const known = { call, ...(proof && { proof }) };
  const good = { data, frame, ...known, ...(bare && { bare }) };
  const pass = (bytes: Uint8Array): Judged => ({ kind: "pass", bytes, ...known });
  if (!saysCapabilities(call.frame) || frame.result === undefined) return pass(withProof(good));
  const { isAnnounced, bytes } = withoutAnnouncement(data);
  // Who signs says so; somebody on the way would have clients believe otherwise.
  if (!isAnnounced && call.asksForIt && hasCapabilities(data))
    return { kind: "fault", fault: "stripped", call };
  if (call.isOffered || bytes === data) return pass(withProof(good));
  const without = tryReadFrame(bytes);
  return pass(
    without?.kind === "response" ? edited(bytes, removals(bytes, envelopeRemovals(without))) : bytes,
  );
}

/** Without the signature, or, for a client that speaks of it, with what was found. */
function withProof({ data, frame, call, proof, bare }: Good): Uint8Array {
  if (proof === undefined) return data;
  if (!call.isOffered) return bare ?? edited(data, removals(data, envelopeRemovals(frame)));
  if (frame.result === undefined) return data;
  const said = {
    signed: proof.signer,
    mode: proof.mode,
    ...(proof.mode === "direct" && { alg: proof.algorithm }),
    pin: proof.trust,
  };
  return withMember(data, ["result", "_meta", "dev.latticegate/answer"], JSON.stringify(said));
}

function hasCapabilities(data: Uint8Array): boolean {
  const { result } = (parsed(data) ?? {}) as { readonly result?: { readonly capabilities?: unknown } };
  return typeof result?.capabilities === "object" && result.capabilities !== null;
}

/** How some readers take it: they skip a byte order mark, take several messages at once, or what is no JSON. */
function mayGrant(data: Uint8Array): boolean {
  if (data.length > maxSignedBytes) return startsLikeJson(data);
  const value = parsed(data);
  if (value === undefined) return startsLikeJson(data) && mayHoldName(data, "result");
  if (Array.isArray(value)) return true;
  return Object.keys(value).some((name) => folded(name) === "result");
}

/**
 * Whether two readers could take two messages from it: some find members in any case, and of members that come twice
 * some take the first.
 */
function isReadInTwoWays(data: Uint8Array): boolean {
  const every = { [everyMember]: true } as const;
  const { members } = scanJson(data, { ...every, result: every }, tolerantScanLimits);
  const inResult = members?.get("result")?.members;
  return isTwice(members, ["id", "method", "result", "error"]) || isTwice(inResult, ["isError", "_meta"]);
}

function isTwice(members: ReadonlyMap<string, Place> = new Map(), names: readonly string[]): boolean {
  for (const [name, { earlier }] of members) {
    const known = names.find((each) => folded(each) === folded(name));
    if (known !== undefined && (known !== name || earlier !== undefined)) return true;
  }
  return false;
}

/** Nothing for what is no object and no array; undefined for what is no JSON. */
function parsed(data: Uint8Array): object | undefined {
  try {
    const text = fromUtf8(data) ?? new TextDecoder().decode(data);
    const value: unknown = JSON.parse(text.replace(/^\uFEFF/, ""));
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return undefined;
  }
}
