/** What servers' tools were when they were pinned, for the path of a call. */
import type { Journaled } from "../../gate/call.ts";
import type { Tools } from "../../gate/ports.ts";
import type { PinnedTools } from "../../gate/world.ts";
import type { KeptTools } from "../../host/store/stored-pins.ts";
import type { ToolEvent } from "../../host/store/state-tools.ts";
import type { NamedTools } from "../../integrity/tools/look-alike.ts";
import { type ManifestFault, verifyManifest } from "../../integrity/tools/manifest.ts";
import {
  isReadOnlyByManifest,
  manifestUntil,
  signedUntil,
  type ManifestTaken,
  takeUpManifest,
  withPublishers,
} from "../../integrity/tools/pin-decisions.ts";
import {
  type JudgedList,
  judgeToolList,
  type PinSettings,
  type ToolFinding,
} from "../../integrity/tools/pinned-tools.ts";
import type { Clock } from "../../kernel/clock.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { withMember } from "../../wire/json-edit.ts";
import { scanJson, tolerantScanLimits } from "../../wire/json-scan.ts";
import type { KeptPins } from "./kept-pins.ts";

/** How one server's tools are pinned. */
export interface ServerPinning extends PinSettings {
  /** As manifests name it. */
  readonly uri: string;
  /** Fingerprints of the keys whose manifests count. */
  readonly publishers: readonly string[];
}

export interface KeptServers extends Tools {
  /** By server; those whose tools aren't pinned are missing. Takes up what commands changed. */
  readonly pinned: () => ReadonlyMap<string, PinnedTools>;
  /** Whether commands changed something that `pinned` hasn't taken up. */
  readonly isBehind: () => boolean;
  /** Puts a manifest in force, if it counts; what is wrong with it is found, once. */
  readonly takeUp: (server: string, document: Uint8Array) => void;
}

interface Options {
  readonly servers: ReadonlyMap<string, ServerPinning>;
  readonly pins: KeptPins;
  readonly clock: Clock;
  /** What is pinned is something else now, or something was found. */
  readonly onChange: () => void;
  /** What the server itself has for a manifest, asked in the session of that call; absent where nobody can be asked. */
  readonly askManifest?: (call: Journaled) => Promise<Uint8Array | undefined>;
  /** Whose lists pin nothing: it says less of itself than clients do, and servers list accordingly. */
  readonly onlooker?: string;
  /** Of which servers nothing is taken up for now; of none if absent. */
  readonly isFrozen?: (server: string) => boolean;
}

/** How often a server is asked for a manifest while nothing new is found. */
const askAgainMs = 10_000;

export function keptServers(options: Options): KeptServers {
  const { servers, pins, onChange, askManifest } = options;
  const told = new Map<string, string>();
  for (const [server, { publishers }] of servers) withdrawPublisher(server, publishers, pins);
  const takeUp = (server: string, document: Uint8Array): void => {
    const pinning = servers.get(server);
    if (pinning !== undefined && takenUp(server, document, pinning, { ...options, told })) onChange();
  };
  const askedUnixMs = new Map<string, number>();
  const isDue = (server: string, { kind, findings }: JudgedList): boolean => {
    const now = options.clock.nowUnixMs();
    const isSoon = now < (askedUnixMs.get(server) ?? 0) + askAgainMs;
    if (kind !== "changed" || (findings.length === 0 && isSoon)) return false;
    askedUnixMs.set(server, now);
    return true;
  };
  return {
    isBehind: pins.isBehind,
    pinnedNow: (server) => {
      const pinning = servers.get(server);
      return pinning && pinnedTools(pins.of(server), pinning.pin);
    },
    takeUp,
    pinned: () => {
      pins.follow();
      return new Map([...servers].map(([name, { pin }]) => [name, pinnedTools(pins.of(name), pin)]));
    },
    shown: async (call, listed) => {
      const { server } = call;
      const pinning = servers.get(server);
      if (pinning === undefined) return listed.message;
      const before = pins.of(server);
      if (options.onlooker === call.caller.id && pinning.pin === "first-use" && isUnseen(before))
        return listed.message;
      const first = judge(server, listed, before, options);
      // What somebody signed needs nobody's approval.
      if (takesUp(server, pinning, options) && isDue(server, first)) {
        const document = await askManifest?.(call);
        if (document !== undefined) takeUp(server, document);
      }
      // Most lists are as they were: nothing to remember, and no second look.
      const isKnown = first.pins === before.pins && pins.of(server) === before;
      const judged = isKnown ? first : remembered(server, listed, options);
      if (pins.of(server) !== before) onChange();
      if (judged.kind === "unreadable") throw unreadable(server, judged.why);
      return judged.answer === listed.message ? listed.message : notShared(judged.answer);
    },
  };
}

