/**
 * An authenticator with the browser around it, as far as a page sees both: makes passkeys and signs with them (WebAuthn
 * Level 3 §6), rightly or, where a test asks for it, not.
 */
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";

import type { Passkey } from "../../src/host/store/state-people.ts";

/** What differs from a device and a browser that do everything right. */
export interface Otherwise {
  /** Page that the browser says it shows. */
  readonly origin?: string;
  /** Host that the authenticator signs for. */
  readonly host?: string;
  /** Nobody's PIN or finger was asked for. */
  readonly isUnverified?: true;
  readonly isInFrame?: true;
  readonly counter?: number;
  readonly challenge?: string;
  readonly handle?: string;
  /** Of an attestation, and what it states. */
  readonly attestation?: readonly [format: string, statement: ReadonlyMap<string, Cbor>];
}

/** One as the gateway keeps it, whose device nobody has. */
export function passkey(id: string, person: string): Omit<Passkey, "usedUnixMs"> {
  return {
    id,
    person,
    name: id,
    host: "localhost",
    handle: "handle",
    publicKey: Uint8Array.of(1),
    algorithm: "ES256",
    counter: 1,
    transports: ["usb"],
    isSynced: false,
    createdUnixMs: 5,
  };
}

/** JSON as browsers send it. */
type PasskeyJson = Readonly<Record<string, unknown>> & { readonly id: string };

export interface PasskeyDevice {
  /** @param options as the gateway asked, for `navigator.credentials.create` */
  readonly create: (options: unknown, otherwise?: Otherwise) => PasskeyJson;
  /** With its newest passkey for that host, whoever's it is. @param options for `navigator.credentials.get` */
  readonly get: (options: unknown, otherwise?: Otherwise) => PasskeyJson;
}

interface Held {
  readonly id: string;
  readonly host: string;
  readonly handle: string;
  readonly privateKey: KeyObject;
  counter: number;
}

interface Asked {
  readonly challenge: string;
  readonly rp?: { readonly id: string };
  readonly rpId?: string;
  readonly user?: { readonly id: string };
  readonly pubKeyCredParams?: readonly { readonly alg: number }[];
}

const makers = {
  "-7": { digest: "sha256", make: () => generateKeyPairSync("ec", { namedCurve: "P-256" }) },
  "-49": { digest: null, make: () => generateKeyPairSync("ml-dsa-65") },
} as const;

/** @param origin of the page that its browser shows. @param algorithm the one it has, by its COSE number */
export function passkeyDevice(
  origin: string,
  { algorithm = "-7", isSynced = false }: { algorithm?: keyof typeof makers; isSynced?: boolean } = {},
): PasskeyDevice {
  const held: Held[] = [];
  const { digest, make } = makers[algorithm];
  const own = { origin, isSynced };
  return {
    create: (options, otherwise = {}) => {
      const { challenge, rp, user, pubKeyCredParams = [] } = options as Asked;
      if (!pubKeyCredParams.some(({ alg }) => String(alg) === algorithm)) throw new Error("no algorithm");
      const { publicKey, privateKey } = make();
      const host = rp?.id ?? "";
      const key = { id: randomBytes(32).toString("base64url"), host, handle: user?.id ?? "", privateKey };
      held.unshift({ ...key, counter: 1 });
      const idBytes = Buffer.from(key.id, "base64url");
      const attested = [Buffer.alloc(16), uint(2, idBytes.length), idBytes, cbor(coseKey(publicKey))];
      const authData = Buffer.concat([
        authenticatorData(key, { ...own, ...otherwise, isNew: true }),
        ...attested,
      ]);
      const [format, statement] = otherwise.attestation ?? ["none", new Map<string, Cbor>()];
      const attestation = cbor(
        new Map<string, Cbor>([
          ["fmt", format],
          ["attStmt", statement],
          ["authData", authData],
        ]),
      );
      return answer(key.id, {
        clientDataJSON: clientData("webauthn.create", challenge, { ...own, ...otherwise }),
        attestationObject: attestation.toString("base64url"),
        transports: ["internal", "hybrid"],
      });
    },
    get: (options, otherwise = {}) => {
      const { challenge, rpId } = options as Asked;
      const key = held.find(({ host }) => host === rpId);
      if (key === undefined) throw new Error("no passkey for that host");
      const counter = otherwise.counter ?? (key.counter += 1);
      const authData = authenticatorData(key, { ...own, ...otherwise, counter });
      const clientDataJSON = clientData("webauthn.get", challenge, { ...own, ...otherwise });
      const hash = createHash("sha256").update(Buffer.from(clientDataJSON, "base64url")).digest();
      const signature = sign(digest, Buffer.concat([authData, hash]), key.privateKey);
      return answer(key.id, {
        clientDataJSON,
        authenticatorData: authData.toString("base64url"),
        signature: signature.toString("base64url"),
        userHandle: otherwise.handle ?? key.handle,
      });
    },
  };
}

