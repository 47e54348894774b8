/** Key exchanges and signatures by themselves, as contestants of a measurement. */
import { type Exchanged, keyExchange } from "../../crypto/compared-exchange.ts";
import { comparedKey, handshakeSignature } from "../../crypto/compared-signature.ts";
import type { ComparedExchange, ComparedSignature } from "../../crypto/suites/compared.ts";
import { type Sample, sampled } from "../../host/bench/stopwatch.ts";
import { type Recorded, recorded } from "./rounds.ts";

/** A small message, so that hashing it doesn't count; a handshake signs less. */
const messageBytes = 512;

export interface ExchangeContestant {
  readonly row: ComparedExchange;
  readonly exchanged: Exchanged;
  readonly exchanging: Recorded<Sample>;
}

export function exchangeContestant(row: ComparedExchange): ExchangeContestant {
  const exchange = keyExchange(row);
  return { row, exchanged: exchange(), exchanging: contestant(row.id, exchange) };
}

export interface SignatureContestants {
  readonly suite: ComparedSignature;
  readonly signing: Recorded<Sample>;
  readonly verifying: Recorded<Sample>;
}

export function signatureContestants(suite: ComparedSignature): SignatureContestants {
  const { sign, verify } = handshakeSignature(comparedKey(suite));
  const message = new Uint8Array(messageBytes);
  const signature = sign(message);
  return {
    suite,
    signing: contestant(`${suite.id} signing`, () => sign(message)),
    verifying: contestant(`${suite.id} verifying`, () => {
      if (!verify(message, signature)) throw new Error(`${suite.id}: a good signature doesn't verify`);
    }),
  };
}

function contestant(name: string, operation: () => unknown): Recorded<Sample> {
  return recorded(name, 1, (sliceMs) => Promise.resolve(sampled(operation, sliceMs)));
}
