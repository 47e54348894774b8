/** The operator's side of what servers' tools are held to: what commands and the API do, whether the gateway runs or not. */
import { existsSync } from "node:fs";

import { type KeptTools, readPins, writePins } from "../../host/store/stored-pins.ts";
import { openTools, type ToolEvent, type ToolStore } from "../../host/store/state-tools.ts";
import {
  type Approval,
  approvable,
  approveTools as approveForms,
  type Decided,
  rollBackTools as rollBackForms,
} from "../../integrity/tools/pin-decisions.ts";
import { pinnedIn } from "../../integrity/tools/pin-versions.ts";
import { diffTools, writeToolDiff } from "../../integrity/tools/tool-diff.ts";
import { hiddenInDeclaration, revealed } from "../../wire/hidden-text.ts";
import type {
  PendingReason,
  PendingTool,
  PinChange,
  PinnedBy,
  PinVersion,
  ToolPins,
} from "../../integrity/tools/tool-pins.ts";
import type { Clock } from "../../kernel/clock.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { statePaths } from "../state-folder.ts";
import { readOnlyUntil } from "./kept-tools.ts";
import { type ToolDefinition, toolDefinition } from "./tool-definition.ts";
import type { ToolChanges, ToolRow, ToolState, ToolVersion } from "./tool-report.ts";

/** Whose tools. */
export interface ToolPlace {
  /** The state folder of a gateway or an exposed server. */
  readonly state: string;
}

interface Decision {
  readonly server: string;
  /** In the operator's words. */
  readonly because: string;
  readonly who: string;
  readonly clock: Clock;
}

export interface ToolApproval extends Decision {
  readonly tools: readonly string[] | "all";
  /** Of the one tool, as it was looked at; names it where `tools` doesn't. */
  readonly contentHash?: string;
  /** They are said to only read. */
  readonly isReadOnly: boolean;
}

/** @throws Refusal `bad_state` for a server whose tools nobody saw */
export function toolRows(place: ToolPlace, server?: string): readonly ToolRow[] {
  return withTools(place, (store) => {
    const servers = server === undefined ? store.servers() : [known(store, server)];
    return servers.flatMap((name) => rowsOf(name, keptOf(store, name)));
  });
}

/** What of a server's tools waits, or of the one tool. @throws Refusal `bad_state` for what isn't known */
export function toolChanges(place: ToolPlace, server: string, tool?: string): readonly ToolChanges[] {
  return withTools(place, (store) => {
    const kept = keptOf(store, known(store, server));
    const rows = rowsOf(server, kept).filter((row) => tool === undefined || row.tool === tool);
    if (tool !== undefined && rows.length === 0) throw unknownTool(server, tool);
    return rows.filter(({ state }) => state !== "pinned").map((row) => ({ ...row, diff: diffOf(row, kept) }));
  });
}

/** @throws Refusal `bad_state` for what isn't known */
export function toolAsDeclared(place: ToolPlace, server: string, tool: string): ToolDefinition {
  return withTools(place, (store) => {
    const kept = keptOf(store, known(store, server));
    const row = rowsOf(server, kept).find((each) => each.tool === tool);
    if (row === undefined) throw unknownTool(server, tool);
    return toolDefinition(row, kept, whoDid);
  });
}

/** Newest first. */
export function toolHistory(place: ToolPlace, server: string): readonly ToolVersion[] {
  return withTools(place, (store) => {
    const { pins } = keptOf(store, known(store, server));
    return pins.history.map((version) => versionOf(pins, version)).toReversed();
  });
}

/**
 * Takes up what waits; a running gateway follows within a tenth of a second.
 * @returns the names of those that were approved
 * @throws Refusal `bad_state` for what isn't there or is something else by now; then nothing was approved
 */
export function approveTools(place: ToolPlace, approval: ToolApproval): readonly string[] {
  const { server, clock, isReadOnly } = approval;
  return withTools(place, (store) => {
    known(store, server);
    return store.change(server, clock.nowUnixMs(), (stored) => {
      const kept = readPins(stored, server);
      const chosen = chosenOf(kept.pins, approval);
      const labelled = isReadOnly ? pinnedAlready(kept.pins, approval) : [];
      const { pins, changes } = decided(approveForms(kept.pins, chosen, decisionOf(approval)));
      const readOnly = new Map(kept.readOnly);
      for (const { name } of [...changes, ...labelled]) readOnly.delete(name);
      const approved = [...chosen, ...labelled];
      if (isReadOnly) {
        for (const { name, contentHash } of approved)
          if (contentHash !== undefined) readOnly.set(name, contentHash);
      }
      const events = [
        ...changes.map((change) => changeEvent("approve", change, isReadOnly)),
        ...labelled.map(({ name, contentHash: to }) => changeEvent("label", { name, to }, true)),
      ];
      const names = approved.map(({ name }) => name);
      return { ...(names.length > 0 && { pins: writePins({ pins, readOnly }) }), events, names };
    }).names;
  });
}

