/** What an operator decides about a server's tools, and a manifest that vouches for them. Nothing else changes pins. */
import { parsedObject } from "../fields.ts";
import type { ContentHash } from "./content-hash.ts";
import type { VerifiedManifest } from "./manifest.ts";
import { pinnedIn, withVersion } from "./pin-versions.ts";
import { readTrust } from "./trust.ts";
import type { ManifestInForce, PinChange, PinnedPublisher, ToolPins } from "./tool-pins.ts";

/** `refused` says why, for the operator. */
export type Decided =
  | { readonly kind: "done"; readonly pins: ToolPins; readonly changes: readonly PinChange[] }
  | { readonly kind: "refused"; readonly why: string };

/** Who decides, when, and in their own words why. */
export interface Decision {
  readonly who: string;
  readonly atUnixMs: number;
  readonly why?: string;
}

/** What somebody looked at. */
export interface Approval {
  readonly name: string;
  /** Of the form that was looked at; undefined: that the tool is gone. */
  readonly contentHash: ContentHash | undefined;
}

/**
 * Takes up what waits, form by form.
 * INVARIANT: a form counts only by its hash, so that nobody approves what came after what they saw.
 */
export function approveTools(
  pins: ToolPins,
  approvals: readonly Approval[],
  { who, atUnixMs, why }: Decision,
): Decided {
  const changes: PinChange[] = [];
  for (const { name, contentHash } of new Map(approvals.map((each) => [each.name, each])).values()) {
    const refused = contentHash === undefined ? notMissing(pins, name) : notWaiting(pins, name, contentHash);
    if (refused !== undefined) return { kind: "refused", why: refused };
    const from = pins.pinned.get(name)?.contentHash;
    const form = {
      ...(from !== undefined && { from }),
      ...(contentHash !== undefined && { to: contentHash }),
    };
    changes.push({ name, ...form, by: { kind: "operator", who } });
  }
  return done(pins, { atUnixMs, changes, ...(why !== undefined && { why }) });
}

/**
 * What `approve` without names means: all that waits and whose form is kept, but for hidden text and what was rolled back,
 * which want to be named.
 */
export function approvable(pins: ToolPins): readonly Approval[] {
  return [...pins.pending].flatMap(([name, { contentHash, reasons }]) => {
    const wantsName = reasons.includes("hidden-text") || reasons.includes("rolled-back");
    const isSeen = contentHash !== undefined && pins.forms.has(contentHash);
    return isSeen && !wantsName ? [{ name, contentHash }] : [];
  });
}

/**
 * Pins what was pinned in an earlier version, as a version of its own. What it replaces is taken up again only by
 * approval, and nothing comes in on first use any more.
 */
export function rollBackTools(pins: ToolPins, toVersion: number, { who, atUnixMs, why }: Decision): Decided {
  const earlier = pinnedIn(pins, toVersion);
  if (earlier === undefined || toVersion === pins.version) {
    const [oldest] = pins.history;
    const from = oldest === undefined ? 0 : oldest.version - 1;
    return {
      kind: "refused",
      why: `expected an earlier version, from ${from} to ${pins.version - 1}, found ${toVersion}`,
    };
  }
  const changes = [...new Set([...pins.pinned.keys(), ...earlier.keys()])].flatMap((name): PinChange[] => {
    const [from, to] = [pins.pinned.get(name)?.contentHash, earlier.get(name)];
    if (from === to) return [];
    const form = { ...(from !== undefined && { from }), ...(to !== undefined && { to }) };
    return [{ name, ...form, by: { kind: "roll-back", who, toVersion } }];
  });
  if (changes.length === 0) return { kind: "done", pins: { ...pins, firstUse: { kind: "done" } }, changes };
  const next = withVersion(
    { ...pins, firstUse: { kind: "done" } },
    { atUnixMs, changes, ...(why !== undefined && { why }) },
  );
  return { kind: "done", pins: { ...next, pending: stillListed(pins, next, atUnixMs) }, changes };
}