function takesUp(
  server: string,
  { publishers }: ServerPinning,
  { isFrozen }: Pick<Options, "isFrozen">,
): boolean {
  return publishers.length > 0 && isFrozen?.(server) !== true;
}

function isUnseen({ pins: { version, pending } }: KeptTools): boolean {
  return version === 0 && pending.size === 0;
}

type Listed = Parameters<Tools["shown"]>[1];

function judge(
  server: string,
  { message: answer, cursor }: Listed,
  kept: KeptTools,
  { servers, pins, clock, isFrozen }: Options,
): JudgedList {
  const others = [...pins.all()].flatMap(([name, { pins: theirs }]): readonly NamedTools[] =>
    name === server ? [] : [{ server: name, tools: theirs.pinned }],
  );
  const settings: PinSettings = {
    ...(servers.get(server) ?? { pin: "approve", accept: [] }),
    isFrozen: isFrozen?.(server) === true,
  };
  const seen = { answer, atUnixMs: clock.nowUnixMs(), others, ...(cursor !== undefined && { cursor }) };
  return judgeToolList(kept.pins, seen, settings);
}

/** Judged on what is stored: a command may have been faster. */
function remembered(server: string, listed: Listed, options: Options): JudgedList {
  return options.pins.change(server, (kept) => {
    const judged = judge(server, listed, kept, options);
    const after = judged.pins === kept.pins ? kept : { ...kept, pins: judged.pins };
    return { kept: after, events: judged.findings.map(findingEvent), judged };
  }).judged;
}

/**
 * @param told by server, what was found wrong last, which isn't found again
 * @returns whether something changed
 */
function takenUp(
  server: string,
  document: Uint8Array,
  { uri, publishers, pin }: ServerPinning,
  { pins, clock, told }: Options & { readonly told: Map<string, string> },
): boolean {
  const wrong = (facts: Parameters<typeof manifestEvent>[0]) => {
    const found = JSON.stringify(facts);
    const isNews = told.get(server) !== found;
    return { events: isNews ? [manifestEvent(facts)] : [], isChange: isNews, found };
  };
  const checked = verifyManifest(document, { server: uri, nowUnixMs: clock.nowUnixMs() });
  const { isChange, found } = pins.change(server, (kept) => {
    if (checked.kind === "fault") return wrong({ why: checked.fault });
    const { manifest } = checked;
    const taken = takeUpManifest(kept.pins, manifest, { publishers, pin });
    const about = {
      publisher: manifest.signedBy,
      issued_at: new Date(manifest.issuedAtUnixMs).toISOString(),
    };
    if (taken.kind === "known") return { events: [], isChange: false, found: told.get(server) };
    if (taken.kind === "refused") return wrong({ why: taken.why, ...about });
    const facts = { what: "manifest", ...about };
    return {
      kept: { ...kept, pins: taken.pins },
      events: [{ event: "tools.change", tool: null, facts } as const],
      isChange: true,
      found: undefined,
    };
  });
  if (found === undefined) told.delete(server);
  else told.set(server, found);
  return isChange;
}

/** What settings say of publishers counts for what was taken up under others, too. */
function withdrawPublisher(server: string, publishers: readonly string[], pins: KeptPins): void {
  const isWithdrawn = (kept: KeptTools): boolean => withPublishers(kept.pins, publishers) !== kept.pins;
  if (!isWithdrawn(pins.of(server))) return;
  pins.change(server, (kept) => {
    const facts = { what: "publisher", publisher: kept.pins.publisher?.fingerprint ?? "" };
    const event = { event: "tools.change", tool: null, facts } as const;
    if (!isWithdrawn(kept)) return { events: [] };
    return { kept: { ...kept, pins: withPublishers(kept.pins, publishers) }, events: [event] };
  });
}

