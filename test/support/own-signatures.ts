/**
 * Message signatures as somebody makes them who has nothing of ours but the format (docs/formats/message-signature.md):
 * with keys of their own, in whosever name they like.
 */
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";

export const sigMember = "dev.latticegate/sig";
export const extensionId = "dev.latticegate/message-signature";
export const keysMethod = "dev.latticegate/message-keys";
export const attestMethod = "dev.latticegate/attest";

/** A JSON-RPC message, taken apart as far as somebody may want to. */
export interface Message {
  readonly jsonrpc?: string;
  readonly id?: unknown;
  readonly method?: string;
  params?: Holder;
  result?: Holder;
  error?: { readonly code: number; readonly message: string; readonly data?: Holder };
}

/** What holds `_meta`: params, or a result. */
export interface Holder {
  name?: string;
  arguments?: Readonly<Record<string, unknown>>;
  content?: readonly Said[];
  contents?: readonly Said[];
  tools?: readonly { description: string }[];
  keys?: readonly Jwk[];
  readonly leaves?: readonly string[];
  readonly statement?: Jws;
  capabilities?: Capabilities;
  isError?: boolean;
  _meta?: Meta;
}

interface Said {
  readonly type?: string;
  text: string;
}

interface Capabilities {
  extensions?: Record<string, { readonly own?: boolean }>;
  experimental?: Record<string, { readonly own?: boolean }>;
}

interface Meta {
  "dev.latticegate/sig"?: SigMember;
  "io.modelcontextprotocol/clientCapabilities"?: Capabilities;
  [more: string]: unknown;
}

/** Signed, or only promised. */
export interface SigMember {
  readonly v: number;
  readonly own?: boolean;
  readonly jws?: Jws;
  readonly payload?: string;
  readonly batch?: string;
  readonly seq?: number;
}

interface Jws {
  readonly protected: string;
  readonly payload: string;
  readonly signature: string;
}

interface Jwk {
  readonly alg: string;
  readonly kty: string;
  readonly pub: string;
}

export interface Claims {
  v: number;
  dir: "req" | "res";
  iss: string;
  aud: string;
  iat: number;
  exp: number;
  nonce: string;
  method: string;
  body: string;
  req?: string;
  [more: string]: unknown;
}

type Algorithm = "ML-DSA-65" | "ML-DSA-87" | "ML-DSA-44" | "Ed25519";

export interface OwnKeys {
  /** As a message says whose key it is. */
  readonly jwks: readonly Jwk[];
  readonly keySetFingerprint: string;
  /** The member that goes into `_meta`. */
  readonly direct: (claims: Claims | string, algorithm?: Algorithm) => SigMember;
  /** A flattened JWS of any type. */
  readonly jws: (typ: string, payload: string, algorithm?: Algorithm) => Jws;
}

export function ownKeys(): OwnKeys {
  const keys = new Map<Algorithm, { readonly key: KeyObject; readonly jwk: Jwk; readonly kid: string }>();
  const keyOf = (alg: Algorithm): { readonly key: KeyObject; readonly jwk: Jwk; readonly kid: string } => {
    const known = keys.get(alg);
    if (known !== undefined) return known;
    const { privateKey, publicKey } = generateKeyPairSync(alg.toLowerCase() as "ml-dsa-65");
    const pub = base64url(publicKey.export({ format: "raw-public" }));
    const jwk = { alg, kty: "AKP", pub };
    const made = { key: privateKey, jwk, kid: digest(jcs(jwk)) };
    keys.set(alg, made);
    return made;
  };
  const jws: OwnKeys["jws"] = (typ, payload, alg = "ML-DSA-65") => {
    const { key, kid } = keyOf(alg);
    const head = base64url(JSON.stringify({ alg, kid, typ }));
    const body = base64url(payload);
    const signature = base64url(sign(null, Buffer.from(`${head}.${body}`), key));
    return { protected: head, payload: body, signature };
  };
  const jwks = [keyOf("ML-DSA-65").jwk, keyOf("ML-DSA-87").jwk];
  return {
    jwks,
    keySetFingerprint: digest(jcs({ keys: jwks })),
    jws,
    direct: (claims, alg) => ({
      v: 1,
      jws: jws("mcp-message+jws", typeof claims === "string" ? claims : JSON.stringify(claims), alg),
    }),
  };
}

/** Claims of a message of one's own, valid for two minutes. */
export function freshClaims(
  about: Pick<Claims, "dir" | "iss" | "aud" | "method"> & { readonly req?: string },
  message: Message,
): Claims {
  const iat = Math.floor(Date.now() / 1000);
  const nonce = base64url(randomBytes(16));
  return { v: 1, ...about, iat, exp: iat + 120, nonce, body: bodyDigest(message) };
}

/** The payload's text in a message that is signed or promised; undefined in one that isn't. */
export function payloadOf(message: Message): string | undefined {
  const member = (message.params ?? message.result)?._meta?.[sigMember];
  return member?.jws?.payload ?? member?.payload;
}

export function claimsOf(message: Message): Claims | undefined {
  const payload = payloadOf(message);
  return payload === undefined
    ? undefined
    : (JSON.parse(Buffer.from(payload, "base64url").toString()) as Claims);
}

/** RFC 6962 §2.1: of a payload as it stands on the wire. */
export function leafOf(payload: string): string {
  return digest(Buffer.concat([Buffer.of(0), Buffer.from(payload)]));
}

/** RFC 6962 §2.1: over leaves in base64url, as a statement says it. */
export function rootOf(leaves: readonly string[]): string {
  const over = (hashes: readonly Buffer[]): Buffer => {
    const [first = createHash("sha256").digest(), ...more] = hashes;
    if (more.length === 0) return first;
    let split = 1;
    while (split * 2 < hashes.length) split *= 2;
    const halves = [over(hashes.slice(0, split)), over(hashes.slice(split))];
    return createHash("sha256")
      .update(Buffer.concat([Buffer.of(1), ...halves]))
      .digest();
  };
  const root = over(leaves.map((leaf) => Buffer.from(leaf, "base64url")));
  return `sha-256:${root.toString("base64url")}`;
}

export function fromBase64url(text: string): string {
  return Buffer.from(text, "base64url").toString();
}

const hopMembers = [
  sigMember,
  "dev.latticegate/receipt",
  "dev.latticegate/answer",
  "progressToken",
  "io.modelcontextprotocol/subscriptionId",
  "traceparent",
  "tracestate",
  "baggage",
];

/** `body`: of the message without what hops may change. */
export function bodyDigest(message: Message): string {
  const { id: _, ...copy } = structuredClone(message);
  for (const holder of [copy.params, copy.result, copy.error?.data]) {
    const meta = holder?._meta;
    if (meta === undefined) continue;
    for (const name of hopMembers) delete meta[name];
    const capabilities = meta["io.modelcontextprotocol/clientCapabilities"];
    const isAlone = capabilities?.extensions?.[extensionId]?.own === true;
    delete capabilities?.extensions?.[extensionId];
    if (isAlone) delete capabilities?.extensions;
    if (Object.keys(meta).length === 0) delete holder?._meta;
  }
  return `sha-256:${digest(jcs(copy))}`;
}

/** RFC 8785; what is signed here holds no numbers that JavaScript writes otherwise. */
function jcs(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(jcs).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, each]) => `${JSON.stringify(name)}:${jcs(each)}`).join(",")}}`;
}

function digest(text: string | Uint8Array): string {
  return createHash("sha256").update(text).digest("base64url");
}

function base64url(bytes: string | Uint8Array): string {
  return Buffer.from(bytes as Uint8Array).toString("base64url");
}
