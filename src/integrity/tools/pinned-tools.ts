/**
 * What clients see of a server's tools: what is pinned, whatever the server lists now. A tool that changed is shown
 * in its pinned form, a new one isn't shown, and neither can be called until it is approved or a rule takes it up.
 */
import type { ContentHash } from "./content-hash.ts";
import type { HiddenKind } from "../../wire/hidden-text.ts";
import { type Circumstances, type Doubt, judgeTool } from "./judge-tool.ts";
import type { LookAlike, NamedTools } from "./look-alike.ts";
import { keptPending } from "./kept-pending.ts";
import { withKeptForms, withVersion } from "./pin-versions.ts";
import type { DeclarationField } from "./tool-diff.ts";
import { cursorDigest, type ListedTool, readToolList, withTools } from "./tool-list.ts";
import type {
  AcceptedChange,
  FirstUse,
  PendingReason,
  PendingTool,
  PinChange,
  PinnedBy,
  PinnedTool,
  ToolPins,
} from "./tool-pins.ts";

export interface PinSettings {
  /** `approve`: nothing counts before somebody approved it. */
  readonly pin: "first-use" | "approve";
  readonly accept: readonly AcceptedChange[];
  /** Nothing is taken up for now, whatever else is said. */
  readonly isFrozen?: boolean;
}

/** An answer to `tools/list`, and what it is judged by. */
export interface ListSeen {
  /** The JSON-RPC message. */
  readonly answer: Uint8Array;
  /** That the client asked with. */
  readonly cursor?: string;
  readonly atUnixMs: number;
  /** What other servers have pinned, for names that look like theirs. */
  readonly others: readonly NamedTools[];
}

export interface JudgedList {
  /** `unreadable`: the answer must not reach a client, which might read there what isn't seen here. */
  readonly kind: "as-it-came" | "changed" | "unreadable";
  /** What the client gets: the very same array if nothing differs. */
  readonly answer: Uint8Array;
  /** Of an unreadable list, in words. */
  readonly why?: string;
  /** The very same value if there is nothing to remember. */
  readonly pins: ToolPins;
  /** What wasn't found before: each comes once, with the pins that remember it. */
  readonly findings: readonly ToolFinding[];
}

export interface ToolFinding {
  readonly kind: PendingReason | "taken-up" | "reverted" | "missing";
  /** As the server calls it; "" if it has no name. */
  readonly tool: string;
  /** Whether the tool can't be called because of it. */
  readonly isBlocked: boolean;
  readonly contentHash?: ContentHash;
  /** What is pinned, if it is something else. */
  readonly pinnedHash?: ContentHash;
  /** Of `changed` and `taken-up`: what differs from the pinned form. */
  readonly fields?: readonly DeclarationField[];
  /** Of `hidden-text`. */
  readonly hidden?: readonly HiddenKind[];
  /** Of `shadows` and `look-alike`. */
  readonly like?: readonly LookAlike[];
  /** Of `taken-up`. */
  readonly by?: PinnedBy;
}

/** Time for a client to walk through the pages of a first list. */
const firstUseMs = 10 * 60_000;

export function judgeToolList(pins: ToolPins, seen: ListSeen, settings: PinSettings): JudgedList {
  const list = readToolList(seen.answer);
  if (list.kind === "no-list") return { kind: "as-it-came", answer: seen.answer, pins, findings: [] };
  if (list.kind === "unreadable") return { ...list, answer: seen.answer, pins, findings: [] };
  const isFrozen = settings.isFrozen === true;
  const isFirstUse = !isFrozen && settings.pin === "first-use" && isExpected(pins.firstUse, seen);
  const around = {
    atUnixMs: seen.atUnixMs,
    accept: settings.accept,
    isFirstUse,
    isFrozen,
    others: seen.others,
  };
  const tools = new Map(list.tools.map((tool) => [nameOf(tool), tool]));
  const verdicts = [...tools.values()].map((tool) => verdictOn(pins, tool, around));
  const isWhole = seen.cursor === undefined && list.nextCursor === undefined;
  if (isWhole) verdicts.push(...missingTools(pins, list.tools));
  const judged = remembered(pins, verdicts, seen.atUnixMs);
  const isUse = isFirstUse && list.tools.length > 0;
  const next = isUse ? { ...judged, firstUse: afterPage(pins.firstUse, seen, list.nextCursor) } : judged;
  const answer = presented(next, seen.answer, list.tools);
  return {
    kind: answer === seen.answer ? "as-it-came" : "changed",
    answer,
    pins: next,
    findings: verdicts.flatMap(({ findings }) => findings),
  };
}

