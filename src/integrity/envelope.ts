/**
 * A message's signature on the wire: the member `dev.latticegate/sig` of `_meta`, or of an error's `data`. It is put
 * in front of the others and taken out where it stands, with the objects that were made for it.
 * INVARIANT: what was put in is taken out again to the byte, so that neither client nor server sees that it was there.
 */
import type { FlattenedJws } from "../crypto/jws.ts";
import type { Frame, ResponseFrame } from "../wire/frame.ts";
import { type Edit, insertion } from "../wire/json-edit.ts";
import type { Place } from "../wire/json-scan.ts";
import { maxPayloadLength } from "./claims.ts";
import { countIn, type Fields, objectIn, parsedObject, textIn, tokenIn } from "./fields.ts";

/** Of the extension (SEP-2133). */
export const extensionId = "dev.latticegate/message-signature";
/** The member of `_meta`. */
export const signatureKey = "dev.latticegate/sig";

export interface DirectEnvelope {
  readonly kind: "direct";
  readonly jws: FlattenedJws;
  /** The key set of an end that changed the message, as `writeKeySet` writes it: its reader may never have met it. */
  readonly keys?: readonly unknown[];
}

export type Envelope =
  | DirectEnvelope
  /** The claims now, the signature later: over the batch's leaves. */
  | { readonly kind: "promise"; readonly payload: string; readonly batch: string; readonly seq: number };

/** The claims as they are signed, in base64url. */
export function payloadOf(envelope: Envelope): string {
  return envelope.kind === "direct" ? envelope.jws.payload : envelope.payload;
}

/** JWS of ML-DSA-87 over the longest payload, and a key set, are shorter. */
const maxEnvelopeBytes = maxPayloadLength + 16 * 1024;
const maxHeaderLength = 512;
const maxSignatureLength = 6400;

/** Where a message's signature stands; undefined if it has none. */
export function envelopePlace(frame: Frame): Place | undefined {
  return holderOf(frame)?.members?.get(signatureKey);
}

/** @returns undefined if what stands at the place is no signature of version 1 */
export function readEnvelope(bytes: Uint8Array, place: Place): Envelope | undefined {
  const fields = envelopeFields(bytes, place);
  if (fields?.["v"] !== 1) return undefined;
  const jws = objectIn(fields["jws"]);
  if (jws !== undefined) {
    const read = readFlattened(jws);
    const keys = fields["keys"];
    return read && { kind: "direct", jws: read, ...(Array.isArray(keys) && { keys: keys as unknown[] }) };
  }
  const payload = textIn(fields["payload"], maxPayloadLength);
  const batch = tokenIn(fields["batch"]);
  const seq = countIn(fields["seq"]);
  if (payload === undefined || batch === undefined || seq === undefined) return undefined;
  return { kind: "promise", payload, batch, seq };
}

/** A flattened JWS of the bounds that ours have. */
export function readFlattened(fields: Fields): FlattenedJws | undefined {
  const header = textIn(fields["protected"], maxHeaderLength);
  const payload = textIn(fields["payload"], maxPayloadLength);
  const signature = textIn(fields["signature"], maxSignatureLength);
  if (header === undefined || payload === undefined || signature === undefined) return undefined;
  return { protected: header, payload, signature };
}

/** Puts the signature into a message that has none; undefined if there is no place for it. */
export function envelopeEdits(frame: Frame, envelope: Envelope): readonly Edit[] | undefined {
  const at = placeFor(frame);
  if (at === undefined) return undefined;
  const value = JSON.stringify(memberOf(envelope, at.own));
  return [insertion(frame.bytes, at.parent, at.around(`"${signatureKey}":${value}`))];
}

function memberOf(envelope: Envelope, own: PlaceFor["own"]): object {
  if (envelope.kind === "direct") return { v: 1, jws: envelope.jws, keys: envelope.keys, own };
  const { payload, batch, seq } = envelope;
  return { v: 1, payload, batch, seq, own };
}

