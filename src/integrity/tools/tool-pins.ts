/**
 * What is kept of one server's tools: the declarations that count, those that wait for approval, how it came to
 * that. One immutable value per server; every change gives a new one.
 */
import type { ContentHash } from "./content-hash.ts";
import { changeableFields } from "./tool-diff.ts";
import type { ManifestEntry } from "./manifest.ts";

export interface ToolPins {
  /** Of what is pinned: one more with each change of it; 0: nothing was ever pinned. */
  readonly version: number;
  /** By name. */
  readonly pinned: ReadonlyMap<string, PinnedTool>;
  /** By name, what the server listed last and nobody approved; under "" what has no name. */
  readonly pending: ReadonlyMap<string, PendingTool>;
  /** Oldest first, bounded. */
  readonly history: readonly PinVersion[];
  /** New tools that were listed were too many to keep: what isn't pinned may be one of them. */
  readonly hasForgotten?: true;
  /** Declarations (JSON text) by content hash: all that the others name, but for changes too long to keep. */
  readonly forms: ReadonlyMap<ContentHash, string>;
  /** Forms that were rolled back: only a person's approval takes them up again. */
  readonly rolledBack: ReadonlySet<ContentHash>;
  readonly firstUse: FirstUse;
  readonly publisher?: PinnedPublisher;
  /** The newest manifest that was taken up. */
  readonly manifest?: ManifestInForce;
}

export interface PinnedTool {
  readonly contentHash: ContentHash;
  readonly sinceUnixMs: number;
  readonly by: PinnedBy;
  /**
   * Whether complete lists have it. Lists may differ from caller to caller, so one that came back after it was
   * missing isn't missed again.
   */
  readonly presence: "listed" | "missing" | "comes-and-goes";
}

/** Who or what decided that a form counts. */
export type PinnedBy =
  | { readonly kind: "first-use" }
  /** What the operator's settings accept without being asked. */
  | { readonly kind: "rule"; readonly accepted: readonly AcceptedChange[] }
  /** A manifest signed by this publisher (fingerprint). */
  | { readonly kind: "manifest"; readonly publisher: string }
  | { readonly kind: "operator"; readonly who: string }
  | { readonly kind: "roll-back"; readonly who: string; readonly toVersion: number };

/** What an operator may accept once for all (`accept`). Hidden text is only ever approved form by form. */
export type AcceptedChange = (typeof changeableFields)[number] | "new" | "shadows" | "look-alike";

export const acceptedChanges: readonly AcceptedChange[] = [
  "new",
  ...changeableFields,
  "shadows",
  "look-alike",
];

/** Why a tool waits; a call to it is refused. */
export type PendingReason =
  | "new"
  | "changed"
  | "hidden-text"
  | "shadows"
  | "look-alike"
  /** A manifest is in force and doesn't name it. */
  | "unsigned"
  | "rolled-back"
  | "unreadable";

export interface PendingTool {
  /** Absent if it has none: the declaration is unreadable. */
  readonly contentHash?: ContentHash;
  readonly reasons: readonly PendingReason[];
  readonly seenUnixMs: number;
}

export interface PinVersion {
  readonly version: number;
  readonly atUnixMs: number;
  readonly changes: readonly PinChange[];
  /** In the operator's words. */
  readonly why?: string;
}

export interface PinChange {
  readonly name: string;
  /** Absent: it wasn't pinned before. */
  readonly from?: ContentHash;
  /** Absent: it isn't pinned any more. */
  readonly to?: ContentHash;
  readonly by: PinnedBy;
}

/**
 * A server's first list may come in pages: first use is what hangs together by cursors, within a time. Digests of
 * the cursors whose page is still to come; "" is the first page.
 */
export type FirstUse =
  | { readonly kind: "open"; readonly cursors: ReadonlySet<string>; readonly sinceUnixMs?: number }
  | { readonly kind: "done" };

export interface PinnedPublisher {
  readonly fingerprint: string;
  readonly state: "first-use" | "approved";
}

export interface ManifestInForce {
  readonly publisher: string;
  readonly issuedAtUnixMs: number;
  readonly expiresAtUnixMs: number;
  readonly nonce: string;
  readonly tools: ReadonlyMap<string, ManifestEntry>;
}

/** Of a server nobody has asked yet. */
export const noToolPins: ToolPins = {
  version: 0,
  pinned: new Map(),
  pending: new Map(),
  history: [],
  forms: new Map(),
  rolledBack: new Set(),
  firstUse: { kind: "open", cursors: new Set([""]) },
};

/** May the tool be called? */
export type Standing =
  | { readonly kind: "pinned"; readonly contentHash: ContentHash }
  | {
      readonly kind: "blocked";
      readonly reasons: readonly PendingReason[];
      readonly contentHash?: ContentHash;
    }
  /** The server never listed it. */
  | { readonly kind: "unlisted"; readonly isFirstUseDone: boolean };

export function standingOf(pins: ToolPins, name: string): Standing {
  const pending = pins.pending.get(name);
  if (pending !== undefined) {
    const { reasons, contentHash } = pending;
    return { kind: "blocked", reasons, ...(contentHash !== undefined && { contentHash }) };
  }
  const pinned = pins.pinned.get(name);
  if (pinned !== undefined) return { kind: "pinned", contentHash: pinned.contentHash };
  if (pins.hasForgotten === true) return { kind: "blocked", reasons: ["new"] };
  return { kind: "unlisted", isFirstUseDone: pins.firstUse.kind === "done" };
}
