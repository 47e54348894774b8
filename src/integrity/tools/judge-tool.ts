/** One declaration against what is pinned: whether it counts, and if not, what it waits for. */
import { hiddenInDeclaration, type HiddenKind } from "../../wire/hidden-text.ts";
import { lookAlikes, type LookAlike, type NamedTools } from "./look-alike.ts";
import { changedFields, type DeclarationField } from "./tool-diff.ts";
import type { Declaration } from "./tool-list.ts";
import type { AcceptedChange, PendingReason, PinnedBy, ToolPins } from "./tool-pins.ts";

export interface Circumstances {
  readonly atUnixMs: number;
  /** What rules take up without being asked. */
  readonly accept: readonly AcceptedChange[];
  /** Whether what is new may be taken on trust now. */
  readonly isFirstUse: boolean;
  /** Nothing is taken up for now, whoever vouches for it. */
  readonly isFrozen?: boolean;
  /** What other servers have pinned. */
  readonly others: readonly NamedTools[];
}

export type Judgement =
  | { readonly kind: "as-pinned" }
  | {
      readonly kind: "taken-up";
      readonly by: PinnedBy;
      readonly doubts: readonly Doubt[];
      readonly fields?: readonly DeclarationField[];
    }
  | {
      readonly kind: "waits";
      readonly reasons: readonly PendingReason[];
      readonly doubts: readonly Doubt[];
      readonly fields?: readonly DeclarationField[];
    };

/** What is odd about a declaration, whatever was pinned. */
export type Doubt =
  | { readonly kind: "hidden-text"; readonly holds: boolean; readonly hidden: readonly HiddenKind[] }
  | { readonly kind: "shadows" | "look-alike"; readonly holds: boolean; readonly like: readonly LookAlike[] };

export function judgeTool(pins: ToolPins, declaration: Declaration, around: Circumstances): Judgement {
  const pinned = pins.pinned.get(declaration.name);
  if (pinned?.contentHash === declaration.contentHash) return { kind: "as-pinned" };
  const form = pinned && (pins.forms.get(pinned.contentHash) ?? "{}");
  const fields = form === undefined ? undefined : changedFields(form, declaration.text);
  // A name that is pinned was looked at then.
  const names = pinned === undefined ? namesLike(declaration, around) : [];
  const doubts = [...hiddenIn(declaration), ...names];
  const holds: PendingReason[] = doubts.flatMap((doubt) => (doubt.holds ? [doubt.kind] : []));
  if (pins.rolledBack.has(declaration.contentHash)) holds.push("rolled-back");
  const isHeld = holds.length > 0 || around.isFrozen === true;
  const by = isHeld ? undefined : takenUpBy(pins, declaration, around, fields);
  const found = { doubts, ...(fields && { fields }) };
  if (by !== undefined) return { kind: "taken-up", by, ...found };
  return { kind: "waits", reasons: [...ownReasons(pins, declaration, around), ...holds], ...found };
}

/** Who takes up a declaration that nothing holds; undefined: nobody. */
function takenUpBy(
  pins: ToolPins,
  { name, contentHash }: Declaration,
  { atUnixMs, accept, isFirstUse }: Circumstances,
  fields: readonly DeclarationField[] | undefined,
): PinnedBy | undefined {
  const manifest = manifestInForce(pins, atUnixMs);
  if (manifest?.tools.get(name)?.contentHash === contentHash) {
    return { kind: "manifest", publisher: manifest.publisher };
  }
  if (isFirstUse && fields === undefined && pins.manifest === undefined) return { kind: "first-use" };
  const changes: readonly (AcceptedChange | "name")[] = fields ?? ["new"];
  const accepted = accept.filter((each) => changes.includes(each));
  const isAccepted = changes.length > 0 && accepted.length === changes.length;
  return isAccepted ? { kind: "rule", accepted } : undefined;
}

function ownReasons(
  pins: ToolPins,
  { name }: Declaration,
  { isFirstUse }: Circumstances,
): readonly PendingReason[] {
  if (pins.pinned.has(name)) return ["changed"];
  const reasons: PendingReason[] = isFirstUse ? [] : ["new"];
  return pins.manifest === undefined ? reasons : [...reasons, "unsigned"];
}

/** A manifest that has expired vouches for nothing, but still says that there is to be one. */
function manifestInForce({ manifest, publisher }: ToolPins, atUnixMs: number): ToolPins["manifest"] {
  if (manifest === undefined || manifest.publisher !== publisher?.fingerprint) return undefined;
  return atUnixMs < manifest.expiresAtUnixMs ? manifest : undefined;
}

function hiddenIn({ text }: Declaration): readonly Doubt[] {
  const spans = hiddenInDeclaration(text);
  if (spans.length === 0) return [];
  const holds = spans.some(({ severity }) => severity === "hold");
  return [{ kind: "hidden-text", holds, hidden: [...new Set(spans.map(({ kind }) => kind))] }];
}

function namesLike(declaration: Declaration, { others, accept }: Circumstances): readonly Doubt[] {
  const found = lookAlikes(declaration, others);
  const kinds = [
    ["shadows", found.filter(({ how }) => how === "same-name" || how === "same-tool")],
    ["look-alike", found.filter(({ how }) => how !== "same-name" && how !== "same-tool")],
  ] as const;
  return kinds.flatMap(([kind, like]) => {
    if (like.length === 0) return [];
    // Servers of the same make have the same tools: each is what it says it is.
    const holds = !accept.includes(kind) && like.some(({ how }) => how !== "same-tool");
    return [{ kind, holds, like }];
  });
}