/** What was rolled back is what the server has, as far as is known: it is blocked at once, not only when it is listed again. */
function stillListed(before: ToolPins, after: ToolPins, seenUnixMs: number): ToolPins["pending"] {
  const pending = new Map(after.pending);
  for (const { name, from, to } of after.history.at(-1)?.changes ?? []) {
    if (from === undefined || before.pending.has(name)) continue;
    const reasons = [to === undefined ? "new" : "changed", "rolled-back"] as const;
    pending.set(name, { contentHash: from, reasons, seenUnixMs });
  }
  return pending;
}

/** Accepts a publisher's keys for this server: what it signs from now on is taken up by itself. */
export function approvePublisher(pins: ToolPins, fingerprint: string): ToolPins {
  return { ...pins, publisher: { fingerprint, state: "approved" } };
}

/**
 * Settings that name publishers leave nobody else: what another signed vouches for nothing more, though what it took
 * up stays pinned, and there is still to be a manifest.
 */
export function withPublishers(pins: ToolPins, publishers: readonly string[]): ToolPins {
  const { publisher, ...others } = pins;
  if (publisher === undefined || publishers.length === 0) return pins;
  return publishers.includes(publisher.fingerprint) ? pins : others;
}

/** What may be done with a manifest whose signatures and time are right. */
export type ManifestTaken =
  | { readonly kind: "taken"; readonly pins: ToolPins }
  /** It is the one in force. */
  | { readonly kind: "known" }
  | {
      readonly kind: "refused";
      readonly why:
        /** Signed by keys that nobody approved; `approvePublisher` does. */
        | "unknown_publisher"
        /** Older than the one in force, whoever signed that, or another of the same time: a manifest never goes back. */
        | "older";
    };

/**
 * Puts a verified manifest in force: from the next list on, forms that it names are taken up.
 * @param publishers fingerprints that the operator's settings name: nobody else's count; with none, keys are pinned on first use, which is
 * before any tool is
 */
export function takeUpManifest(
  kept: ToolPins,
  manifest: VerifiedManifest,
  { publishers, pin }: { readonly publishers: readonly string[]; readonly pin: "first-use" | "approve" },
): ManifestTaken {
  const pins = withPublishers(kept, publishers);
  const publisher = acceptedPublisher(pins, manifest.signedBy, { publishers, pin });
  if (publisher === undefined) return { kind: "refused", why: "unknown_publisher" };
  const { issuedAtUnixMs, expiresAtUnixMs, nonce } = manifest;
  const before = isCounted(pins.manifest, pins, publishers) ? pins.manifest : undefined;
  const isOwn = before?.publisher === manifest.signedBy;
  if (isOwn && before.issuedAtUnixMs === issuedAtUnixMs && before.nonce === nonce) {
    return isSame(pins.publisher, publisher)
      ? { kind: "known" }
      : { kind: "taken", pins: { ...pins, publisher } };
  }
  const tools = new Map(manifest.tools.map((entry) => [entry.name, entry]));
  if (before !== undefined && (issuedAtUnixMs <= before.issuedAtUnixMs || goesBack(before.tools, tools))) {
    return { kind: "refused", why: "older" };
  }
  const inForce: ManifestInForce = {
    publisher: manifest.signedBy,
    issuedAtUnixMs,
    expiresAtUnixMs,
    nonce,
    tools,
  };
  return { kind: "taken", pins: { ...pins, publisher, manifest: inForce } };
}

/**
 * Whether an approved manifest says that the pinned form only reads. What a publisher says whose keys were only taken
 * on trust doesn't count, nor what the tool's annotations say.
 */
export function isReadOnlyByManifest(pins: ToolPins, name: string, atUnixMs: number): boolean {
  const entry = vouchedFor(pins, name);
  if (entry === undefined || atUnixMs >= signedUntil(pins, name)) return false;
  // The declaration's own label is signed by its hash; where both say something, both have to say so.
  const labels = [entry.trust, readTrust(parsedObject(pins.forms.get(entry.contentHash) ?? "")?.["trust"])];
  const said = labels.filter((label) => label !== undefined);
  return said.length > 0 && said.every(({ effect }) => effect === "read-only");
}