/**
 * Pins what an earlier version had, as a version of its own. What it replaces isn't called, from now on.
 * @throws Refusal `bad_state` for a version that isn't there
 */
export function rollBackTools(
  place: ToolPlace,
  { to, ...decision }: Decision & { readonly to: number },
): ToolVersion {
  const { server, clock } = decision;
  return withTools(place, (store) => {
    known(store, server);
    return store.change(server, clock.nowUnixMs(), (stored) => {
      const kept = readPins(stored, server);
      const { pins, changes } = decided(rollBackForms(kept.pins, to, decisionOf(decision)));
      const [newest] = pins.history.slice(-1);
      if (newest === undefined || changes.length === 0) {
        throw new Refusal("bad_state", `Version ${to} of "${server}" has the same tools as now.`);
      }
      return {
        pins: writePins({ ...kept, pins }),
        events: changes.map((change) => changeEvent("roll-back", change, false)),
        version: versionOf(pins, newest),
      };
    }).version;
  });
}

function rowsOf(server: string, kept: KeptTools): readonly ToolRow[] {
  const { pins } = kept;
  const names = new Set([...pins.pinned.keys(), ...pins.pending.keys()]);
  return [...names].map((tool) => {
    const [pinned, pending] = [pins.pinned.get(tool), pins.pending.get(tool)];
    const offered = pending?.contentHash;
    const isOther = offered !== undefined && offered !== pinned?.contentHash;
    return {
      server,
      tool,
      state: stateOf(pending, pinned?.presence),
      isCalled: pending === undefined,
      effect: readOnlyUntil(kept, tool) === undefined ? "any" : "read-only",
      firstSeen: iso(firstSeen(pins, tool)),
      ...(pinned && { pinnedHash: pinned.contentHash }),
      ...(isOther && { offeredHash: offered }),
      findings: [...(pending?.reasons ?? []).map((reason) => says[reason]), ...hiddenIn(pins, offered)],
    };
  });
}

const says = {
  new: "came after this server's tools were pinned, or was never approved",
  changed: "isn't what it was when it was pinned",
  "hidden-text": "hides text in its definition",
  shadows: "has the name of another server's tool and is something else",
  "look-alike": "has a name that looks like that of another server's tool",
  unsigned: "isn't in the server's signed manifest",
  "rolled-back": "was rolled back by an operator",
  unreadable: "is declared in a way that two readers could read in two ways; it can't be approved",
} as const satisfies Record<PendingReason, string>;

const held: ReadonlySet<PendingReason> = new Set(["hidden-text", "shadows", "look-alike", "unreadable"]);

function stateOf(pending: PendingTool | undefined, presence: string | undefined): ToolState {
  if (pending === undefined) return presence === "missing" ? "removed" : "pinned";
  if (pending.reasons.some((reason) => held.has(reason))) return "held";
  return presence === undefined ? "new" : "changed";
}

/** When a tool of that name was first pinned, as far as the history goes back, or first waited. */
function firstSeen({ history, pinned, pending }: ToolPins, tool: string): number {
  const first = history.find(({ changes }) => changes.some(({ name }) => name === tool));
  const times = [first?.atUnixMs, pinned.get(tool)?.sinceUnixMs, pending.get(tool)?.seenUnixMs];
  return Math.min(...times.filter((time) => time !== undefined));
}

function hiddenIn({ forms }: ToolPins, offered: string | undefined): readonly string[] {
  const form = offered === undefined ? undefined : forms.get(offered);
  if (form === undefined) return [];
  return hiddenInDeclaration(form).map(({ kind, pointer, says: what }) => `${kind} in ${pointer}: ${what}`);
}

function diffOf({ state, pinnedHash, offeredHash }: ToolRow, { pins }: KeptTools): readonly string[] {
  if (state === "removed" || offeredHash === undefined) return [];
  if (!pins.forms.has(offeredHash)) return ["It was too long to keep; have the server's tools listed again."];
  const before = pinnedHash === undefined ? undefined : pins.forms.get(pinnedHash);
  const text = writeToolDiff(diffTools(before, pins.forms.get(offeredHash)), {
    from: pinnedHash === undefined ? "nothing" : "pinned",
    to: "offered",
  });
  return text.split("\n").slice(0, -1);
}

function versionOf(pins: ToolPins, { version, atUnixMs, changes, why }: PinVersion): ToolVersion {
  return {
    version,
    at: iso(atUnixMs),
    what: whatChanged(changes),
    who: [...new Set(changes.map(({ by }) => whoDid(by)))].join(", "),
    because: why ?? "",
    tools: pinnedIn(pins, version)?.size ?? 0,
    isNow: version === pins.version,
  };
}

