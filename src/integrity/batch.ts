/**
 * Signing in batches: who signs numbers what it sends, and signs the Merkle root over some hundreds of payloads at
 * once (RFC 6962 §2.1; docs/formats/message-signature.md). This is the sending side, and the statement itself.
 */
import { sha256, sha256Base64url } from "../crypto/hash.ts";
import { type FlattenedJws, signFlattened } from "../crypto/jws.ts";
import { toBase64url, utf8 } from "../kernel/bytes.ts";
import { rootOf } from "../merkle/hashing.ts";
import { isSignatureFault, type SignatureFault } from "../model/message-proof.ts";
import { type Direction, directionIn, maxMethodLength, nameIn, readValidity, validity } from "./claims.ts";
import { readFlattened } from "./envelope.ts";
import {
  countIn,
  digestIn,
  encodedObject,
  type Fields,
  listIn,
  objectIn,
  optional,
  textIn,
  tokenIn,
  whole,
} from "./fields.ts";
import type { KeySet, MessageSigner } from "./key-set.ts";
import { misdirection, signatureOf, untimeliness } from "./message-signature.ts";

/** Of a statement's JWS. */
const statementType = "mcp-batch+jws";

/** In one statement. */
export const maxLeaves = 1024;
/** How many leaves, and how old the first of them, make a statement due: a full one, since each costs two signatures. */
const dueLeaves = maxLeaves;
const dueAfterMs = 250;
/** That wait for a statement: the other end has answered none for long. */
const maxWaiting = 16 * maxLeaves;

/** What one end has promised to sign. */
export interface OutgoingBatch {
  /** 16 random bytes, base64url. */
  readonly id: string;
  /** The number of the next message; undefined if too many wait. */
  readonly add: (payload: string, nowUnixMs: number) => number | undefined;
  /** When the next statement is due; undefined if nothing waits. */
  readonly dueUnixMs: () => number | undefined;
  /** The leaves that have waited longest, which then wait no more; who can't deliver them says so again. */
  readonly take: (most?: number) => LeafRange;
}

/** Leaves of a batch that stand next to one another. */
export interface LeafRange {
  readonly batch: string;
  /** The number of the first. */
  readonly start: number;
  /** 32 bytes each, base64url. */
  readonly leaves: readonly string[];
}

/** @param token 16 random bytes */
export function outgoingBatch(token: Uint8Array): OutgoingBatch {
  const id = toBase64url(token);
  let start = 0;
  let waiting: { readonly leaf: string; readonly atUnixMs: number }[] = [];
  return {
    id,
    add: (payload, atUnixMs) => {
      if (waiting.length >= maxWaiting) return undefined;
      waiting.push({ leaf: leafOf(payload), atUnixMs });
      return start + waiting.length - 1;
    },
    dueUnixMs: () => {
      const first = waiting[0];
      return first && (waiting[dueLeaves - 1]?.atUnixMs ?? first.atUnixMs + dueAfterMs);
    },
    take: (most = maxLeaves) => {
      const leaves = waiting.slice(0, most).map(({ leaf }) => leaf);
      const range = { batch: id, start, leaves };
      waiting = waiting.slice(leaves.length);
      start += leaves.length;
      return range;
    },
  };
}

/** The leaf of a message: over its payload as it stands on the wire (RFC 6962 §2.1: 0x00 ‖ data), in base64url. */
export function leafOf(payload: string): string {
  return sha256Base64url(`\0${payload}`);
}

/** What an end says of a range of its batch. */
export interface Statement {
  readonly direction: Direction;
  readonly issuer: string;
  readonly audience: string;
  readonly batch: string;
  readonly start: number;
  /** The number behind the last. */
  readonly end: number;
  /** `sha-256:` and the Merkle root over the leaves. */
  readonly root: string;
  /** Of long answers: `raw-sha-256:` digests by the nonces of their calls. */
  readonly long: ReadonlyMap<string, string>;
}

export interface StatementAbout {
  readonly direction: Direction;
  readonly issuer: string;
  readonly audience: string;
  readonly long?: ReadonlyMap<string, string>;
}

export function signStatement(
  range: LeafRange,
  { direction, issuer, audience, long }: StatementAbout,
  key: MessageSigner,
  nowUnixMs: number,
): Promise<FlattenedJws> {
  const { issuedAtUnixS, expiresAtUnixS } = validity(nowUnixMs);
  const { batch, start, leaves } = range;
  const payload = {
    v: 1,
    dir: direction,
    iss: issuer,
    aud: audience,
    iat: issuedAtUnixS,
    exp: expiresAtUnixS,
    batch,
    start,
    end: start + leaves.length,
    root: rootOver(leaves),
    long: long === undefined || long.size === 0 ? undefined : Object.fromEntries(long),
  };
  return signFlattened(statementType, toBase64url(utf8(JSON.stringify(payload))), key);
}

export interface ExpectedStatement {
  readonly direction: Direction;
  readonly issuer: string;
  readonly audience: string;
  readonly keySet: KeySet | undefined;
  readonly nowUnixMs: number;
}

