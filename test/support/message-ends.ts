/** Ends of signed calls, with message keys of their own, and messages as they sign them. */
import { generateKeyPair, signingKey } from "../../src/crypto/keys.ts";
import { messageSuiteIds, signatureSuite } from "../../src/crypto/suites/signatures.ts";
import { type Claims, claimsNow } from "../../src/integrity/claims.ts";
import { type Envelope, envelopeEdits, envelopePlace, readEnvelope } from "../../src/integrity/envelope.ts";
import { type KeySet, keySetOf, messageSigner, type MessageSigner } from "../../src/integrity/key-set.ts";
import { bodyDigest } from "../../src/integrity/message-digest.ts";
import { utf8 } from "../../src/kernel/bytes.ts";
import { type Frame, tryReadFrame } from "../../src/wire/frame.ts";
import { edited } from "../../src/wire/json-edit.ts";

export interface MessageEnd {
  readonly keySet: KeySet;
  readonly signers: { readonly "ML-DSA-65": MessageSigner; readonly "ML-DSA-87": MessageSigner };
}

export function messageEnd(): MessageEnd {
  const [weaker, stronger] = messageSuiteIds.map((id) => signingKey(generateKeyPair(signatureSuite(id))));
  if (weaker === undefined || stronger === undefined) throw new Error("an end has two keys");
  return {
    keySet: keySetOf([stronger, weaker]),
    signers: { "ML-DSA-65": messageSigner(weaker), "ML-DSA-87": messageSigner(stronger) },
  };
}

export function frameOf(text: string | Uint8Array): Frame {
  const frame = tryReadFrame(typeof text === "string" ? utf8(text) : text);
  if (frame === undefined) throw new Error("no message");
  return frame;
}

/** What the message's signature would say, with the nth nonce. */
export function claimsOf(
  text: string,
  about: Pick<Claims, "direction" | "issuer" | "audience" | "method"> & Partial<Claims>,
  { nonce, nowUnixMs }: { readonly nonce: number; readonly nowUnixMs: number },
): Claims {
  const body = bodyDigest(utf8(text));
  if (body === undefined) throw new Error("this message can't be signed");
  return { ...claimsNow({ body, ...about }, new Uint8Array(16).fill(nonce), nowUnixMs), ...about };
}

export function withEnvelope(text: string, envelope: Envelope): Uint8Array {
  const frame = frameOf(text);
  const edits = envelopeEdits(frame, envelope);
  if (edits === undefined) throw new Error("no place for a signature");
  return edited(frame.bytes, edits);
}

export function envelopeIn(frame: Frame): Envelope | undefined {
  const place = envelopePlace(frame);
  return place && readEnvelope(frame.bytes, place);
}
