/**
 * A whole key exchange, both ends: the key is made, its public half and the answer go over as bytes, and both hold
 * one secret in the end. What TLS does for a group (RFC 8446 §4.2.8, RFC 10024) without TLS around it.
 */
import {
  constants,
  createPublicKey,
  diffieHellman,
  encapsulate,
  generateKeyPairSync,
  type KeyObject,
  privateDecrypt,
  publicEncrypt,
  randomBytes,
} from "node:crypto";

import { equalInConstantTime } from "../kernel/bytes.ts";
import { decapsulateUnconfirmed, generateKemKeyPair, importKemPublicKey } from "./kem.ts";
import type { ComparedExchange } from "./suites/compared.ts";
import type { KemSuite } from "./suites/kem.ts";

export interface Exchanged {
  /** What the side that begins sends. */
  readonly publicKeyBytes: number;
  /** What the other side answers. */
  readonly messageBytes: number;
}

/** One end's keys, and what they are good for. */
interface Half {
  readonly publicKey: Uint8Array;
  /** @param message what the other end answered */
  readonly secret: (message: Uint8Array) => Uint8Array;
}

interface Answer {
  readonly message: Uint8Array;
  readonly secret: Uint8Array;
}

/** A mechanism: somebody begins, and somebody answers to the public key. */
interface Mechanism {
  readonly begin: () => Half;
  readonly answer: (publicKey: Uint8Array) => Answer;
}

type Agreement = NonNullable<Extract<ComparedExchange["how"], { kind: "agreement" }>["agreement"]>;
type Transport = Extract<ComparedExchange["how"], { kind: "transport" }>["transport"];

const secretBytes = 32;

/** @returns a function that does one whole exchange each time; it throws if the ends don't agree */
export function keyExchange({ id, how }: ComparedExchange): () => Exchanged {
  const mechanisms =
    how.kind === "transport"
      ? [transporting(how.transport)]
      : [how.agreement && agreeing(how.agreement), how.kem && encapsulating(how.kem)].flatMap(
          (mechanism) => mechanism ?? [],
        );
  return () => {
    const done = mechanisms.map(exchanged);
    if (!done.every(({ isAgreed }) => isAgreed)) throw new Error(`${id}: the ends have different secrets`);
    return {
      publicKeyBytes: sum(done.map(({ publicKeyBytes }) => publicKeyBytes)),
      messageBytes: sum(done.map(({ messageBytes }) => messageBytes)),
    };
  };
}

function exchanged({ begin, answer }: Mechanism): Exchanged & { readonly isAgreed: boolean } {
  const half = begin();
  const { message, secret } = answer(half.publicKey);
  return {
    publicKeyBytes: half.publicKey.length,
    messageBytes: message.length,
    isAgreed: equalInConstantTime(half.secret(message), secret),
  };
}

function transporting({ modulusBits, digest, isEphemeral }: Transport): Mechanism {
  const made = (): { publicKey: KeyObject; privateKey: KeyObject } =>
    generateKeyPairSync("rsa", { modulusLength: modulusBits });
  const lasting = isEphemeral ? undefined : made();
  const padding = { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: digest } as const;
  return {
    begin: () => {
      const { publicKey, privateKey } = lasting ?? made();
      return {
        publicKey: publicKey.export({ format: "der", type: "pkcs1" }),
        secret: (message) => privateDecrypt({ key: privateKey, ...padding }, message),
      };
    },
    answer: (bytes) => {
      const key = createPublicKey({ key: Buffer.from(bytes), format: "der", type: "pkcs1" });
      const secret = randomBytes(secretBytes);
      return { message: publicEncrypt({ key, ...padding }, secret), secret };
    },
  };
}

function agreeing({ keyType, curve }: Agreement): Mechanism {
  const made = (): { publicKey: KeyObject; privateKey: KeyObject } =>
    keyType === "ec"
      ? generateKeyPairSync(keyType, { namedCurve: curve ?? "" })
      : generateKeyPairSync(keyType);
  const read = (key: Uint8Array): KeyObject =>
    createPublicKey({
      key: Buffer.from(key),
      format: "raw-public",
      asymmetricKeyType: keyType,
      ...(curve !== undefined && { namedCurve: curve }),
    });
  return {
    begin: () => {
      const { publicKey, privateKey } = made();
      return {
        publicKey: publicKey.export({ format: "raw-public" }),
        secret: (message) => diffieHellman({ privateKey, publicKey: read(message) }),
      };
    },
    answer: (bytes) => {
      const { publicKey, privateKey } = made();
      return {
        message: publicKey.export({ format: "raw-public" }),
        secret: diffieHellman({ privateKey, publicKey: read(bytes) }),
      };
    },
  };
}

/** Bare, as it stands in TLS, where the handshake confirms it. The secret is compared and thrown away. */
function encapsulating(suite: KemSuite): Mechanism {
  return {
    begin: () => {
      const pair = generateKemKeyPair(suite);
      return {
        publicKey: pair.publicKey.bytes,
        secret: (message) => decapsulateUnconfirmed(pair, message),
      };
    },
    answer: (bytes) => {
      const { ciphertext, sharedKey } = encapsulate(importKemPublicKey(suite, bytes).key);
      return { message: ciphertext, secret: sharedKey };
    },
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
