/**
 * Answers too long to be read carry no signature: the serving end remembers a digest of their bytes under the nonce
 * of their call, and attests it to whoever signed that, when it is asked to (docs/formats/message-signature.md).
 */
import { runningSha256 } from "../crypto/running-hash.ts";
import type { RunningDigest } from "../crypto/subject-keys.ts";

export interface LongAnswers {
  readonly note: (call: SignedCall, digest: string, nowUnixMs: number) => void;
  /** Those of that signer's calls whose answers have ended, by their nonces; each is said once. */
  readonly take: (
    signer: string,
    nonces: readonly string[],
    nowUnixMs: number,
  ) => ReadonlyMap<string, string>;
}

/** Who passes a call on sees its nonce, and may use it for a call of its own. */
export interface SignedCall {
  /** SPIFFE ID. */
  readonly signer: string;
  readonly nonce: string;
}

const maxAnswers = 1000;
/** Who gets one asks at once, over the same link. */
const keptMs = 120_000;

/** Of more than a thousand answers the oldest are forgotten: whoever waits for one of them gets no answer. */
export function longAnswers(): LongAnswers {
  const kept = new Map<string, { readonly digest: string; readonly goneUnixMs: number }>();
  return {
    note: (call, digest, nowUnixMs) => {
      const name = nameOf(call);
      kept.delete(name);
      kept.set(name, { digest, goneUnixMs: nowUnixMs + keptMs });
      for (const [oldest, { goneUnixMs }] of kept) {
        if (kept.size <= maxAnswers && goneUnixMs > nowUnixMs) break;
        kept.delete(oldest);
      }
    },
    take: (signer, nonces, nowUnixMs) => {
      const taken = new Map<string, string>();
      for (const nonce of nonces) {
        const name = nameOf({ signer, nonce });
        const found = kept.get(name);
        if (kept.delete(name) && found !== undefined && found.goneUnixMs > nowUnixMs)
          taken.set(nonce, found.digest);
      }
      return taken;
    },
  };
}

/** Nonces have no spaces, however a signer is spelled. */
function nameOf({ signer, nonce }: SignedCall): string {
  return `${nonce} ${signer}`;
}

/** The digest of a long answer's bytes, `raw-sha-256:` and base64url, as they pass. */
export function rawDigest(): RunningDigest {
  const { update, end } = runningSha256();
  return { update, end: () => `raw-sha-256:${end()}` };
}
