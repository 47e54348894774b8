/** How a server's pins go from one version to the next: the one place that changes what is pinned. */
import type { ContentHash } from "./content-hash.ts";
import type { PinChange, PinnedTool, PinVersion, ToolPins } from "./tool-pins.ts";

/** Versions that can be rolled back to. */
const maxVersions = 200;
/** Forms that were rolled back: a server that makes up one after the other can't fill a disk. */
const maxRolledBack = 1000;

/** @param version its `changes` are one per name at most, and `pins.forms` has the declarations they name */
export function withVersion(
  pins: ToolPins,
  version: { readonly atUnixMs: number; readonly changes: readonly PinChange[]; readonly why?: string },
  forgotten?: ReadonlySet<ContentHash>,
): ToolPins {
  if (version.changes.length === 0) return pins;
  const pinned = new Map(pins.pinned);
  const pending = new Map(pins.pending);
  const rolledBack = new Set(pins.rolledBack);
  for (const { name, from, to, by } of version.changes) {
    if (to === undefined) pinned.delete(name);
    else pinned.set(name, pinnedTool(to, by, version.atUnixMs));
    if (by.kind === "roll-back" && from !== undefined) rolledBack.add(from);
    if (to !== undefined) rolledBack.delete(to);
    if (to !== undefined && pending.get(name)?.contentHash === to) pending.delete(name);
  }
  const next: PinVersion = { version: pins.version + 1, ...version };
  const after = {
    ...pins,
    version: next.version,
    pinned,
    pending,
    rolledBack: new Set([...rolledBack].slice(-maxRolledBack)),
    history: [...pins.history, next].slice(-maxVersions),
  };
  return withKeptForms(after, forgotten);
}

/** What was pinned in a version, by name; undefined if the history doesn't reach back to it. */
export function pinnedIn(pins: ToolPins, version: number): ReadonlyMap<string, ContentHash> | undefined {
  const undone = pins.history.filter((each) => each.version > version).toReversed();
  if (version < 0 || version > pins.version || undone.length !== pins.version - version) return undefined;
  const hashes = new Map([...pins.pinned].map(([name, { contentHash }]) => [name, contentHash]));
  for (const { changes } of undone) {
    for (const { name, from } of changes) {
      if (from === undefined) hashes.delete(name);
      else hashes.set(name, from);
    }
  }
  return hashes;
}

/** Without the declarations that nothing names any more, nor those `forgotten` that only wait. */
export function withKeptForms(pins: ToolPins, forgotten?: ReadonlySet<ContentHash>): ToolPins {
  const waiting = [...pins.pending.values()].map(({ contentHash }) => contentHash);
  const named = new Set<ContentHash | undefined>([
    ...[...pins.pinned.values()].map(({ contentHash }) => contentHash),
    ...waiting.filter((hash) => hash === undefined || forgotten?.has(hash) !== true),
    ...pins.history.flatMap(({ changes }) => changes.flatMap(({ from, to }) => [from, to])),
  ]);
  return { ...pins, forms: new Map([...pins.forms].filter(([hash]) => named.has(hash))) };
}

function pinnedTool(contentHash: ContentHash, by: PinChange["by"], sinceUnixMs: number): PinnedTool {
  return { contentHash, sinceUnixMs, by, presence: "listed" };
}
