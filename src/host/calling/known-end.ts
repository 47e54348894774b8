/**
 * What is known of the end that serves a target: asked before the first call, pinned, and asked again when something
 * doesn't fit any more (docs/formats/message-signature.md).
 */
import { randomBytes } from "node:crypto";

import { claimsNow, requestDigest } from "../../integrity/claims.ts";
import { authorizationKey } from "../../integrity/denial.ts";
import { envelopeEdits, envelopePlace, payloadOf, readEnvelope } from "../../integrity/envelope.ts";
import { messageKeysMethod, readKeysAnswer, writeKeysRequest } from "../../integrity/extension-methods.ts";
import { type KeySet, keySetOf, writeKeySet } from "../../integrity/key-set.ts";
import { bodyDigest } from "../../integrity/message-digest.ts";
import { checkMessage, signDirect } from "../../integrity/message-signature.ts";
import { faulty, signatureCodes } from "../../gate/signature-refusals.ts";
import { type Fields, textIn } from "../../integrity/fields.ts";
import { readNeed } from "../../integrity/mode.ts";
import type { KeyTrust, SignatureFault, SignatureMode } from "../../model/message-proof.ts";
import { matcher } from "../../policy/patterns.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { ResponseFrame } from "../../wire/frame.ts";
import { edited } from "../../wire/json-edit.ts";
import { goodbyeHeader, valueOf } from "../net/headers.ts";
import type { HttpAnswer } from "../net/http-exchange.ts";
import type { Send } from "../net/patient-send.ts";
import { sessionHeader } from "../../wire/identity-headers.ts";
import type { CallingOptions } from "./calling-options.ts";
import { grants } from "./incoming-answer.ts";
import { refusalIn } from "./refusal-cure.ts";
import { signingTime } from "./signing-time.ts";
import { type Asked, askExtension, extensionFrame, type Manner, resultOf } from "./extension-request.ts";

/** An end that signs. */
export interface ServingEnd {
  readonly issuer: string;
  /** Whom calls are for: the issuer, or a server of its. */
  readonly audience: string;
  readonly keySet: KeySet;
  readonly trust: KeyTrust;
  /** What calls of tools need: those that only read, and the others. */
  readonly modes: {
    readonly default: SignatureMode;
    readonly isReadOnly: (tool: string) => boolean;
  };
  /** Since when it remembers what it has sent and seen; undefined if it doesn't say. */
  readonly sinceUnixMs?: number;
}

export type Known =
  | { readonly kind: "signs"; readonly end: ServingEnd }
  /** It doesn't sign, and never did. */
  | { readonly kind: "silent" }
  /** It couldn't be asked now. What it answers counts if it can only deny, or if the end has never signed. */
  | { readonly kind: "unknown"; readonly hasSigned: boolean }
  /** What it said to the question is the answer to the request too: it takes leave, or the session has ended. */
  | { readonly kind: "elsewhere"; readonly answer: HttpAnswer };

export interface KnownEnd {
  /**
   * @param send for one request, without patience
   * @throws Refusal `answer_refused`, `route_cut`; what `send` throws, with the fact that nothing else was sent
   */
  readonly ask: (send: Send, manner: () => Manner) => Known | Promise<Known>;
  /** The next call asks again. */
  readonly forget: () => void;
  /** It says that it began anew: what is signed from now on is of that time, or of a later one. */
  readonly began: (sinceUnixMs: number) => void;
}

/** How long an end that doesn't sign isn't asked again, and one that wouldn't say. */
const silentMs = 10 * 60_000;
const unknownMs = 60_000;
/** How long a refused key set isn't asked for again. */
const refusedMs = 1000;
/** How old what was read of a pin may be. */
const pinAgeMs = 250;

interface Remembered {
  readonly known: Known | Refusal;
  readonly untilMs: number;
}

