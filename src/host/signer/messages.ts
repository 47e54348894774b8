/** What is said on the signer's socket (docs/formats/signer.md). */
import { z } from "zod";

import { hmacSha256 } from "../../crypto/hash.ts";
import { signatureSuiteIds } from "../../crypto/suites/signatures.ts";
import { concat, fromBase64, fromBase64url, utf8 } from "../../kernel/bytes.ts";

export const protocolVersion = 1;
export const nonceBytes = 32;

/** A certificate with the longest SPIFFE ID and the largest key has 6 KiB. */
const maxMessageChars = 16 * 1024;

const nonce = z.string().transform(decodedAs(fromBase64url, nonceBytes));
const base64 = z.string().max(maxMessageChars).transform(decodedAs(fromBase64));
const keyName = z.string().max(64);
const id = z.int().min(1);

/** The signer begins. */
export const helloSchema = z.object({ v: z.int(), nonce });
/** The gateway proves that it has the secret; then the signer does. */
export const proofSchema = z.object({ v: z.int(), nonce, proof: nonce });
export const acceptedSchema = z.object({ proof: nonce });

const suiteName = z.enum(signatureSuiteIds);
export const requestSchema = z.discriminatedUnion("op", [
  /** The public key of that name, which is made if it isn't there. */
  z.strictObject({ id, op: z.literal("key"), name: keyName, suite: suiteName }),
  z.strictObject({ id, op: z.literal("sign"), name: keyName, suite: suiteName, message: base64 }),
  z.strictObject({ id, op: z.literal("status") }),
]);
export type SignerRequest = z.output<typeof requestSchema>;

const errorCodes = [
  "signer_refused",
  "busy",
  "bad_message",
  "unsupported_version",
  "bad_proof",
  "fault",
] as const;
export const errorSchema = z.object({ error: z.object({ code: z.enum(errorCodes), message: z.string() }) });
export type SignerError = z.output<typeof errorSchema>["error"];

const statusSchema = z.object({
  trust_domain: z.string(),
  started: z.string(),
  keys: z.array(z.object({ name: z.string(), suite: z.string(), signatures: z.number() })),
  log: z.object({ origin: z.string(), size: z.number(), generation: z.number() }).optional(),
});
export type SignerStatus = z.output<typeof statusSchema>;

export const answerSchema = z.union([
  z.object({ id, ...errorSchema.shape }),
  z.object({ id, public_key: base64 }),
  z.object({ id, signature: base64 }),
  z.object({ id, status: statusSchema }),
]);
export type SignerAnswer = z.output<typeof answerSchema>;

/**
 * Mutual authentication under a shared key (ISO/IEC 9798-4, three passes): each end proves the secret over both
 * nonces and under its own role, so neither can hand the other's proof back, and the secret is never sent.
 */
export function proofOf(
  role: "gateway" | "signer",
  secret: Uint8Array,
  nonces: { readonly signer: Uint8Array; readonly gateway: Uint8Array },
): Uint8Array {
  return hmacSha256(
    secret,
    concat([utf8(`latticegate signer/v${protocolVersion} ${role}\0`), nonces.signer, nonces.gateway]),
  );
}

function decodedAs(decode: (text: string) => Uint8Array | undefined, bytes?: number) {
  return (text: string, context: z.RefinementCtx): Uint8Array => {
    const decoded = decode(text);
    if (decoded !== undefined && (bytes === undefined || decoded.length === bytes)) return decoded;
    context.addIssue({ code: "custom", message: "expected base64" });
    return z.NEVER;
  };
}