/** The members to take out so that the message is as it was before the signature was put in; none if there is none. */
export function envelopeRemovals(frame: Frame): readonly Place[] {
  const holder = holderOf(frame);
  const place = holder?.members?.get(signatureKey);
  if (holder === undefined || place === undefined) return [];
  const own = envelopeFields(frame.bytes, place)?.["own"];
  // Made for it, and nothing came into it since.
  if (own === undefined || holder.members?.size !== 1) return occurrences(place);
  return [own === "params" ? paramsAround(frame, holder) : holder];
}

/** The params that have nothing but that `_meta`, or else the `_meta`. */
function paramsAround(frame: Frame, meta: Place): Place {
  const params = frame.kind === "request" ? frame.params?.span : undefined;
  const isAll = params?.start === meta.start - metaName.length - 1 && params.end === meta.end + 1;
  return isAll ? params : meta;
}

interface PlaceFor {
  /** The object that the member, with what is made around it, is put into. */
  readonly parent: { readonly start: number };
  readonly around: (member: string) => string;
  /** What was made for it. */
  readonly own?: true | "params";
}

const asItIs = (member: string): string => member;
const metaName = `"_meta":`;
const inMeta = (member: string): string => `${metaName}{${member}}`;

function placeFor(frame: Frame): PlaceFor | undefined {
  if (frame.kind === "response") return frame.error ? placeInError(frame.error) : placeBeside(frame.result);
  if (frame.params !== undefined) return placeBeside(frame.params);
  const parent = { start: frame.bytes.indexOf(openBrace) };
  return { parent, around: (member) => `"params":{${inMeta(member)}}`, own: "params" };
}

function placeBeside(object: RequestParams | undefined): PlaceFor | undefined {
  if (object === undefined || object.hasOddMeta === true) return undefined;
  if (object.meta === undefined) return { parent: object.span, around: inMeta, own: true };
  if (object.meta.members.has(signatureKey)) return undefined;
  return { parent: object.meta.span, around: asItIs };
}

type RequestParams = Pick<NonNullable<ResponseFrame["result"]>, "span" | "meta" | "hasOddMeta">;

/** MCP gives these a `data` of their own shape: HeaderMismatch, MissingRequiredClientCapability, UnsupportedProtocolVersion. */
const codesWithData = { least: -32022, most: -32020 };

function placeInError({ span, code, data }: NonNullable<ResponseFrame["error"]>): PlaceFor | undefined {
  if (code >= codesWithData.least && code <= codesWithData.most) return undefined;
  if (data === undefined) return { parent: span, around: (member) => `"data":{${member}}`, own: true };
  if (data.members === undefined || data.members.has(signatureKey)) return undefined;
  return { parent: data, around: asItIs };
}

/** The object that has the signature, or would have it. */
function holderOf(frame: Frame): Place | undefined {
  if (frame.kind === "response" && frame.error !== undefined) return frame.error.data;
  const meta = frame.kind === "response" ? frame.result?.meta : frame.params?.meta;
  return meta && { ...meta.span, members: meta.members };
}

function occurrences(last: Place): readonly Place[] {
  const places: Place[] = [];
  for (let place: Place | undefined = last; place !== undefined; place = place.earlier) places.push(place);
  return places;
}

/** What a message's signature says is asked for where it is read, and again where it is taken out. */
let latest:
  | { readonly bytes: Uint8Array; readonly start: number; readonly fields: Fields | undefined }
  | undefined;

function envelopeFields(bytes: Uint8Array, { start, end }: Place): Fields | undefined {
  if (end - start > maxEnvelopeBytes) return undefined;
  if (latest?.bytes !== bytes || latest.start !== start) {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString("utf8");
    latest = { bytes, start, fields: parsedObject(text) };
  }
  return latest.fields;
}

const openBrace = 0x7b;