/** What one tool of a list comes to. */
interface Verdict {
  readonly name: string;
  readonly findings: readonly ToolFinding[];
  readonly change?: PinChange;
  /** That `change` or `pending` names. */
  readonly form?: string;
  readonly pending?: PendingTool;
  /** It is what is pinned: nothing waits any more. */
  readonly isSettled?: boolean;
  readonly presence?: PinnedTool["presence"];
}

function verdictOn(pins: ToolPins, tool: ListedTool, around: Circumstances): Verdict {
  if (tool.kind === "unreadable") {
    return waiting(pins, tool.name ?? "", { reasons: ["unreadable"], seenUnixMs: around.atUnixMs });
  }
  const { name, contentHash, text } = tool.declaration;
  const pinned = pins.pinned.get(name);
  const judgement = judgeTool(pins, tool.declaration, around);
  if (judgement.kind === "as-pinned") return asPinned(pins, name, pinned);
  const { doubts, fields } = judgement;
  const found = {
    tool: name,
    contentHash,
    ...(pinned && { pinnedHash: pinned.contentHash }),
    ...(fields && { fields }),
  };
  if (judgement.kind === "waits") {
    const { reasons } = judgement;
    const pending = { contentHash, reasons, seenUnixMs: around.atUnixMs };
    return { ...waiting(pins, name, pending, { found, doubts }), form: text };
  }
  const { by } = judgement;
  const notes = doubts.map((doubt) => noted(found, doubt, false));
  const taken: ToolFinding = { ...found, kind: "taken-up", by, isBlocked: false };
  return {
    name,
    change: { name, ...(pinned && { from: pinned.contentHash }), to: contentHash, by },
    form: text,
    findings: by.kind === "first-use" ? notes : [taken, ...notes],
  };
}

type Found = Omit<ToolFinding, "kind" | "isBlocked">;

/** A tool that can't be called; found anew only if it waits for something else than before. */
function waiting(
  pins: ToolPins,
  name: string,
  pending: PendingTool,
  { found, doubts }: { readonly found: Found; readonly doubts: readonly Doubt[] } = {
    found: { tool: name },
    doubts: [],
  },
): Verdict {
  const before = pins.pending.get(name);
  const isKnown =
    before !== undefined &&
    before.contentHash === pending.contentHash &&
    before.reasons.join() === pending.reasons.join();
  const isKept = pending.contentHash === undefined || pins.forms.has(pending.contentHash);
  if (isKnown) return { name, findings: [], ...(!isKept && { pending }) };
  const notes = doubts.map((doubt) => noted(found, doubt, doubt.holds));
  const rest = pending.reasons.filter((reason) => !notes.some(({ kind }) => kind === reason));
  return {
    name,
    pending,
    findings: [...rest.map((kind): ToolFinding => ({ ...found, kind, isBlocked: true })), ...notes],
  };
}

function noted(found: Found, doubt: Doubt, isBlocked: boolean): ToolFinding {
  const what = doubt.kind === "hidden-text" ? { hidden: doubt.hidden } : { like: doubt.like };
  return { ...found, kind: doubt.kind, ...what, isBlocked };
}

function asPinned(pins: ToolPins, name: string, pinned: PinnedTool | undefined): Verdict {
  const pending = pins.pending.get(name);
  const wasMissing = pinned?.presence === "missing";
  const reverted: ToolFinding = {
    kind: "reverted",
    tool: name,
    isBlocked: false,
    ...(pinned && { contentHash: pinned.contentHash }),
  };
  return {
    name,
    findings: pending === undefined ? [] : [reverted],
    ...(pending !== undefined && { isSettled: true }),
    ...(wasMissing && { presence: "comes-and-goes" }),
  };
}

