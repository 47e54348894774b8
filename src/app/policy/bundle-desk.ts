/**
 * The bundle of policies that a gateway follows: what its source has, whether that is taken, and what the state
 * database and the audit log say of it.
 */
import { randomUUIDv7 } from "node:crypto";

import type { Journal } from "../../gate/ports.ts";
import type { DoorTerms } from "../../host/net/web-tls.ts";
import type { BundleRow, BundleStore, BundleTrouble } from "../../host/store/state-bundles.ts";
import { spiffeId } from "../../identity/spiffe-id.ts";
import type { VerifiedBundle } from "../../integrity/policy-bundle.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import type { PolicyDocument } from "../../policy/rules.ts";
import type { Config } from "../config.ts";
import { type BundleSettings, placeText } from "../config/policies.ts";
import { doctorPath } from "../doctor-rule.ts";
import { type BundleSource, followSource, type Offered } from "./bundle-source.ts";
import { type BundleRefusal, judgeBundle, keptRules } from "./judge-bundle.ts";

interface Candidate {
  readonly rules: readonly PolicyDocument[];
  readonly facts: Readonly<Record<string, string>>;
  /** Puts it in force in the state database. @returns false if an operator decided something else meanwhile */
  readonly take: () => boolean;
}

/** What an operator decided and the audit log doesn't have yet. */
interface Decided {
  readonly callId: string;
  readonly facts: Readonly<Record<string, string>>;
  readonly recorded: () => void;
}

export interface BundleDesk {
  /** Follows what that config names, and nothing if it names no bundle. @throws Refusal `bad_config` without its token */
  readonly follow: (config: Config) => void;
  /** What its source has that is newer. What can't be had, or isn't taken, is told once. Rejects if the log can't be written. */
  readonly candidate: (config: Config) => Promise<Candidate | undefined>;
  /**
   * The rules of the bundle in force; that everything is denied, while there is none.
   * @throws Refusal if the one that is kept can't be in force
   */
  readonly rules: (config: Config) => readonly PolicyDocument[];
  /** Oldest first; the last of them counts. */
  readonly decided: () => readonly Decided[];
  readonly stop: () => Promise<void>;
}

export interface DeskOptions {
  readonly store: BundleStore;
  readonly journal: Pick<Journal, "append">;
  /** Whose log it is. */
  readonly principal: string;
  readonly clock: Clock;
  readonly log: Log;
  /** What links to an https source may negotiate. */
  readonly terms: () => DoorTerms;
  /** Called when the source may have something else, or a command has decided something. */
  readonly onNews: () => void;
}

/** How soon a command's decision is in force. */
const watchMs = 100;

export function bundleDesk(options: DeskOptions): BundleDesk {
  const { store } = options;
  const memory: Memory = {};
  let followed: { readonly settings: string; readonly source: BundleSource } | undefined;
  const stopSource = async (): Promise<void> => {
    const before = followed?.source;
    followed = undefined;
    await before?.stop();
  };
  const watch = watchDecisions(options);
  return {
    follow: ({ policyBundle }) => {
      const settings = JSON.stringify(policyBundle ?? null);
      if (settings === (followed?.settings ?? "null")) return;
      const source = policyBundle && followSource(policyBundle, options);
      void stopSource();
      followed = source && { settings, source };
    },
    candidate: async (config) => {
      const { policyBundle: settings } = config;
      const offered = settings && followed?.source.offered();
      if (settings === undefined || offered === undefined) return undefined;
      return await candidateOf(offered, { ...options, settings, config, memory });
    },
    rules: (config) => {
      const id = store.newest()?.id;
      if (memory.rules?.config === config && memory.rules.id === id) return memory.rules.rules;
      const publishers = config.policyBundle?.publishers ?? [];
      const rules = keptRules(store, { publishers, config }) ?? denyingRules(config);
      memory.rules = { config, id, rules };
      return rules;
    },
    decided: () => decidedIn(store),
    stop: async () => {
      clearInterval(watch);
      await stopSource();
    },
  };
}

/** Closed, with a reason for callers; the doctor sees the servers all the same. */
export function denyingRules({
  trust_domain: domain,
}: Pick<Config, "trust_domain">): readonly PolicyDocument[] {
  return [
    {
      name: "no-policy-bundle",
      callers: ["*"],
      tools: ["*"],
      resources: ["*"],
      prompts: ["*"],
      when: `caller.id != ${JSON.stringify(spiffeId(domain, doctorPath))}`,
      effect: "deny",
      because:
        "No policy bundle is in force, so everything is denied. The gateway's operator finds why with `latticegate doctor`.",
      mode: "enforce",
    },
  ];
}

