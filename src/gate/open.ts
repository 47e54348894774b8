/**
 * The signature of a message, before anything is decided: who signed it, that it is this message, for this end, and here
 * for the first time. Where this end serves, it is taken out, so that the server sees the bytes its client wrote; where
 * others do, it stays.
 */
import { offerIn } from "../integrity/extension-offer.ts";
import { envelopePlace, envelopeRemovals, payloadOf, readEnvelope } from "../integrity/envelope.ts";
import { readClaims } from "../integrity/claims.ts";
import { attestMethod, isSigned, messageKeysMethod } from "../integrity/extension-methods.ts";
import { checkMessage } from "../integrity/message-signature.ts";
import { leastMode, type SignatureNeed, unmet } from "../integrity/mode.ts";
import { Refusal } from "../kernel/refusal.ts";
import type { MessageProof, SignatureFault, SignatureMode } from "../model/message-proof.ts";
import type { SignedAs } from "../policy/signature-demand.ts";
import type { RequestFrame } from "../wire/frame.ts";
import { requestWithout } from "../wire/frame-edit.ts";
import type { Place } from "../wire/json-scan.ts";
import type { Confirmed, Located, Opened, Read } from "./call.ts";
import type { Ports, Signatures } from "./ports.ts";
import { cut, faulty, needing } from "./signature-refusals.ts";
import { isReadOnly } from "./read-only.ts";
import type { ServerSignatures, World } from "./world.ts";

/** What the ends ask each other about signatures: it never reaches a server, and is signed in its own way. */
export function isAboutSignatures({ frame }: Partial<Read>): boolean {
  return frame?.kind === "request" && (frame.method === messageKeysMethod || frame.method === attestMethod);
}

/** @throws Refusal `signature_refused`, `route_cut`; `busy` where no more can be remembered */
export function open(call: Confirmed, world: World, ports: Pick<Ports, "signatures">): Opened {
  const { frame } = call;
  const { signatures } = ports;
  const terms = world.signatures.get(call.server);
  // INVARIANT: what comes through a virtual server was opened there; nobody else names one.
  const isOver = terms === undefined || terms.use === "off" || call.via !== undefined;
  if (isOver || signatures === undefined || frame?.kind !== "request") return { ...call, opened: "checked" };
  if (isAboutSignatures(call)) return { ...call, opened: "checked" };
  const place = envelopePlace(frame);
  if (!isSigned(frame)) return { ...call, ...asServerGets(frame, terms), opened: "checked" };
  if (place === undefined) {
    const unsigned = whyUnsigned(call, { terms, world });
    return { ...call, ...asServerGets(frame, terms), ...(unsigned && { unsigned }), opened: "checked" };
  }
  const gets = asServerGets(frame, terms);
  const bytes = gets.body ?? frame.bytes;
  const proof = proven({ call, frame, place, bytes }, { terms, world, signatures });
  return {
    ...call,
    ...gets,
    signature: { proof, end: terms.end, audience: terms.audience },
    opened: "checked",
  };
}

interface Judging {
  readonly terms: ServerSignatures;
  readonly world: World;
}

/** Who has signed once goes on: somebody on the way may have taken the signature out. */
function whyUnsigned(call: Confirmed, { terms, world }: Judging): Refusal | undefined {
  const isHeldToIt = hasSigned(call.caller.id, world);
  if (!isHeldToIt && terms.use !== "required") return undefined;
  const need = { mode: leastOf(call, world) };
  return isHeldToIt ? faulty("stripped", { need }) : needing(need);
}

function hasSigned(name: string, { signers }: World): boolean {
  return signers.pins.has(name) || signers.signers.has(name);
}

interface Signed {
  readonly call: Confirmed;
  readonly frame: RequestFrame;
  readonly place: Place;
  /** The message as it goes on: what is compared with what was signed. */
  readonly bytes: Uint8Array;
}

function proven(
  { call, frame, place, bytes }: Signed,
  { terms, world, signatures }: Judging & { readonly signatures: Signatures },
): MessageProof {
  const { caller, atUnixMs: nowUnixMs } = call;
  const envelope = readEnvelope(frame.bytes, place);
  const claims = envelope && readClaims(payloadOf(envelope));
  if (envelope === undefined || claims === undefined) throw faulty("malformed");
  const { issuer } = claims;
  // Only who passes on what others say may bring what another signed.
  if (issuer !== caller.id && !terms.relays.includes(caller.id)) throw faulty("wrong_issuer");
  const pin = countingPin(issuer, world);
  const { audience } = terms;
  const { ok: proof, fault } = checkMessage(envelope, bytes, {
    direction: "req",
    issuer,
    audience,
    method: frame.method,
    keySet: pin && signatures.keySet(pin.fingerprint),
    trust: pin?.state ?? "first-use",
    nowUnixMs,
  });
  const need = { mode: leastOf(call, world) };
  if (fault !== undefined) throw faulty(fault, needOf(fault, need, signatures));
  checkSubject(proof, call, { terms, world });
  if (signatures.isSuspended({ signer: issuer, audience }, nowUnixMs)) throw cut("unattested");
  // INVARIANT: nothing is awaited between the check and this; of two equal messages one passes.
  const seen = signatures.take(proof, { audience, direction: "req" }, nowUnixMs);
  if (seen === "busy") throw new Refusal("busy", "Too many signed messages are remembered just now.");
  if (seen !== undefined) throw faulty(seen, needOf(seen, need, signatures));
  if (!hasSigned(caller.id, world)) signatures.signs(caller.id, nowUnixMs);
  return proof;
}