function answer(id: string, response: Readonly<Record<string, unknown>>): PasskeyJson {
  const more = { clientExtensionResults: {}, authenticatorAttachment: "platform" };
  return { id, rawId: id, type: "public-key", response, ...more };
}

function clientData(
  type: string,
  asked: string,
  { origin, challenge = asked, isInFrame }: Otherwise,
): string {
  const data = { type, challenge, origin, crossOrigin: isInFrame === true };
  return Buffer.from(JSON.stringify(data)).toString("base64url");
}

function authenticatorData(
  key: { readonly host: string },
  {
    host = key.host,
    isUnverified,
    isSynced,
    isNew,
    counter = 1,
  }: Otherwise & { isSynced: boolean; isNew?: true },
): Buffer {
  const flags =
    0x01 | (isUnverified === true ? 0 : 0x04) | (isSynced ? 0x18 : 0) | (isNew === true ? 0x40 : 0);
  return Buffer.concat([createHash("sha256").update(host).digest(), uint(1, flags), uint(4, counter)]);
}

function coseKey(publicKey: KeyObject): ReadonlyMap<number, Cbor> {
  const jwk = publicKey.export({ format: "jwk" }) as Readonly<Record<string, unknown>>;
  const bytes = (text: unknown): Buffer => Buffer.from(String(text), "base64url");
  return jwk["kty"] === "EC"
    ? new Map<number, Cbor>([
        [1, 2],
        [3, -7],
        [-1, 1],
        [-2, bytes(jwk["x"])],
        [-3, bytes(jwk["y"])],
      ])
    : new Map<number, Cbor>([
        [1, 7],
        [3, -49],
        [-1, bytes(jwk["pub"])],
      ]);
}

type Cbor = number | string | Uint8Array | readonly Cbor[] | ReadonlyMap<number | string, Cbor>;

/** RFC 8949, as much as is needed. */
function cbor(value: Cbor): Buffer {
  if (typeof value === "number") return value < 0 ? head(1, -1 - value) : head(0, value);
  if (typeof value === "string")
    return Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)]);
  if (value instanceof Uint8Array) return Buffer.concat([head(2, value.length), value]);
  if (value instanceof Map)
    return Buffer.concat([
      head(5, value.size),
      ...[...(value as ReadonlyMap<number | string, Cbor>)].flatMap(([name, each]) => [
        cbor(name),
        cbor(each),
      ]),
    ]);
  const items = value as readonly Cbor[];
  return Buffer.concat([head(4, items.length), ...items.map(cbor)]);
}

function head(major: number, count: number): Buffer {
  const type = major << 5;
  if (count < 24) return uint(1, type | count);
  if (count < 0x100) return Buffer.concat([uint(1, type | 24), uint(1, count)]);
  return Buffer.concat([uint(1, type | 25), uint(2, count)]);
}

function uint(bytes: number, value: number): Buffer {
  const buffer = Buffer.alloc(bytes);
  buffer.writeUIntBE(value, 0, bytes);
  return buffer;
}