/** Whether the statement is the issuer's, and about these leaves. */
export function checkStatement(
  statement: FlattenedJws,
  range: LeafRange,
  expected: ExpectedStatement,
):
  | { readonly ok: Statement; readonly fault?: never }
  | { readonly ok?: never; readonly fault: SignatureFault } {
  if (expected.keySet === undefined) return { fault: "unknown_key" };
  const signature = signatureOf(statement, statementType, expected.keySet);
  if (signature.fault !== undefined) return { fault: signature.fault };
  const fields = encodedObject(statement.payload);
  const said = fields && readStatement(fields);
  const times = fields && readValidity(fields);
  if (said === undefined || times === undefined) return { fault: "malformed" };
  const fault = misdirection(said, expected) ?? untimeliness(times, expected.nowUnixMs);
  if (fault !== undefined) return { fault };
  return isAbout(said, range) ? { ok: said } : { fault: "wrong_batch" };
}

function isAbout({ batch, start, end, root }: Statement, range: LeafRange): boolean {
  return (
    batch === range.batch &&
    start === range.start &&
    end === start + range.leaves.length &&
    root === rootOver(range.leaves)
  );
}

function readStatement(fields: Fields): Statement | undefined {
  if (fields["v"] !== 1) return undefined;
  return whole({
    direction: directionIn(fields["dir"]),
    issuer: nameIn(fields["iss"]),
    audience: nameIn(fields["aud"]),
    batch: tokenIn(fields["batch"]),
    start: countIn(fields["start"]),
    end: countIn(fields["end"]),
    root: digestIn(fields["root"]),
    long: readLong(fields["long"]),
  });
}

function rootOver(leaves: readonly string[]): string {
  const nodes = leaves.map((leaf) => Buffer.from(leaf, "base64url"));
  return `sha-256:${toBase64url(rootOf(sha256, nodes))}`;
}

/** In one statement. */
export const maxLong = 64;

function readLong(value: unknown): ReadonlyMap<string, string> | undefined {
  if (value === undefined) return new Map();
  const rows = Object.entries(objectIn(value) ?? { "": undefined });
  const read = rows.flatMap(([nonce, digest]): (readonly [string, string])[] => {
    const isOne = tokenIn(nonce) !== undefined && typeof digest === "string" && rawDigest.test(digest);
    return isOne ? [[nonce, digest]] : [];
  });
  return rows.length <= maxLong && read.length === rows.length ? new Map(read) : undefined;
}

const rawDigest = /^raw-sha-256:[A-Za-z0-9_-]{43}$/;

/** What travels in `dev.latticegate/attest`, both ways: a statement with its leaves, and what its sender asks and reports. */
export interface Attestation {
  readonly range: LeafRange;
  readonly statement: FlattenedJws;
  /** Nonces of calls whose long answers are to be attested. */
  readonly long: readonly string[];
  /** What the sender found wrong with what it got. */
  readonly faults: readonly FaultReport[];
}

export interface FaultReport {
  readonly fault: SignatureFault;
  /** Of the call. */
  readonly nonce?: string;
  readonly method?: string;
}

const maxFaults = 64;
const maxFaultLength = 64;

/** The params or the result, without `_meta`. */
export function writeAttestation({ range, statement, long, faults }: Attestation): Fields {
  return {
    batch: range.batch,
    start: range.start,
    leaves: range.leaves,
    statement,
    ...(long.length > 0 && { long }),
    ...(faults.length > 0 && { faults }),
  };
}

/** @returns undefined for what isn't one, within its bounds */
export function readAttestation(value: unknown): Attestation | undefined {
  const fields = objectIn(value) ?? {};
  const jws = objectIn(fields["statement"]);
  const range = whole({
    batch: tokenIn(fields["batch"]),
    start: countIn(fields["start"]),
    leaves: listIn(fields["leaves"], maxLeaves, leafIn),
  });
  return whole({
    range,
    statement: jws && readFlattened(jws),
    long: listIn(fields["long"] ?? [], maxLong, tokenIn),
    faults: faultsIn(fields["faults"] ?? []),
  });
}

function leafIn(value: unknown): string | undefined {
  return typeof value === "string" && leafPattern.test(value) ? value : undefined;
}

/** 32 bytes: the last character has four bits of them, and two that are zero. */
const leafPattern = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/;

/** Without those that aren't known here, which end nothing: a newer end may find more. */
function faultsIn(value: unknown): readonly FaultReport[] | undefined {
  const reports = listIn(value, maxFaults, faultIn);
  return reports?.flatMap(({ fault, ...about }) => (isSignatureFault(fault) ? [{ fault, ...about }] : []));
}

type Reported = Omit<FaultReport, "fault"> & { readonly fault: string };

function faultIn(value: unknown): Reported | undefined {
  const fields = objectIn(value) ?? {};
  const fault = textIn(fields["fault"], maxFaultLength);
  const nonce = optional(fields, "nonce", tokenIn);
  const method = optional(fields, "method", (name) => textIn(name, maxMethodLength));
  return fault === undefined || nonce === undefined || method === undefined
    ? undefined
    : { fault, ...nonce, ...method };
}
