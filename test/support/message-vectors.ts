/** The vectors of docs/formats/message-signature.md, as they stand in their file, and what this engine says of each. */
import { readFile } from "node:fs/promises";

import { checkStatement, readAttestation } from "../../src/integrity/batch.ts";
import { requestDigest } from "../../src/integrity/claims.ts";
import { envelopePlace, readEnvelope } from "../../src/integrity/envelope.ts";
import { type KeySet, readKeySet } from "../../src/integrity/key-set.ts";
import { checkMessage } from "../../src/integrity/message-signature.ts";
import type { MessageProof, SignatureFault } from "../../src/model/message-proof.ts";
import { frameOf } from "./message-ends.ts";

interface Expectation {
  readonly direction: "req" | "res";
  readonly issuer: string;
  readonly audience: string;
  /** The name of a key set of the file. */
  readonly keys: string;
  readonly now: number;
}

export interface MessageVector {
  readonly message: string;
  readonly expected: Expectation & { readonly method: string; readonly request?: string };
}

export interface BatchVector {
  /** Params or result of `attest`. */
  readonly attestation: unknown;
  readonly expected: Expectation;
}

export interface MessageVectors {
  /** JWKs with the seed of each (FIPS 204 §3.6.3) in hex, so that others can sign too. */
  readonly keys: Readonly<
    Record<string, { readonly fingerprint: string; readonly keys: readonly VectorKey[] }>
  >;
  readonly good: Readonly<
    Record<
      string,
      MessageVector & {
        /** Before the signature was put in. */
        readonly unsigned: string;
        readonly mode: string;
        readonly algorithm?: string;
        /** The digest's canonical form is one that others' strict JCS doesn't make. */
        readonly beyondJcs?: true;
      }
    >
  >;
  readonly bad: Readonly<Record<string, MessageVector & { readonly fault: SignatureFault }>>;
  /** Windows that began at some time, and what came to them. Times are in milliseconds. */
  readonly replay: readonly {
    readonly started: number;
    readonly steps: readonly {
      /** The name of a good one. */
      readonly message: string;
      readonly at: number;
      readonly says: string;
    }[];
  }[];
  readonly batches: {
    /** With the payloads of the leaves. */
    readonly good: Readonly<Record<string, BatchVector & { readonly payloads: readonly string[] }>>;
    readonly bad: Readonly<Record<string, BatchVector & { readonly fault: SignatureFault }>>;
  };
}

interface VectorKey {
  readonly alg: string;
  readonly kty: string;
  readonly pub: string;
  readonly seed: string;
}

export async function messageVectors(): Promise<MessageVectors> {
  const file = new URL("../vectors/message-signature/vectors.json", import.meta.url);
  return JSON.parse(await readFile(file, "utf8")) as MessageVectors;
}

export function keySetNamed({ keys }: MessageVectors, name: string): KeySet | undefined {
  return readKeySet(keys[name]?.keys.map(({ alg, kty, pub }) => ({ alg, kty, pub })));
}

type Judged<T> = { readonly ok?: T; readonly fault?: SignatureFault };

/** As one who demands a signature. */
export function judgeMessage(
  vectors: MessageVectors,
  { message, expected }: MessageVector,
): Judged<MessageProof> {
  const frame = frameOf(message);
  const place = envelopePlace(frame);
  if (place === undefined) return { fault: "stripped" };
  const envelope = readEnvelope(frame.bytes, place);
  if (envelope === undefined) return { fault: "malformed" };
  const { keys, now, request, ...rest } = expected;
  const keySet = keySetNamed(vectors, keys);
  return checkMessage(envelope, frame.bytes, {
    ...rest,
    ...(request !== undefined && { request: requestDigest(request) }),
    keySet,
    trust: "approved",
    nowUnixMs: now * 1000,
  });
}

export function judgeBatch(vectors: MessageVectors, { attestation, expected }: BatchVector): Judged<unknown> {
  const read = readAttestation(attestation);
  if (read === undefined) return { fault: "malformed" };
  const { keys, now, ...rest } = expected;
  const keySet = keySetNamed(vectors, keys);
  return checkStatement(read.statement, read.range, { ...rest, keySet, nowUnixMs: now * 1000 });
}