export function knownEnd(given: CallingOptions): KnownEnd {
  const options = { ...given, sinceUnixMs: given.clock.nowUnixMs() };
  let remembered: Remembered | undefined;
  let asking: Promise<Known> | undefined;
  let pinReadMs = 0;
  const learn = async (send: Send, manner: Manner): Promise<Known> => {
    try {
      const known = await learned(send, manner, options);
      const forMs = { signs: Infinity, silent: silentMs, unknown: unknownMs, elsewhere: 0 }[known.kind];
      remembered = { known, untilMs: performance.now() + forMs };
      pinReadMs = performance.now();
      return known;
    } catch (error) {
      if (error instanceof Refusal && signatureCodes.some((code) => code === error.code))
        remembered = { known: error, untilMs: performance.now() + refusedMs };
      throw error;
    }
  };
  /** Another process, or a person, may have changed what is pinned. */
  const standsStill = (end: ServingEnd, nowMs: number): boolean => {
    if (nowMs - pinReadMs < pinAgeMs) return true;
    pinReadMs = nowMs;
    const pin = options.pins.of(end.issuer);
    return pin !== undefined && pin.fingerprint === end.keySet.fingerprint && pin.state === end.trust;
  };
  return {
    ask: (send, manner) => {
      const { known, untilMs } = remembered ?? { untilMs: 0 };
      const nowMs = performance.now();
      const isGood = known !== undefined && nowMs < untilMs;
      if (isGood && known instanceof Refusal) throw known;
      if (isGood && !(known instanceof Refusal) && (known.kind !== "signs" || standsStill(known.end, nowMs)))
        return known;
      return (asking ??= learn(send, manner()).finally(() => (asking = undefined)));
    },
    forget: () => (remembered = undefined),
    began: (sinceUnixMs) => {
      const { known, untilMs } = remembered ?? {};
      if (known === undefined || untilMs === undefined || known instanceof Refusal || known.kind !== "signs")
        return;
      const { end } = known;
      if (sinceUnixMs > (end.sinceUnixMs ?? 0))
        remembered = { known: { kind: "signs", end: { ...end, sinceUnixMs } }, untilMs };
    },
  };
}

/** This end, and since when it is the same. */
type Begun = CallingOptions & { readonly sinceUnixMs: number };

async function learned(send: Send, manner: Manner, options: Begun): Promise<Known> {
  const { clock } = options;
  const first = await question(send, manner, { options, nowUnixMs: clock.nowUnixMs() });
  const refused = refusalIn(first.asked.answer);
  // It began within this very second; the next one is near enough to sign for.
  const isStale = refused?.["fault"] === "stale";
  const nextUnixMs = clock.nowUnixMs() + 1000;
  const nowUnixMs = signingTime(nextUnixMs, [readNeed(refused?.["need"])?.notBeforeUnixMs]);
  const { asked, payload } = isStale ? await question(send, manner, { options, nowUnixMs }) : first;
  return known(asked, payload, options);
}

async function question(
  send: Send,
  manner: Manner,
  { options, nowUnixMs }: { readonly options: Begun; readonly nowUnixMs: number },
): Promise<{ readonly asked: Asked; readonly payload: string }> {
  const { issuer, signers, sinceUnixMs } = options;
  const said = writeKeysRequest({ keySet: keySetOf(signers), sinceUnixMs });
  const frame = extensionFrame(messageKeysMethod, said, manner);
  const { method } = frame;
  const body = bodyDigest(frame.bytes) ?? "";
  const about = { direction: "req", issuer, audience: options.target, method, body } as const;
  const envelope = await signDirect(claimsNow(about, randomBytes(16), nowUnixMs), signers[0]);
  const signed = edited(frame.bytes, envelopeEdits(frame, envelope) ?? []);
  const asked = await askExtension(send, frame, signed, manner).catch(notSent);
  return { asked, payload: payloadOf(envelope) };
}

/** What failed was the question: the call itself wasn't sent, and can be when there is a link again. */
function notSent(error: unknown): never {
  if (!(error instanceof Refusal) || error.facts["sent"] !== true) throw error;
  const { code, message, facts } = error;
  throw new Refusal(code, message, { cause: error, facts: { ...facts, sent: false } });
}

function known({ answer, response }: Asked, question: string, options: CallingOptions): Known {
  const { hasSigned } = options;
  if (response?.result !== undefined) return { kind: "signs", end: servingEnd(response, question, options) };
  if (isElsewhere(answer)) return { kind: "elsewhere", answer };
  const refused = refusalIn(answer);
  const code = signatureCodes.find((each) => each === refused?.["reason"]);
  if (code !== undefined) throw refusedQuestion(code, refused ?? {}, options);
  const isUnable = response?.error?.code === methodNotFound;
  if (options.settings.use === "required" && !isUnable) {
    const why = `It doesn't say its keys (status ${answer.status}), and nothing is sent here without a signature.`;
    throw refusedKeys("stripped", options, why);
  }
  if (!isUnable) return { kind: "unknown", hasSigned: hasSigned() };
  if (options.settings.use !== "required" && !hasSigned()) return { kind: "silent" };
  throw refusedKeys("stripped", options, "It says that it knows nothing of message signatures.");
}

const methodNotFound = -32601;

/** INVARIANT: it says no, and nothing that could be taken for an answer: it is passed on unsigned. */
function isElsewhere(answer: HttpAnswer): boolean {
  const { kind, status, headers } = answer;
  const isGone = status === 408 && valueOf(headers, goodbyeHeader) !== undefined;
  const hasEnded = status === 403 && valueOf(headers, sessionHeader) === "ended";
  return (isGone || hasEnded) && kind === "whole" && !grants(answer.body);
}

