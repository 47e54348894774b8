/** The refusals of messages for their signatures: each says what is wrong and, where that helps, what would do. */
import { authorizationKey } from "../integrity/denial.ts";
import { type SignatureNeed, writeNeed } from "../integrity/mode.ts";
import { Refusal, type RefusalCode } from "../kernel/refusal.ts";
import type { SignatureFault } from "../model/message-proof.ts";

/** The codes among the others. */
export const signatureCodes = [
  "signature_required",
  "signature_refused",
  "route_cut",
  "answer_refused",
] as const satisfies readonly RefusalCode[];
type SignatureCode = (typeof signatureCodes)[number];

const says = {
  stripped: "It isn't signed, and whoever sends it signs its messages.",
  malformed: "Its signature can't be read.",
  tampered: "It isn't the message that was signed.",
  bad_signature: "Its signature is wrong.",
  unknown_key: "It is signed with a key that isn't pinned here for who signed it, or that nobody approved.",
  weak_algorithm: "It is signed with an algorithm that isn't taken.",
  expired: "Its signature has expired.",
  not_yet_valid: "Its signature is from the future.",
  stale: "It was signed before this end began to remember what it has seen.",
  replayed: "It was here before.",
  wrong_audience: "It is signed for somebody else.",
  wrong_issuer: "It is signed by somebody else than who sends it.",
  wrong_direction: "It is signed as an answer where a call is expected, or the other way round.",
  wrong_call: "It is signed as the answer to another call.",
  changed:
    "Somebody on the way changed it and signed it in its stead; who trusts that end takes it with --accept-changes.",
  unattested: "Messages before it were promised a signature that didn't come.",
  wrong_batch: "The signature of its batch says something else.",
} as const satisfies Record<SignatureFault, string>;

/** Faults that the same message, signed anew, doesn't have. */
const curable: ReadonlySet<SignatureFault> = new Set<SignatureFault>([
  "stripped",
  "unknown_key",
  "weak_algorithm",
  "expired",
  "not_yet_valid",
  "stale",
  "replayed",
]);

/** The message has a signature that doesn't count, or none where its sender signs. */
export function faulty(
  fault: SignatureFault,
  { code = "signature_refused", need }: { readonly code?: SignatureCode; readonly need?: SignatureNeed } = {},
): Refusal {
  const what = code === "answer_refused" ? "The server's answer" : "The message";
  return refusal(code, `${what} is refused for its signature. ${says[fault]}`, { fault, need });
}

/** The message would be taken if it were signed like this. */
export function needing(need: SignatureNeed, because = "Messages like this are taken only signed."): Refusal {
  return refusal("signature_required", because, { need });
}

/** Nothing goes this way until a person approves the keys again, or what was promised is signed. */
export function cut(fault: SignatureFault): Refusal {
  const because =
    fault === "unattested"
      ? says.unattested
      : "What was signed this way contradicted itself; a person has to look at it, and approve the keys again.";
  return refusal("route_cut", `The way of these messages is cut. ${because}`, { fault });
}

/** What is wrong with the signature, if that is why. */
export function faultIn(error: unknown): string | undefined {
  const fault = error instanceof Refusal ? error.facts["signature_fault"] : undefined;
  return typeof fault === "string" ? fault : undefined;
}

function refusal(
  code: SignatureCode,
  text: string,
  { fault, need }: { readonly fault?: SignatureFault; readonly need?: SignatureNeed | undefined },
): Refusal {
  const isCurable = need !== undefined || (fault !== undefined && curable.has(fault));
  const said = {
    reason: code,
    ...(fault !== undefined && { fault }),
    remediation: code !== "answer_refused" && isCurable ? "available" : "unavailable",
    ...(need && { need: writeNeed(need) }),
  };
  return new Refusal(code, text, {
    data: { [authorizationKey]: said },
    facts: fault === undefined ? {} : { signature_fault: fault },
  });
}
