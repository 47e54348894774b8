/**
 * What peers and their rendezvous say to each other (docs/formats/peer.md): JSON objects, one a line, on a TLS link of
 * ALPN `latticegate-rendezvous`; and how the two connections of a relayed stream begin, which is before any TLS.
 */
import { z } from "zod";

import { concat, fromBase64url, fromUtf8, toBase64url, utf8 } from "../kernel/bytes.ts";
import { Refusal } from "../kernel/refusal.ts";

/** An introduction is some 5 KB, a certification some 8. */
export const maxRendezvousLineBytes = 24_576;
export const maxCandidates = 8;

const peerId = z.string().regex(/^[a-z2-7]{52}$/);
const server = z.string().regex(/^[a-z0-9][a-z0-9._-]{0,63}$/);
/** Where TCP may reach somebody. */
const place = z.strictObject({
  host: z.union([z.ipv4(), z.ipv6()]),
  port: z.int().min(1).max(65_535),
});
/** Whether a NAT shows others the port that it shows the rendezvous. */
const mapping = z.enum(["same", "differs", "unknown"]);
const places = z.array(place).max(maxCandidates);
const token = z.string().regex(/^[A-Za-z0-9_-]{43}$/);
const id = z.int().min(1);

export type Place = z.output<typeof place>;
export type Mapping = z.output<typeof mapping>;

/** A peer's word. */
const fromPeer = z.discriminatedUnion("say", [
  z.strictObject({
    say: z.literal("register"),
    /** As `certificationSchema` has it. */
    key: z.string().max(4096),
    certification: z.string().max(8192),
    /** "*" for all there are. */
    servers: z
      .array(z.union([server, z.literal("*")]))
      .min(1)
      .max(64),
    /** Patterns of SPIFFE IDs that may be introduced. */
    allow: z.array(z.string().min(1).max(2048)).max(64),
    places,
    mapping,
  }),
  z.strictObject({ say: z.literal("dial"), id, peer: peerId, server, places, mapping }),
  z.strictObject({ say: z.literal("ping") }),
]);

/** A rendezvous' word. */
const fromRendezvous = z.discriminatedUnion("say", [
  z.strictObject({ say: z.literal("welcome"), seen: place, probe: z.int().min(1).max(65_535).optional() }),
  z.strictObject({ say: z.literal("registered") }),
  z.strictObject({
    say: z.literal("introduction"),
    introduction: z.string().max(12_288),
    places,
    mapping,
    token,
  }),
  z.strictObject({ say: z.literal("introduced"), id, places, mapping, token }),
  z.strictObject({
    say: z.literal("refused"),
    id: id.optional(),
    code: z.string().max(64),
    why: z.string().max(500),
  }),
  z.strictObject({ say: z.literal("pong") }),
]);

export type PeerWord = z.output<typeof fromPeer>;
export type RendezvousWord = z.output<typeof fromRendezvous>;

/** @throws Refusal `bad_message` */
export function readPeerWord(line: Uint8Array): PeerWord {
  return read(fromPeer, line);
}

/** @throws Refusal `bad_message` */
export function readRendezvousWord(line: Uint8Array): RendezvousWord {
  return read(fromRendezvous, line);
}

export function asWord(word: PeerWord | RendezvousWord): Uint8Array {
  return utf8(`${JSON.stringify(word)}\n`);
}

function read<T>(schema: z.ZodType<T>, line: Uint8Array): T {
  let value: unknown;
  try {
    value = JSON.parse(fromUtf8(line) ?? "");
  } catch (cause) {
    throw new Refusal("bad_message", "A line isn't JSON.", { cause });
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new Refusal("bad_message", "A line says nothing that is known here.", { cause: result.error });
}

/** How a connection for a relayed stream begins; no TLS record does. */
const spliceMagic = utf8("LGR1");
/** The magic, and 32 bytes that the rendezvous gave out for this once. */
export const splicePrefaceBytes = 36;
/** What the relay answers once the other end is there; all after it is of that one. */
export const spliceReady = utf8("LGOK");

/** @param secret base64url of 32 bytes */
export function splicePreface(secret: string): Uint8Array {
  return concat([spliceMagic, fromBase64url(secret) ?? new Uint8Array()]);
}

/** @returns its token; undefined for a connection that begins otherwise */
export function readSplicePreface(bytes: Uint8Array): string | undefined {
  const isSplice = bytes.length >= splicePrefaceBytes && spliceMagic.every((byte, at) => bytes[at] === byte);
  return isSplice ? toBase64url(bytes.subarray(spliceMagic.length, splicePrefaceBytes)) : undefined;
}
