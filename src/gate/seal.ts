/**
 * The signature of an answer to a signed call: made here where this end serves, checked in passing where another one
 * does. Whoever signed no call gets what the server said.
 */
import { requestDigest } from "../integrity/claims.ts";
import { isDenial } from "../integrity/denial.ts";
import { differences } from "../integrity/differences.ts";
import { envelopeEdits, envelopePlace, readEnvelope, signatureKey } from "../integrity/envelope.ts";
import { saysCapabilities, withAnnouncement } from "../integrity/extension-offer.ts";
import { rawDigest } from "../integrity/long-answers.ts";
import { bodyDigest } from "../integrity/message-digest.ts";
import { checkMessage } from "../integrity/message-signature.ts";
import { strongerMode } from "../integrity/mode.ts";
import { Refusal } from "../kernel/refusal.ts";
import type { MessageChange, MessageProof, SignatureMode } from "../model/message-proof.ts";
import { type ResponseFrame, tryReadFrame } from "../wire/frame.ts";
import { edited, withoutMember } from "../wire/json-edit.ts";
import type { Journaled, Signature } from "./call.ts";
import { countingPin, leastOf } from "./open.ts";
import type { Ports, Signatures } from "./ports.ts";
import { mayName } from "./receipts.ts";
import { cut, faulty } from "./signature-refusals.ts";
import type { World } from "./world.ts";

/** A message as it is to leave. */
export interface Sealed {
  readonly message: Uint8Array;
  /** Who signed it, and how. */
  readonly signed?: { readonly by: string; readonly mode: SignatureMode };
  /** Its very bytes are attested: nothing can be said in it any more. */
  readonly isFixed?: boolean;
}

interface Message {
  readonly message: Uint8Array;
  /** What it says, as far as it is read. */
  readonly response?: ResponseFrame | undefined;
  /** As the server said it, if something of it was replaced here. */
  readonly before?: Uint8Array | undefined;
}

/** @throws Refusal `answer_refused`, `route_cut`; what the key's holder says */
export async function seal(
  call: Journaled,
  answer: Message,
  world: World,
  { signatures }: Pick<Ports, "signatures">,
): Promise<Sealed> {
  const { frame, signature } = call;
  const { response } = answer;
  if (frame?.kind !== "request") return answer;
  if (response === undefined || response.id !== frame.id)
    return unsignable(answer.message, signature, signatures);
  const message =
    call.offersSignatures === true && saysCapabilities(frame)
      ? withAnnouncement(answer.message, frame)
      : answer.message;
  if (signature === undefined || signatures === undefined) return { message };
  const { method } = frame;
  const least = strongerMode(leastOf(call, world), call.verdict.answer);
  const sealing = { message, response, signature, method, least };
  if (signature.end === "serving") return await signed(sealing, signatures);
  if (answer.before === undefined) return checked({ ...sealing, call }, world, signatures);
  return await replaced({ ...sealing, call, before: answer.before }, world, signatures);
}

interface Sealing {
  readonly message: Uint8Array;
  readonly signature: Signature;
  readonly method: string;
  /** The least the answer must have. */
  readonly least: SignatureMode;
  /** What was changed of what another had signed. */
  readonly changed?: MessageChange;
}

/** What can't be signed leaves as it is, and is remembered for whoever waits for a signature, as what is too long is. */
function unsignable(
  message: Uint8Array,
  signature: Signature | undefined,
  signatures: Signatures | undefined,
): Sealed {
  if (signature?.end !== "serving" || signatures === undefined) return { message };
  const digest = rawDigest();
  digest.update(message);
  signatures.noteLong(signature.proof, digest.end());
  return { message, signed: { by: signatures.id, mode: "batched" }, isFixed: true };
}

async function signed(
  { message, response, signature, method, least, changed }: Sealing & { readonly response: ResponseFrame },
  signatures: Signatures,
): Promise<Sealed> {
  const { proof } = signature;
  const own = mayName(message, signatureKey)
    ? withoutMember(message, ["result", "_meta", signatureKey])
    : message;
  const frame = response.bytes === own ? response : tryReadFrame(own);
  const body = bodyDigest(own);
  if (frame === undefined || body === undefined) return unsignable(message, signature, signatures);
  const mode = strongerMode(proof.mode, least) === "direct" ? "direct" : "batched";
  const envelope = await signatures.sign({
    direction: "res",
    audience: proof.signer,
    method,
    body,
    request: requestDigest(proof.payload),
    mode,
    ...(changed && { changed }),
    ...(proof.mode === "direct" ? { algorithm: proof.algorithm } : { calls: proof.batch }),
  });
  const edits = envelopeEdits(frame, envelope);
  if (edits === undefined) return unsignable(message, signature, signatures);
  return {
    message: edited(own, edits),
    signed: { by: signatures.id, mode: envelope.kind === "direct" ? "direct" : "batched" },
  };
}

