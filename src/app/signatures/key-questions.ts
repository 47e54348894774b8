/**
 * `dev.latticegate/message-keys`: the ends tell each other their keys, each message signed with one of the keys it says.
 * Answered by the end that serves; who stands between two others keeps what they agreed on.
 */
import { randomBytes } from "node:crypto";

import type { Answer, Journaled } from "../../gate/call.ts";
import { cut, faulty } from "../../gate/signature-refusals.ts";
import type { ServerSignatures } from "../../gate/world.ts";
import { claimsNow, readClaims, requestDigest } from "../../integrity/claims.ts";
import { envelopePlace, readEnvelope } from "../../integrity/envelope.ts";
import {
  messageKeysMethod as method,
  readKeysAnswer,
  readKeysRequest,
  writeKeysAnswer,
} from "../../integrity/extension-methods.ts";
import type { Route } from "../../gate/ports.ts";
import type { KeySet } from "../../integrity/key-set.ts";
import { bodyDigest } from "../../integrity/message-digest.ts";
import { checkMessage, signDirect } from "../../integrity/message-signature.ts";
import { trustDomainOf } from "../../identity/spiffe-id.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { Frame } from "../../wire/frame.ts";
import { paramsOf, requestOf, resultFrame, resultIn, wholeAnswer, withEnvelope } from "./said-message.ts";
import type { Desk } from "./signature-desk.ts";

/** @throws Refusal `signature_refused`, `route_cut`, `busy` */
export async function answerKeys(call: Journaled, terms: ServerSignatures, desk: Desk): Promise<Answer> {
  const { issuer, keySet, payload, sinceUnixMs } = asked(call, terms, desk);
  const pin = desk.meet(issuer, keySet, issuer === call.caller.id);
  if (pin.state === "cut") throw cut("wrong_batch");
  if (pin.fingerprint === keySet.fingerprint)
    hear(desk, { signer: issuer, audience: terms.audience }, sinceUnixMs);
  const frame = requestOf(call);
  const modes = { default: terms.mode === "auto" ? "direct" : terms.mode, readOnly: terms.readOnly } as const;
  const nowUnixMs = desk.clock.nowUnixMs();
  const { audience } = terms;
  const said = writeKeysAnswer({ audience, keySet: desk.keySet, modes, sinceUnixMs: desk.sinceUnixMs });
  const answer = resultFrame(frame, said);
  const body = bodyDigest(answer.bytes) ?? "";
  const about = {
    direction: "res",
    issuer: desk.id,
    audience: issuer,
    method,
    body,
    request: requestDigest(payload),
  } as const;
  const envelope = await signDirect(claimsNow(about, randomBytes(16), nowUnixMs), desk.signer());
  return wholeAnswer(withEnvelope(answer, envelope));
}

/**
 * Keeps the keys of both ends, if each has signed what it says; what is wrong between them they find themselves, and
 * calls are refused here that are signed with other keys.
 */
export async function passKeys(
  { call, forward }: { readonly call: Journaled; readonly forward: () => Promise<Answer> },
  terms: ServerSignatures,
  desk: Desk,
): Promise<Answer> {
  const question = asked(call, terms, desk);
  const answer = await forward();
  const found = resultIn(answer, requestOf(call));
  const said = found && readKeysAnswer(found.result);
  if (found === undefined || said === undefined) return answer;
  const { peer: issuer } = terms;
  if (issuer === undefined) return answer;
  const { fault } = checkSelfSigned(found.response, said.keySet, {
    direction: "res",
    issuer,
    audience: question.issuer,
    request: requestDigest(question.payload),
    nowUnixMs: desk.clock.nowUnixMs(),
  });
  if (fault !== undefined) {
    desk.records.fault({ fault, principal: issuer, at: call.server, how: "found", method });
    return answer;
  }
  const { audience } = terms;
  for (const [signer, to, end] of [
    [question.issuer, audience, question],
    [issuer, question.issuer, said],
  ] as const) {
    const { fingerprint } = desk.meet(signer, end.keySet, signer === call.caller.id);
    if (fingerprint === end.keySet.fingerprint) hear(desk, { signer, audience: to }, end.sinceUnixMs);
  }
  return answer;
}

function hear(desk: Desk, route: Route, sinceUnixMs: number | undefined): void {
  if (sinceUnixMs !== undefined) desk.promises.began(route, sinceUnixMs, desk.clock.nowUnixMs());
}

interface Asked {
  readonly issuer: string;
  readonly keySet: KeySet;
  readonly sinceUnixMs?: number;
  readonly payload: string;
}

/** @throws Refusal `signature_refused`, `busy` */
function asked(call: Journaled, terms: ServerSignatures, desk: Desk): Asked {
  const frame = requestOf(call);
  const nowUnixMs = desk.clock.nowUnixMs();
  const said = readKeysRequest(paramsOf(frame));
  const claims = claimsIn(frame);
  if (said === undefined || claims === undefined) throw faulty("malformed");
  const { issuer, audience } = claims;
  const { caller } = call;
  if (issuer !== caller.id && !terms.relays.includes(caller.id)) throw faulty("wrong_issuer");
  if (trustDomainOf(issuer) === undefined) throw faulty("wrong_issuer");
  const { ok: proof, fault } = checkSelfSigned(frame, said.keySet, {
    direction: "req",
    issuer,
    // Who answers is what the question is to find out: it may be meant for whoever is reached by that name.
    audience,
    nowUnixMs,
  });
  if (fault !== undefined) throw faulty(fault);
  const seen = desk.take(proof, { audience: terms.audience, direction: "req" }, nowUnixMs);
  if (seen === "busy") throw new Refusal("busy", "Too many signed messages are remembered just now.");
  // From before this end began there is nothing that saying the same keys again could change.
  if (seen !== undefined && seen !== "stale") throw faulty(seen);
  return { issuer, ...said, payload: proof.payload };
}

function claimsIn(frame: Frame) {
  const place = envelopePlace(frame);
  const envelope = place && readEnvelope(frame.bytes, place);
  return envelope?.kind === "direct" ? readClaims(envelope.jws.payload) : undefined;
}

type About = Pick<
  Parameters<typeof checkMessage>[2],
  "direction" | "issuer" | "audience" | "request" | "nowUnixMs"
>;

/** With the keys that the message itself says. */
function checkSelfSigned(frame: Frame, keySet: KeySet, about: About): ReturnType<typeof checkMessage> {
  const place = envelopePlace(frame);
  if (place === undefined) return { fault: "stripped" };
  const envelope = readEnvelope(frame.bytes, place);
  if (envelope?.kind !== "direct") return { fault: "malformed" };
  return checkMessage(envelope, frame.bytes, { ...about, method, keySet, trust: "first-use" });
}