/** @throws Refusal `answer_refused`, `route_cut` */
function servingEnd(response: ResponseFrame, question: string, options: CallingOptions): ServingEnd {
  const said = readKeysAnswer(resultOf(response));
  const place = envelopePlace(response);
  const envelope = place && readEnvelope(response.bytes, place);
  if (place === undefined) throw refusedKeys("stripped", options);
  if (said === undefined || envelope?.kind !== "direct") throw refusedKeys("malformed", options);
  const { audience, keySet, modes, sinceUnixMs } = said;
  const issuer = audience.split("?", 1)[0] ?? "";
  const { fault } = checkMessage(envelope, response.bytes, {
    direction: "res",
    issuer,
    audience: options.issuer,
    method: messageKeysMethod,
    request: requestDigest(question),
    keySet,
    trust: "first-use",
    nowUnixMs: options.clock.nowUnixMs(),
  });
  if (fault !== undefined) throw refusedKeys(fault, options);
  checkIssuer(issuer, options);
  const trust = pinned(issuer, keySet, options);
  options.lead(issuer);
  return {
    issuer,
    audience,
    keySet,
    trust,
    modes: { default: modes.default, isReadOnly: matcher(modes.readOnly) },
    ...(sinceUnixMs !== undefined && { sinceUnixMs }),
  };
}

/**
 * Another end where one was: it counts when a person says so, of this very target. That its keys are approved says who
 * it is, and nothing of what it may answer for: a gateway would take over each server behind it.
 */
function checkIssuer(issuer: string, options: CallingOptions): void {
  const { peer, pins, name } = options;
  const expected = peer ?? options.ledTo();
  if (expected === undefined || expected === issuer) return;
  if (peer === undefined && pins.of(expected) === undefined) return;
  throw refusedKeys(
    "wrong_issuer",
    options,
    `It was ${expected} that answered for it, and now it is ${issuer}. If that is meant: latticegate pins approve ${issuer} FINGERPRINT --for ${name}`,
  );
}

function pinned(issuer: string, keySet: KeySet, options: CallingOptions): KeyTrust {
  const { pins, settings, clock } = options;
  const { fingerprint } = keySet;
  const keys = JSON.stringify(writeKeySet(keySet));
  const pin = pins.meet(issuer, { fingerprint, keys }, clock.nowUnixMs());
  if (pin.fingerprint !== fingerprint) {
    throw refusedKeys(
      "unknown_key",
      options,
      `${issuer} shows the message keys ${fingerprint}, and those known of it are ${pin.fingerprint}. If its keys were changed on purpose: latticegate pins approve ${issuer} ${fingerprint}`,
    );
  }
  if (pin.state === "cut") throw cutRoute(issuer, fingerprint, options.name);
  if (pin.state === "approved") return "approved";
  if (settings.pins === "first-use") return "first-use";
  throw refusedKeys(
    "unknown_key",
    options,
    `Nobody has approved the message keys of ${issuer}. If their fingerprint is right: latticegate pins approve ${issuer} ${fingerprint}`,
  );
}

function cutRoute(issuer: string, fingerprint: string, name: string): Refusal {
  const { data } = faulty("wrong_batch", { code: "route_cut" });
  return new Refusal(
    "route_cut",
    `Calls to "${name}" are cut: messages came in the name of ${issuer} that it didn't sign. When it is known why: latticegate pins approve ${issuer} ${fingerprint}`,
    { data, facts: { signature_fault: "wrong_batch", sent: false } },
  );
}

/** The serving end signs, and takes nothing of what this end says. */
function refusedQuestion(
  code: (typeof signatureCodes)[number],
  said: Fields,
  { name, log }: CallingOptions,
): Refusal {
  const fault = textIn(said["fault"], 64) ?? "none";
  log.warn("signatures.refused", { server: name, code, fault });
  return new Refusal(code, `The message keys of this end are refused at "${name}" (${fault}).`, {
    data: { [authorizationKey]: said },
    facts: { signature_fault: fault, sent: false },
  });
}

function refusedKeys(
  fault: SignatureFault,
  { name, log, faults }: CallingOptions,
  why = "What the other end says of them isn't what it signed.",
): Refusal {
  log.error("answer.refused", { fault, method: messageKeysMethod, server: name });
  faults.report({ fault, method: messageKeysMethod });
  const { data } = faulty(fault, { code: "answer_refused" });
  return new Refusal("answer_refused", `The message keys of "${name}" are refused (${fault}). ${why}`, {
    data,
    facts: { signature_fault: fault, sent: false },
  });
}
