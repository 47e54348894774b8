/**
 * An answer's signature from a client's side, whose sidecar has left it in because the client asked for it: is this
 * answer what its server signed? The questions of `checkMessage`, with what a client knows: which call it answers only
 * the sidecar can tell, since it signed that.
 */
import { utf8 } from "../kernel/bytes.ts";
import type { DirectProof, PromisedProof, SignatureFault } from "../model/message-proof.ts";
import { tryReadFrame } from "../wire/frame.ts";
import { readClaims } from "./claims.ts";
import { envelopePlace, payloadOf, readEnvelope } from "./envelope.ts";
import { readKeySet } from "./key-set.ts";
import { anyCall, checkMessage } from "./message-signature.ts";

export interface AnswerTrust {
  /** Of the server's key set, as `expose` and `latticegate pins` print it. INVARIANT: it doesn't come with the answer. */
  readonly fingerprint: string;
  /** The key set: a list of JWKs (RFC 9964). It needs no trust, it must have the fingerprint. */
  readonly keys: unknown;
  /** Of the request. */
  readonly method: string;
  /** SPIFFE ID of who must have signed; any name that these keys sign for if absent. */
  readonly signer?: string;
  /** SPIFFE ID of who must have signed the call, which is the client's sidecar; any if absent. */
  readonly audience?: string;
  /** When the answer came: signatures count for two minutes. */
  readonly nowUnixMs: number;
}

export type AnswerVerdict =
  | { readonly kind: "signed"; readonly proof: DirectProof; readonly audience: string }
  /** These are the claims; the signature comes with a batch, within a second, and the sidecar checks it. */
  | { readonly kind: "promised"; readonly proof: PromisedProof; readonly audience: string }
  | { readonly kind: "unsigned" }
  | { readonly kind: "refused"; readonly fault: SignatureFault };

/** The message as bytes, or what an SDK makes of it; the former also tells members that come twice. */
export type AnswerMessage =
  | Uint8Array
  | { readonly result: object }
  | { readonly error: { readonly code: number; readonly message: string; readonly data?: unknown } };

/** Whether an answer is what the holder of these keys signed. Never throws. */
export function verifyAnswer(answer: AnswerMessage, trust: AnswerTrust): AnswerVerdict {
  const bytes = answer instanceof Uint8Array ? answer : messageOf(answer);
  const frame = tryReadFrame(bytes);
  if (frame?.kind !== "response") return refused("malformed");
  const place = envelopePlace(frame);
  if (place === undefined) return { kind: "unsigned" };
  const envelope = readEnvelope(bytes, place);
  const claims = envelope && readClaims(payloadOf(envelope));
  if (envelope === undefined || claims === undefined) return refused("malformed");
  const keySet = readKeySet(trust.keys);
  const { issuer, audience } = claims;
  const checked = checkMessage(envelope, bytes, {
    direction: "res",
    issuer: trust.signer ?? issuer,
    audience: trust.audience ?? audience,
    method: trust.method,
    request: anyCall,
    keySet: keySet?.fingerprint === trust.fingerprint ? keySet : undefined,
    trust: "approved",
    nowUnixMs: trust.nowUnixMs,
  });
  if (checked.fault !== undefined) return refused(checked.fault);
  return checked.ok.mode === "direct"
    ? { kind: "signed", proof: checked.ok, audience }
    : { kind: "promised", proof: checked.ok, audience };
}

/** Its id isn't signed, since whoever passes it on may change it. */
function messageOf(answer: object): Uint8Array {
  return utf8(JSON.stringify({ jsonrpc: "2.0", id: 0, ...answer }));
}

function refused(fault: SignatureFault): AnswerVerdict {
  return { kind: "refused", fault };
}