/** The pin of the issuer's keys, if they count. @throws Refusal `route_cut` */
export function countingPin(
  issuer: string,
  { signers }: World,
): { readonly fingerprint: string; readonly state: "first-use" | "approved" } | undefined {
  const pin = signers.pins.get(issuer);
  if (pin === undefined) return undefined;
  const { fingerprint, state } = pin;
  if (state === "cut") throw cut("wrong_batch");
  return state === "approved" || signers.policy === "first-use" ? { fingerprint, state } : undefined;
}

/** Nobody on the way signs in the place of one who signs itself, unless that was allowed. */
function checkSubject(
  { signer, subject }: MessageProof,
  { caller }: Confirmed,
  { terms, world }: Judging,
): void {
  if (subject === undefined || signer !== caller.id || terms.acceptsChanges) return;
  if (subject !== signer && hasSigned(subject, world)) throw faulty("stripped");
}

function needOf(
  fault: SignatureFault,
  need: SignatureNeed,
  { notBeforeUnixMs }: Signatures,
): { readonly need?: SignatureNeed } {
  if (fault === "stale") return { need: { ...need, notBeforeUnixMs } };
  return fault === "weak_algorithm" ? { need: { mode: "direct", algorithm: "ML-DSA-65" } } : {};
}

/** The least a call and its answer have, by what the operator says of the server and the tool. */
export function leastOf(
  { server, via, frame, atUnixMs }: Pick<Read, "server" | "via" | "frame" | "atUnixMs">,
  world: World,
): SignatureMode {
  const { mode = "auto" } = world.signatures.get(via ?? server) ?? {};
  if (mode !== "auto") return mode;
  if (frame?.kind !== "request") return "none";
  return leastMode(frame.method, isReadOnly({ server, tool: frame.params?.name ?? "", atUnixMs }, world));
}

/**
 * What must be signed is, and well enough for what it does.
 * @throws Refusal `signature_required`, `signature_refused`
 */
export function checkSigned(call: Located, world: World): void {
  const { signature, unsigned, atUnixMs } = call;
  if (unsigned !== undefined) throw unsigned;
  if (isDemanded(call, world) && signature?.proof.mode !== "direct")
    throw needing({ mode: "direct" }, "This tool is called only with a signature of the call's own.");
  if (signature === undefined) return;
  const need = unmet({ mode: leastOf(call, world) }, signature.proof, atUnixMs);
  if (need !== undefined) throw needing(need, "This call is taken only with a signature of its own.");
}

function isDemanded({ server, frame }: Located, { signatures }: World): boolean {
  if (frame?.kind !== "request" || frame.method !== "tools/call") return false;
  return signatures.get(server)?.signed?.includes(frame.params?.name ?? "") === true;
}

/** How a message was signed, for the rules; undefined for what is never signed, where signatures are known. */
export function signedAs({ frame, signature, atUnixMs }: Located): SignedAs | undefined {
  if (frame?.kind !== "request" || !isSigned(frame)) return undefined;
  if (signature === undefined) return { mode: "none" };
  const { proof } = signature;
  const ageMs = atUnixMs - proof.signedAtUnixMs;
  return { mode: proof.mode, ageMs, ...(proof.mode === "direct" && { algorithm: proof.algorithm }) };
}

/** Without the signature and the offer of signatures, where this end answers both. */
function asServerGets(
  frame: RequestFrame,
  { end }: ServerSignatures,
): Pick<Read, "frame"> & Partial<Pick<Opened, "body" | "offersSignatures">> {
  if (end !== "serving") return { frame };
  const { isOffered, removals: offer } = offerIn(frame);
  const places = [...envelopeRemovals(frame), ...offer];
  const offers = isOffered && { offersSignatures: true };
  if (places.length === 0) return { frame, ...offers };
  const bare = requestWithout(frame, places);
  return { frame: bare, body: bare.bytes, ...offers };
}
