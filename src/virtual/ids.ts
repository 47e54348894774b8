/**
 * Ids of requests that joined servers make of their client: two members may both use 1, so the client sees
 * each under its member's name, and answers under that.
 */
import { utf8 } from "../kernel/bytes.ts";
import type { RequestId } from "../wire/frame.ts";
import {
  defaultScanLimits,
  type ScanLimits,
  scanJson,
  spliced,
  tolerantScanLimits,
} from "../wire/json-scan.ts";
import { splitQualified } from "./names.ts";

const mark = "~";

/** The request with an id that says whose it is. */
export function withMemberId(message: Uint8Array, member: string, id: RequestId): Uint8Array {
  // What servers say is read tolerantly; it is its client's to judge.
  return withId(message, member + mark + JSON.stringify(id), tolerantScanLimits);
}

/** Whose request an answer answers, and the answer with that member's own id; undefined if it is nobody's. */
export function toMember(
  message: Uint8Array,
  id: RequestId | null,
): { readonly member: string; readonly message: Uint8Array } | undefined {
  const offer = typeof id === "string" ? splitQualified(id, mark) : undefined;
  if (offer === undefined || !/^(-?\d{1,16}|"[^]*")$/.test(offer.key)) return undefined;
  const own = idIn(offer.key);
  return own === undefined ? undefined : { member: offer.member, message: withId(message, own) };
}

/** An event's id that says whose stream it is of. */
export function memberEventId(member: string, id: string): string {
  return member + mark + id;
}

export function ofMemberEventId(id: string): { readonly member: string; readonly id: string } | undefined {
  const offer = splitQualified(id, mark);
  return offer && { member: offer.member, id: offer.key };
}

function idIn(text: string): RequestId | undefined {
  try {
    const id: unknown = JSON.parse(text);
    return typeof id === "string" || typeof id === "number" ? id : undefined;
  } catch {
    return undefined;
  }
}

function withId(message: Uint8Array, id: RequestId, limits: ScanLimits = defaultScanLimits): Uint8Array {
  const place = scanJson(message, { id: true }, limits).members?.get("id");
  return place === undefined ? message : spliced(message, place, utf8(JSON.stringify(id)));
}