/** More names than that say no more. */
const maxNamed = 5;

function whatChanged(changes: readonly PinChange[]): string {
  const named = changes
    .slice(0, maxNamed)
    .map(({ name, from, to }) => `${from === undefined ? "+" : to === undefined ? "-" : "~"}${name}`);
  const more = changes.length - named.length;
  return [...named, ...(more > 0 ? [`and ${more} more`] : [])].join(" ");
}

function whoDid(by: PinnedBy): string {
  if (by.kind === "first-use") return "first use";
  if (by.kind === "rule") return `rule (${by.accepted.join(" ")})`;
  if (by.kind === "manifest") return `manifest of ${by.publisher}`;
  return by.kind === "operator" ? by.who : `${by.who}, back to ${by.toVersion}`;
}

/** @throws Refusal `bad_state` for a name or a hash that nothing waits under */
function chosenOf(
  pins: ToolPins,
  { server, tools, contentHash, isReadOnly }: ToolApproval,
): readonly Approval[] {
  if (tools === "all") return approvable(pins);
  const waiting = [...pins.pending].flatMap(([name, pending]) =>
    pending.contentHash === undefined ? [] : [{ name, contentHash: pending.contentHash }],
  );
  if (contentHash !== undefined && tools.length === 0) {
    const found = waiting.filter((each) => each.contentHash === contentHash);
    if (found.length > 0) return found;
    throw new Refusal("bad_state", `Nothing of "${server}" waits under ${contentHash}.`);
  }
  return tools.flatMap((name): readonly Approval[] => {
    const [pinned, pending] = [pins.pinned.get(name), pins.pending.get(name)];
    if (pinned === undefined && pending === undefined) throw unknownTool(server, name);
    if (pending === undefined) {
      if (pinned?.presence === "missing") return [{ name, contentHash: undefined }];
      if (isReadOnly) return []; // It is labelled as it is.
    }
    return [{ name, contentHash: contentHash ?? pending?.contentHash ?? pinned?.contentHash }];
  });
}

/** Of those named, what is pinned as it is and waits for nothing: it can still be said to only read. */
function pinnedAlready(
  pins: ToolPins,
  { tools }: ToolApproval,
): readonly { readonly name: string; readonly contentHash: string }[] {
  if (tools === "all") return [];
  return tools.flatMap((name) => {
    const pinned = pins.pinned.get(name);
    const isPlain = pinned !== undefined && pinned.presence !== "missing" && !pins.pending.has(name);
    return isPlain ? [{ name, contentHash: pinned.contentHash }] : [];
  });
}

function decisionOf({ who, because, clock }: Decision): Parameters<typeof approveForms>[2] {
  return { who, why: because, atUnixMs: clock.nowUnixMs() };
}

function decided(outcome: Decided): Extract<Decided, { readonly kind: "done" }> {
  if (outcome.kind === "done") return outcome;
  throw new Refusal("bad_state", `Nothing was changed: ${revealed(outcome.why)}.`);
}

/** Names and hashes: why, and who, stand in the history alone. */
function changeEvent(
  what: "approve" | "label" | "roll-back",
  { name, from, to }: Pick<PinChange, "name" | "from" | "to">,
  isReadOnly: boolean,
): ToolEvent {
  return {
    event: "tools.change",
    tool: name,
    facts: {
      what,
      ...(from !== undefined && { from_hash: from }),
      ...(to !== undefined && { to_hash: to }),
      ...(isReadOnly && { effect: "read-only" }),
    },
  };
}

function keptOf(store: ToolStore, server: string): KeptTools {
  return readPins(store.pins(server), server);
}

function known(store: ToolStore, server: string): string {
  const servers = store.servers();
  if (servers.includes(server)) return server;
  const others = servers.length === 0 ? "nobody's were" : `those of ${servers.join(", ")} were`;
  throw new Refusal("bad_state", `The tools of "${server}" were never listed through here; ${others}.`);
}

function unknownTool(server: string, tool: string): Refusal {
  return new Refusal("bad_state", `"${server}" has no tool "${revealed(tool)}" that is pinned or waits.`);
}

function withTools<T>({ state }: ToolPlace, work: (store: ToolStore) => T): T {
  const { database } = statePaths(state);
  if (!existsSync(database)) {
    throw new Refusal("bad_state", `There is nothing in ${state} yet; run "latticegate up" or expose once.`);
  }
  const store = openTools(database);
  try {
    return work(store);
  } finally {
    store.close();
  }
}

function iso(unixMs: number): string {
  return new Date(unixMs).toISOString();
}
