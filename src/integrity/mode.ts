/** How a message must be signed at least: by what it does, by what a rule demands; and how to say what is missing. */
import { type MessageSuiteId, messageSuiteIds } from "../crypto/suites/signatures.ts";
import { type MessageProof, type SignatureMode, signatureModes } from "../model/message-proof.ts";
import { countIn, type Fields, objectIn } from "./fields.ts";

export interface SignatureDemand {
  readonly mode: SignatureMode;
  /** At least that one; only a direct signature says its algorithm in time. */
  readonly algorithm?: MessageSuiteId;
  /** How long ago it may have been signed. */
  readonly maxAgeMs?: number;
}

/** What a message lacks: who signs it again like this, and not before, is heard. */
export interface SignatureNeed extends SignatureDemand {
  readonly notBeforeUnixMs?: number;
}

/**
 * What holds where no rule demands anything: a call that may change something is refused before it is carried out,
 * everything else is found out within a second.
 * @param isReadOnly by the operator's word, or an approved manifest's; a server's annotations say nothing
 */
export function leastMode(method: string, isReadOnly: boolean): SignatureMode {
  return method === "tools/call" && !isReadOnly ? "direct" : "batched";
}

/** What the message lacks of what is demanded; undefined if nothing. */
export function unmet(
  demand: SignatureDemand,
  proof: MessageProof | undefined,
  nowUnixMs: number,
): SignatureNeed | undefined {
  const { mode, algorithm, maxAgeMs } = demand;
  const isMet =
    rank(proof?.mode ?? "none") >= rank(mode) &&
    (algorithm === undefined || isAtLeast(proof, algorithm)) &&
    (maxAgeMs === undefined || (proof !== undefined && nowUnixMs - proof.signedAtUnixMs <= maxAgeMs));
  if (isMet) return undefined;
  return algorithm === undefined ? demand : { ...demand, mode: "direct" };
}

/** The stronger of two modes. */
export function strongerMode(a: SignatureMode, b: SignatureMode): SignatureMode {
  return rank(a) >= rank(b) ? a : b;
}

function isAtLeast(proof: MessageProof | undefined, algorithm: MessageSuiteId): boolean {
  if (proof?.mode !== "direct") return false;
  return messageSuiteIds.findIndex((id) => id === proof.algorithm) >= messageSuiteIds.indexOf(algorithm);
}

function rank(mode: SignatureMode): number {
  return signatureModes.indexOf(mode);
}

/** As a refusal says it. */
export function writeNeed({ mode, algorithm, maxAgeMs, notBeforeUnixMs }: SignatureNeed): Fields {
  return {
    mode,
    ...(algorithm !== undefined && { alg: algorithm }),
    ...(maxAgeMs !== undefined && { max_age_s: Math.floor(maxAgeMs / 1000) }),
    ...(notBeforeUnixMs !== undefined && { not_before: Math.ceil(notBeforeUnixMs / 1000) }),
  };
}

/** @returns undefined for what isn't one */
export function readNeed(value: unknown): SignatureNeed | undefined {
  const fields = objectIn(value);
  const mode = signatureModes.find((name) => name === fields?.["mode"]);
  const algorithm = messageSuiteIds.find((id) => id === fields?.["alg"]);
  const [maxAgeS, notBefore] = [countIn(fields?.["max_age_s"]), countIn(fields?.["not_before"])];
  if (mode === undefined || (algorithm === undefined && fields !== undefined && "alg" in fields))
    return undefined;
  return {
    mode,
    ...(algorithm !== undefined && { algorithm }),
    ...(maxAgeS !== undefined && { maxAgeMs: maxAgeS * 1000 }),
    ...(notBefore !== undefined && { notBeforeUnixMs: notBefore * 1000 }),
  };
}