/** A manifest that doesn't count: nothing is blocked by it that isn't blocked already. */
function manifestEvent(
  facts: Readonly<Record<string, string>> & {
    readonly why: ManifestFault | Extract<ManifestTaken, { readonly kind: "refused" }>["why"];
  },
): ToolEvent {
  return { event: "tools.finding", tool: null, facts: { kind: "manifest", blocked: "false", ...facts } };
}

/** What may be called of a server's tools. */
function pinnedTools({ pins, readOnly }: KeptTools, pin: PinSettings["pin"]): PinnedTools {
  const pinned = [...pins.pinned].filter(([name]) => !pins.pending.has(name));
  return {
    // The last reason says the most: why what is new or changed is held as well.
    blocked: new Map([...pins.pending].map(([name, { reasons }]) => [name, reasons.at(-1) ?? "changed"])),
    pinned: new Map(pinned.map(([name, { contentHash }]) => [name, contentHash])),
    declared: (name) => {
      const hash = pins.pinned.get(name)?.contentHash;
      const form = hash === undefined ? undefined : pins.forms.get(hash);
      return form === undefined ? undefined : parsedForm(hash ?? "", form);
    },
    readOnly: new Map(
      pinned.flatMap(([name]) => {
        const until = readOnlyUntil({ pins, readOnly }, name);
        return until === undefined ? [] : [[name, until] as const];
      }),
    ),
    signed: new Map(
      pinned.flatMap(([name]) => {
        const until = signedUntil(pins, name);
        return until === 0 ? [] : [[name, until] as const];
      }),
    ),
    ...(manifestUntil(pins) > 0 && { manifestUntil: manifestUntil(pins) }),
    ...(pins.hasForgotten === true && { otherwise: "new" as const }),
    ...(pin === "approve" && { otherwise: "unapproved" as const }),
  };
}

/** Forms are asked for on each call; the least recently parsed make way. */
const maxForms = 1000;
const forms = new Map<string, unknown>();

function parsedForm(hash: string, form: string): unknown {
  const known = forms.get(hash);
  if (known !== undefined) return known;
  const parsed = JSON.parse(form) as unknown;
  forms.set(hash, parsed);
  for (const oldest of forms.keys()) {
    if (forms.size <= maxForms) break;
    forms.delete(oldest);
  }
  return parsed;
}

/** Until when the pinned form only reads: an operator said so of this very form, or an approved manifest does. */
export function readOnlyUntil({ pins, readOnly }: KeptTools, name: string): number | undefined {
  const hash = pins.pinned.get(name)?.contentHash;
  if (hash === undefined) return undefined;
  if (readOnly.get(name) === hash) return Number.POSITIVE_INFINITY;
  const until = pins.manifest?.expiresAtUnixMs ?? 0;
  return isReadOnlyByManifest(pins, name, until - 1) ? until : undefined;
}

/** Names and hashes; what servers say stays out of the log. */
function findingEvent(finding: ToolFinding): ToolEvent {
  const { kind, tool, isBlocked, contentHash, pinnedHash, fields, hidden, like, by } = finding;
  return {
    event: "tools.finding",
    tool,
    facts: {
      kind,
      blocked: String(isBlocked),
      ...(contentHash !== undefined && { content_hash: contentHash }),
      ...(pinnedHash !== undefined && { pinned_hash: pinnedHash }),
      ...(fields !== undefined && { fields: fields.join(" ") }),
      ...(hidden !== undefined && { hidden: hidden.join(" ") }),
      ...(like !== undefined && {
        like: like.map(({ server, tool: name }) => `${server}/${name}`).join(" "),
      }),
      ...(by !== undefined && { by: by.kind }),
    },
  };
}

/** MCP 2026-07-28, caching: a list that was changed here is nobody else's. */
function notShared(answer: Uint8Array): Uint8Array {
  const { members } = scanJson(answer, { result: { cacheScope: true } }, tolerantScanLimits);
  const isShared = members?.get("result")?.members?.has("cacheScope") === true;
  return isShared ? withMember(answer, ["result", "cacheScope"], '"private"') : answer;
}

function unreadable(server: string, why = "it can't be read"): Refusal {
  const text = `The list of tools of "${server}" is withheld: ${why}.`;
  return new Refusal("upstream_failed", text, { facts: { what: "tools/list" } });
}