/** What needn't be found out again while nothing has changed: to check a thousand rules takes a second. */
interface Memory {
  rules?: {
    readonly config: Config;
    readonly id: number | undefined;
    readonly rules: readonly PolicyDocument[];
  };
  wrong?: { readonly config: Config; readonly refusal: BundleRefusal };
}

interface Judging extends DeskOptions {
  readonly memory: Memory;
  readonly settings: BundleSettings;
  readonly config: Config;
}

async function candidateOf(offered: Offered, judging: Judging): Promise<Candidate | undefined> {
  const { store, settings, config, clock, memory } = judging;
  const { publishers, place } = settings;
  const source = placeText(place);
  if (offered.kind === "away") {
    await trouble({ kind: "away", why: offered.why, text: offered.text, digest: null }, source, judging);
    return undefined;
  }
  const nowUnixMs = clock.nowUnixMs();
  const newest = store.newest();
  const standing = { highest: store.highest(), inForce: newest?.digest };
  const foundWrong = memory.wrong?.config === config ? memory.wrong.refusal : undefined;
  const terms = { publishers, config, nowUnixMs, foundWrong, ...standing };
  const judged = await judgeBundle(offered.document, terms);
  if (judged.kind === "refused") {
    if (judged.why === "bad_rules") memory.wrong = { config, refusal: judged };
    await trouble(judged, source, judging);
    return undefined;
  }
  settled(judging);
  if (judged.kind === "known") return undefined;
  const { bundle, rules } = judged;
  const origin = { what: "taken", source, commit: offered.commit, by: "gateway", because: null } as const;
  const row = { ...rowOf(bundle), ...origin, atUnixMs: nowUnixMs, isRecorded: true };
  return { rules, facts: factsOf(row), take: () => store.put(row, newest?.id, offered.document) };
}

/** Told once: in the log, in the state for the doctor, and in the audit log if a bundle was refused. */
async function trouble(
  found: Omit<BundleTrouble, "sinceUnixMs"> | BundleRefusal,
  source: string,
  { store, log, journal, principal, clock }: DeskOptions,
): Promise<void> {
  const { kind, why, text, digest } = found;
  const before = store.trouble();
  if (before?.kind === kind && before.why === why && before.digest === digest) return;
  const atUnixMs = clock.nowUnixMs();
  if (kind === "away") log.warn("policy.bundle_away", { source, why, reason: text });
  else {
    const sequence = "sequence" in found && found.sequence !== undefined ? String(found.sequence) : undefined;
    const facts = { why, source, digest: digest ?? "", ...(sequence !== undefined && { sequence }) };
    const about = { callId: randomUUIDv7(), principal, tool: null, outcome: "denied" } as const;
    await journal.append({ event: "policy.refuse", atUnixMs, ...about, facts });
    log.error("policy.bundle_refused", { ...facts, reason: text });
  }
  store.setTrouble({ kind, why, text, digest, sinceUnixMs: atUnixMs });
}

function settled({ store, log, settings }: Judging): void {
  if (store.trouble() === undefined) return;
  store.setTrouble(undefined);
  log.info("policy.bundle_back", { source: placeText(settings.place) });
}

function watchDecisions({ store, log, onNews }: DeskOptions): NodeJS.Timeout {
  let seen = store.version();
  let known = store.newest()?.id;
  return setInterval(() => {
    try {
      const now = store.version();
      if (now === seen) return;
      const newest = store.newest()?.id;
      if (newest !== known) onNews();
      [seen, known] = [now, newest];
    } catch (error) {
      // Tried again at the next tick; until then the rules stay.
      log.error("state.unreadable", { reason: error instanceof Error ? error.message : "unknown" });
    }
  }, watchMs).unref();
}

function decidedIn(store: BundleStore): readonly Decided[] {
  return store
    .unrecorded()
    .map((row) => ({ callId: row.callId, facts: factsOf(row), recorded: () => store.recorded(row.id) }));
}

type Described = Pick<
  BundleRow,
  "sequence" | "digest" | "publisher" | "signedBy" | "issuedAtUnixMs" | "expiresAtUnixMs"
>;

/** The part of a row that the bundle itself says. */
export function rowOf(bundle: VerifiedBundle): Described {
  const { sequence, digest, publisher, signedBy, issuedAtUnixMs, expiresAtUnixMs } = bundle;
  return { sequence, digest, publisher, signedBy, issuedAtUnixMs, expiresAtUnixMs };
}

/** For the audit log, which names nobody: who decided and why stands in the history. */
function factsOf(
  row: Described & Pick<BundleRow, "what" | "source" | "commit" | "by">,
): Readonly<Record<string, string>> {
  return {
    bundle: row.what,
    sequence: String(row.sequence),
    digest: row.digest,
    publisher: row.publisher,
    signed_by: row.signedBy,
    source: row.source,
    ...(row.commit !== null && { commit: row.commit }),
    by: row.what === "taken" ? "gateway" : "operator",
  };
}