/** A list that some caller got whole may still not be everybody's: what it lacks stays pinned. */
function missingTools(pins: ToolPins, tools: readonly ListedTool[]): readonly Verdict[] {
  const listed = new Set(tools.map(nameOf));
  return [...pins.pinned].flatMap(([name, { presence, contentHash }]): readonly Verdict[] => {
    if (presence !== "listed" || listed.has(name)) return [];
    const finding: ToolFinding = { kind: "missing", tool: name, contentHash, isBlocked: false };
    return [{ name, presence: "missing", findings: [finding] }];
  });
}

function remembered(pins: ToolPins, verdicts: readonly Verdict[], atUnixMs: number): ToolPins {
  const changes = verdicts.flatMap(({ change }) => change ?? []);
  const isNews = verdicts.some((each) => each.pending ?? each.isSettled ?? each.presence);
  if (changes.length === 0 && !isNews) return pins;
  const forms = new Map([...pins.forms, ...verdicts.flatMap(formOf)]);
  const pinned = presenceAfter(pins, verdicts);
  const all = { ...pins, pinned, pending: pendingAfter(pins, verdicts), forms };
  const { pending, forgottenForms, hasForgotten } = keptPending(all);
  const kept = { ...all, pending, ...(hasForgotten && { hasForgotten }) };
  return changes.length > 0
    ? withVersion(kept, { atUnixMs, changes }, forgottenForms)
    : withKeptForms(kept, forgottenForms);
}

function formOf({ change, pending, form }: Verdict): [ContentHash, string][] {
  const hash = change?.to ?? pending?.contentHash;
  return hash === undefined || form === undefined ? [] : [[hash, form]];
}

function pendingAfter(pins: ToolPins, verdicts: readonly Verdict[]): ReadonlyMap<string, PendingTool> {
  const pending = new Map(pins.pending);
  for (const { name, change, pending: waits, isSettled } of verdicts) {
    if (change !== undefined || waits !== undefined || isSettled === true) pending.delete(name);
    if (waits !== undefined) pending.set(name, waits); // At the end: the newest.
  }
  return pending;
}

function presenceAfter(pins: ToolPins, verdicts: readonly Verdict[]): ReadonlyMap<string, PinnedTool> {
  const pinned = new Map(pins.pinned);
  for (const { name, presence } of verdicts) {
    const pin = pinned.get(name);
    if (presence !== undefined && pin !== undefined) pinned.set(name, { ...pin, presence });
  }
  return pinned;
}

function isExpected(firstUse: FirstUse, { cursor, atUnixMs }: ListSeen): boolean {
  if (firstUse.kind === "done" || !firstUse.cursors.has(cursorKey(cursor))) return false;
  return firstUse.sinceUnixMs === undefined || atUnixMs - firstUse.sinceUnixMs <= firstUseMs;
}

/** First use is over when no page of it is left to come; a list without any tool was no use. */
function afterPage(firstUse: FirstUse, seen: ListSeen, nextCursor: string | undefined): FirstUse {
  if (firstUse.kind === "done") return firstUse;
  const cursors = new Set(firstUse.cursors);
  cursors.delete(cursorKey(seen.cursor));
  if (nextCursor !== undefined) cursors.add(cursorKey(nextCursor));
  if (cursors.size === 0) return { kind: "done" };
  return { kind: "open", cursors, sinceUnixMs: firstUse.sinceUnixMs ?? seen.atUnixMs };
}

function cursorKey(cursor: string | undefined): string {
  return cursor === undefined ? "" : cursorDigest(cursor);
}

/** Each pinned tool that the server lists, in its pinned form and once. */
function presented(pins: ToolPins, answer: Uint8Array, tools: readonly ListedTool[]): Uint8Array {
  const shown = new Set<string>();
  return withTools(answer, tools, (tool) => {
    const name = nameOf(tool);
    const hash = pins.pinned.get(name)?.contentHash;
    if (hash === undefined || shown.has(name)) return "hidden";
    shown.add(name);
    if (tool.kind === "tool" && tool.declaration.contentHash === hash) return "as-it-is";
    const text = pins.forms.get(hash);
    return text === undefined ? "hidden" : { text };
  });
}

function nameOf(tool: ListedTool): string {
  return (tool.kind === "tool" ? tool.declaration.name : tool.name) ?? "";
}
