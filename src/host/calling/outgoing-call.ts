/** A call as it leaves: with its signature, or the promise of one, and with the offer of the extension. */
import { type Claims, claimsAgain, claimsNow, requestDigest } from "../../integrity/claims.ts";
import { type Envelope, envelopeEdits, payloadOf } from "../../integrity/envelope.ts";
import { isSigned } from "../../integrity/extension-methods.ts";
import { offerEdits, offerIn } from "../../integrity/extension-offer.ts";
import { bodyDigest } from "../../integrity/message-digest.ts";
import { promise, signDirect } from "../../integrity/message-signature.ts";
import { leastMode, type SignatureNeed, strongerMode } from "../../integrity/mode.ts";
import type { MessageChange, SignatureMode } from "../../model/message-proof.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { RequestFrame } from "../../wire/frame.ts";
import { edited } from "../../wire/json-edit.ts";
import { freshNonce } from "../fresh-nonce.ts";
import type { Attesting } from "./attesting.ts";
import type { CallingOptions } from "./calling-options.ts";
import type { ServingEnd } from "./known-end.ts";
import { signingTime } from "./signing-time.ts";

/** A request whose answer is awaited. */
export interface OpenCall {
  readonly frame: RequestFrame;
  /** The claims under which it was signed, and what is expected of the answer; absent for what is never signed. */
  readonly signed?: {
    readonly claims: Claims;
    /** By which an answer names it. */
    readonly digest: string;
    readonly mode: SignatureMode;
  };
  /** MCP's session it was made in. */
  readonly session?: string | undefined;
  /** The client speaks of the extension itself, and is told what was found. */
  readonly isOffered: boolean;
  /** It speaks of the extension as it left, so that whoever serves it speaks of it too. */
  readonly asksForIt: boolean;
}

/** In whose name a gateway signs, and what it changed of what its caller had signed. */
export interface Spoken {
  readonly subject?: string;
  readonly changed?: MessageChange;
}

/** How a call is signed: as the serving end needs it, or as this end was told, and never less than a refusal asked for. */
function modeFor(
  { method, params }: RequestFrame,
  { modes }: ServingEnd,
  { mode }: CallingOptions["settings"],
  need?: SignatureNeed,
): SignatureMode {
  const least = leastMode(method, modes.isReadOnly(params?.name ?? ""));
  const own = mode === "auto" ? (least === "direct" ? modes.default : least) : mode;
  // A server that needs nothing is sent something all the same: whoever signs goes on.
  return strongerMode(strongerMode(own, need?.mode ?? "none"), "batched");
}

export interface Outgoing {
  readonly call: OpenCall;
  readonly body: Uint8Array;
  readonly isPromise: boolean;
}

/** @param session of MCP's, if it is made in one */
export async function signedCall(
  frame: RequestFrame,
  about: {
    readonly end: ServingEnd;
    readonly batch: Attesting["batch"];
    readonly spoken: Spoken;
    readonly session: string | undefined;
    readonly need: SignatureNeed | undefined;
    /** The claims under which it was sent before. */
    readonly before?: Claims | undefined;
  },
  options: CallingOptions,
): Promise<Outgoing> {
  const { end, session, need } = about;
  const isOffered = offerIn(frame).isOffered;
  const offer = offerEdits(frame);
  const asksForIt = isOffered || offer.length > 0;
  const plain: Outgoing = {
    call: { frame, session, isOffered, asksForIt },
    body: edited(frame.bytes, offer),
    isPromise: false,
  };
  const body = isSigned(frame) ? bodyDigest(frame.bytes) : undefined;
  if (body === undefined || frame.params?.hasOddMeta === true) return plain;
  const { issuer, signers, clock, settings } = options;
  const nowUnixMs = signingTime(clock.nowUnixMs(), [end.sinceUnixMs, need?.notBeforeUnixMs]);
  const said = { direction: "req", issuer, audience: end.audience, method: frame.method, body } as const;
  const claims = claimsOf({ ...said, ...about.spoken }, about.before, nowUnixMs);
  const mode = modeFor(frame, end, settings, need);
  const promised: Envelope | undefined =
    mode === "batched" ? promise(claims, about.batch, clock.nowUnixMs()) : undefined;
  const key = signers.find(({ suite }) => suite.id === need?.algorithm) ?? signers[0];
  const envelope = promised ?? (await signDirect(claims, key));
  const signed = {
    claims,
    digest: requestDigest(payloadOf(envelope)),
    mode: promised === undefined ? "direct" : "batched",
  } as const;
  return {
    call: { frame, session, isOffered, asksForIt, signed },
    body: edited(frame.bytes, [...offer, ...(envelopeEdits(frame, envelope) ?? [])]),
    isPromise: promised !== undefined,
  };
}

/** @throws Refusal `upstream_timeout` */
function claimsOf(
  said: Parameters<typeof claimsNow>[0],
  before: Claims | undefined,
  nowUnixMs: number,
): Claims {
  if (before === undefined) return claimsNow(said, freshNonce(), nowUnixMs);
  const claims = claimsAgain(before, said.audience, nowUnixMs);
  if (claims === undefined) throw tooLate();
  return claims;
}

/** Its first signature may still be taken somewhere: a new one that isn't bound to it would have it carried out twice. */
function tooLate(): Refusal {
  return new Refusal("upstream_timeout", "The other end kept the call waiting until its signature ended.", {
    facts: { sent: true },
  });
}