/** Whoever changes what another has signed signs it in its stead, and says what it changed, and whose it was. */
async function replaced(
  { before, call, ...sealing }: Between & { readonly before: Uint8Array },
  world: World,
  signatures: Signatures,
): Promise<Sealed> {
  const response = tryReadFrame(before);
  if (response?.kind !== "response") throw faulty("malformed", { code: "answer_refused" });
  const { signed: original } = checked({ ...sealing, message: before, response, call }, world, signatures);
  const digest = bodyDigest(before);
  if (original === undefined || digest === undefined) return { message: sealing.message };
  const paths = differences(before, sealing.message);
  const changed = { paths, original: digest, issuer: original.by };
  // A promise is its server's to keep, so this one is signed at once.
  return await signed({ ...sealing, least: "direct", changed }, signatures);
}

interface Between extends Sealing {
  readonly response: ResponseFrame;
  readonly call: Journaled;
}

/**
 * That the server's end signed this very answer to this very call. What grants nothing needs no signature: an error, or
 * a result with which somebody on the way refused.
 */
function checked(
  { message, response, signature, method, least, call }: Between,
  world: World,
  signatures: Signatures,
): Sealed {
  const place = envelopePlace(response);
  if (place === undefined) return unsigned({ message, response, signature }, signatures);
  const { proof: asked } = signature;
  const nowUnixMs = call.atUnixMs;
  const { peer: issuer } = world.signatures.get(call.server) ?? {};
  const envelope = readEnvelope(response.bytes, place);
  if (envelope === undefined || issuer === undefined) throw faulty("malformed", { code: "answer_refused" });
  const pin = countingPin(issuer, world);
  const { ok: proof, fault } = checkMessage(envelope, response.bytes, {
    direction: "res",
    issuer,
    audience: asked.signer,
    method,
    request: requestDigest(asked.payload),
    keySet: pin && signatures.keySet(pin.fingerprint),
    trust: pin?.state ?? "first-use",
    nowUnixMs: Math.max(nowUnixMs, signatures.nowUnixMs()),
  });
  if (fault !== undefined) throw faulty(fault, { code: "answer_refused" });
  checkStrength(proof, least);
  const seen = signatures.take(proof, { audience: asked.signer, direction: "res" }, signatures.nowUnixMs());
  if (seen === "busy") throw new Refusal("busy", "Too many signed messages are remembered just now.");
  if (seen === "wrong_batch") throw cut(seen);
  if (seen !== undefined) throw faulty(seen, { code: "answer_refused" });
  return { message, signed: { by: proof.signer, mode: proof.mode } };
}

function unsigned(
  {
    message,
    response,
    signature,
  }: Pick<Sealing, "message" | "signature"> & { readonly response: ResponseFrame },
  { release }: Signatures,
): Sealed {
  if (isDenial(response)) {
    // It may come again, signed better; the end that serves remembers by itself what it carried out.
    release(signature.proof, signature.audience);
    return { message };
  }
  // What can't be signed is attested to the end that called.
  if (bodyDigest(response.bytes) === undefined) return { message };
  throw faulty("stripped", { code: "answer_refused" });
}

function checkStrength({ mode }: MessageProof, least: SignatureMode): void {
  if (strongerMode(mode, least) === mode) return;
  throw new Refusal("answer_refused", `The server's answer is signed ${mode}, and ${least} is demanded.`);
}

/** What is too long to be signed in place is remembered by a digest of its bytes, for the end that called to ask for. */
export interface LongSeal {
  readonly update: (bytes: Uint8Array) => void;
  /** All of it has come. */
  readonly end: () => Pick<Sealed, "signed">;
}

export function longSeal({ signature }: Journaled, { signatures }: Pick<Ports, "signatures">): LongSeal {
  if (signature?.end !== "serving" || signatures === undefined) return { update: () => {}, end: () => ({}) };
  const digest = rawDigest();
  const { proof } = signature;
  return {
    update: digest.update,
    end: () => {
      signatures.noteLong(proof, digest.end());
      return { signed: { by: signatures.id, mode: "batched" } };
    },
  };
}
