/**
 * The extension in capabilities (SEP-2133): offered by who calls, announced by who serves, each put in on the way by
 * an end that signs, and taken out by the other. `own` marks what an end put in: `true` if it made the object around
 * it too, `false` if that was there; an entry without it is the client's or the server's own, and stays.
 */
import type { Frame, RequestFrame } from "../wire/frame.ts";
import { type Edit, edited, insertion, removals } from "../wire/json-edit.ts";
import {
  everyMember,
  type Place,
  scanAt,
  scanJson,
  type Shape,
  tolerantScanLimits,
} from "../wire/json-scan.ts";
import { messageSuiteIds } from "../crypto/suites/signatures.ts";
import { extensionId } from "./envelope.ts";
import { parsedObject } from "./fields.ts";

const capabilitiesKey = "io.modelcontextprotocol/clientCapabilities";

/** Revisions before 2026-07-28 know `experimental` alone; clients and servers of theirs pass both on. */
const legacyHolders = ["extensions", "experimental"] as const;
const modernHolders = ["extensions"] as const;
type Holders = readonly ("extensions" | "experimental")[];

const holderShape = { [extensionId]: true, [everyMember]: true } as const;
const capabilitiesShape = { extensions: holderShape, experimental: holderShape } as const satisfies Shape;

/** What the extension's entry says, whoever offers or announces it. */
export const extensionSettings = {
  v: 1,
  alg: messageSuiteIds,
  canon: ["jcs"],
  cover: ["request", "result"],
} as const;

/** Offers it, if the message asks what the server is capable of and its client doesn't say this capability. */
export function offerEdits(frame: Frame): readonly Edit[] {
  const found = frame.kind === "request" && saysCapabilities(frame) ? clientCapabilities(frame) : undefined;
  return found === undefined ? [] : puttingIn(frame.bytes, found.capabilities, found.holders);
}

/** Whether the message offers it, and what to take out so that it is as its client said it. */
export function offerIn(frame: Frame): { readonly isOffered: boolean; readonly removals: readonly Place[] } {
  const found = frame.kind === "request" && mentions(frame.bytes) ? clientCapabilities(frame) : undefined;
  if (found === undefined) return { isOffered: false, removals: [] };
  return {
    isOffered: hasEntry(found.capabilities),
    removals: takingOut(frame.bytes, found.capabilities),
  };
}

/** A capability is spelled as we write it, or it isn't taken for one. */
function mentions(message: Uint8Array): boolean {
  return Buffer.from(message.buffer, message.byteOffset, message.byteLength).includes(extensionId);
}

/** Whether an answer to such a message may say the server's capabilities. */
export function saysCapabilities({ method, era }: RequestFrame): boolean {
  return era === "modern" ? method === "server/discover" : method === "initialize";
}

/** The answer with the extension announced; the same bytes if it says no capabilities, or announces it already. */
export function withAnnouncement(answer: Uint8Array, { era }: RequestFrame): Uint8Array {
  const capabilities = serverCapabilities(answer);
  if (capabilities === undefined) return answer;
  return edited(answer, puttingIn(answer, capabilities, era === "modern" ? modernHolders : legacyHolders));
}

/** Whether the answer announces it, and its bytes as the server said them. */
export function withoutAnnouncement(answer: Uint8Array): {
  readonly isAnnounced: boolean;
  readonly bytes: Uint8Array;
} {
  const capabilities = serverCapabilities(answer);
  if (capabilities === undefined) return { isAnnounced: false, bytes: answer };
  const places = takingOut(answer, capabilities);
  return { isAnnounced: hasEntry(capabilities), bytes: edited(answer, removals(answer, places)) };
}

function clientCapabilities(
  frame: RequestFrame,
): { readonly capabilities: Place; readonly holders: Holders } | undefined {
  const { bytes, params, era, method } = frame;
  if (era === "modern") {
    const place = params?.meta?.members.get(capabilitiesKey);
    const capabilities = place && scanAt(bytes, place, capabilitiesShape, tolerantScanLimits);
    return capabilities?.members && { capabilities, holders: modernHolders };
  }
  if (method !== "initialize") return undefined;
  const shape = { params: { capabilities: capabilitiesShape } };
  const { members } = scanJson(bytes, shape, tolerantScanLimits);
  const capabilities = members?.get("params")?.members?.get("capabilities");
  return capabilities?.members && { capabilities, holders: legacyHolders };
}

function serverCapabilities(answer: Uint8Array): Place | undefined {
  try {
    const { members } = scanJson(answer, { result: { capabilities: capabilitiesShape } }, tolerantScanLimits);
    const capabilities = members?.get("result")?.members?.get("capabilities");
    return capabilities?.members && capabilities;
  } catch {
    return undefined; // No JSON.
  }
}

function hasEntry({ members }: Place): boolean {
  return legacyHolders.some((name) => members?.get(name)?.members?.has(extensionId) === true);
}

function puttingIn(bytes: Uint8Array, capabilities: Place, holders: Holders): readonly Edit[] {
  if (hasEntry(capabilities)) return [];
  const found = holders.map((name) => ({ name, holder: capabilities.members?.get(name) }));
  const made = found.filter(({ holder }) => holder === undefined);
  const around = made.map(({ name }) => `"${name}":{"${extensionId}":${settings.made}}`).join(",");
  return [
    ...(made.length === 0 ? [] : [insertion(bytes, capabilities, around)]),
    ...found.flatMap(({ holder }) =>
      holder?.members === undefined ? [] : [insertion(bytes, holder, `"${extensionId}":${settings.added}`)],
    ),
  ];
}

/** INVARIANT: exactly what `puttingIn` put in. */
function takingOut(bytes: Uint8Array, capabilities: Place): readonly Place[] {
  return legacyHolders.flatMap((name) => {
    const holder = capabilities.members?.get(name);
    const entry = holder?.members?.get(extensionId);
    if (holder === undefined || entry === undefined) return [];
    const own = ownIn(bytes, entry);
    if (own === undefined) return [];
    return own && holder.members?.size === 1 ? [holder] : [entry];
  });
}

/** What an entry says of who put it in; undefined if that was no end of ours. */
function ownIn(bytes: Uint8Array, { start, end }: Place): boolean | undefined {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString("utf8");
  if (text === settings.made) return true;
  const own = parsedObject(text)?.["own"];
  return typeof own === "boolean" ? own : undefined;
}

const settings = {
  made: JSON.stringify({ ...extensionSettings, own: true }),
  added: JSON.stringify({ ...extensionSettings, own: false }),
};