/** Until when a manifest of an approved publisher is in force; 0 if none is. */
export function manifestUntil({ publisher, manifest }: ToolPins): number {
  const isApproved = publisher?.state === "approved" && manifest?.publisher === publisher.fingerprint;
  return isApproved ? manifest.expiresAtUnixMs : 0;
}

/** Until when a manifest of an approved publisher names the very form that is pinned; 0 if none does. */
export function signedUntil(pins: ToolPins, name: string): number {
  return vouchedFor(pins, name) === undefined ? 0 : manifestUntil(pins);
}

function vouchedFor(pins: ToolPins, name: string): ManifestEntryInForce | undefined {
  const entry = manifestUntil(pins) > 0 ? pins.manifest?.tools.get(name) : undefined;
  return entry !== undefined && pins.pinned.get(name)?.contentHash === entry.contentHash ? entry : undefined;
}

type ManifestEntryInForce = ManifestInForce["tools"] extends ReadonlyMap<string, infer Entry> ? Entry : never;

/** What one publisher signed isn't undone by what another signed before: only those who count no more hold nobody back. */
function isCounted(
  manifest: ManifestInForce | undefined,
  { publisher }: ToolPins,
  publishers: readonly string[],
): boolean {
  if (manifest === undefined) return false;
  return publishers.includes(manifest.publisher) || manifest.publisher === publisher?.fingerprint;
}

/** SEP-3140: a version only rises. Those that aren't whole numbers have no order to hold them to. */
function goesBack(before: ManifestInForce["tools"], after: ManifestInForce["tools"]): boolean {
  const numbers = /^\d{1,15}$/;
  return [...after].some(([name, { version = "" }]) => {
    const { version: was = "" } = before.get(name) ?? {};
    return numbers.test(was) && numbers.test(version) && Number(version) < Number(was);
  });
}

function acceptedPublisher(
  pins: ToolPins,
  fingerprint: string,
  { publishers, pin }: { readonly publishers: readonly string[]; readonly pin: "first-use" | "approve" },
): PinnedPublisher | undefined {
  if (publishers.includes(fingerprint)) return { fingerprint, state: "approved" };
  if (pins.publisher !== undefined) {
    return pins.publisher.fingerprint === fingerprint ? pins.publisher : undefined;
  }
  const isFirstUse = pin === "first-use" && publishers.length === 0 && pins.version === 0;
  return isFirstUse ? { fingerprint, state: "first-use" } : undefined;
}

function isSame(a: PinnedPublisher | undefined, b: PinnedPublisher): boolean {
  return a?.fingerprint === b.fingerprint && a.state === b.state;
}

function notWaiting(pins: ToolPins, name: string, contentHash: ContentHash): string | undefined {
  const pending = pins.pending.get(name);
  if (pending === undefined) return `no change of "${name}" waits for approval`;
  if (pending.contentHash === undefined) return `"${name}" can't be approved: its declaration is unreadable`;
  if (pending.contentHash !== contentHash) {
    return `the server lists "${name}" in another form by now (${pending.contentHash}); look at it first`;
  }
  if (pins.forms.has(contentHash)) return undefined;
  return `what waits of this server was too long to keep the new "${name}"; have its tools listed again and look at it`;
}

function notMissing(pins: ToolPins, name: string): string | undefined {
  const presence = pins.pinned.get(name)?.presence;
  if (presence === undefined) return `"${name}" isn't pinned`;
  return presence === "missing" ? undefined : `the server still lists "${name}"`;
}

function done(pins: ToolPins, version: Parameters<typeof withVersion>[1]): Decided {
  return { kind: "done", pins: withVersion(pins, version), changes: version.changes };
}
