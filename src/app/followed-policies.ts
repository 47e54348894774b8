/**
 * The rules, and what their conditions ask for by name, while the gateway runs: read again when a file they stand in is
 * replaced, or the bundle they come in, and taken up whole or not at all. What else the file says counts from the next
 * start.
 */
import { randomUUIDv7 } from "node:crypto";

import { openBundles } from "../host/store/state-bundles.ts";
import { watchFiles } from "../host/store/watched-files.ts";
import { sha256Base64url } from "../crypto/hash.ts";
import { Refusal } from "../kernel/refusal.ts";
import type { PolicyDocument } from "../policy/rules.ts";
import type { SurroundingsDocument } from "../policy/surroundings.ts";
import { type Config, loadConfig, namedPoliciesFile } from "./config.ts";
import { surroundingsIn } from "./config/surroundings.ts";
import { type BundleDesk, bundleDesk, denyingRules, type DeskOptions } from "./policy/bundle-desk.ts";

export interface RulesInForce {
  readonly rules: readonly PolicyDocument[];
  readonly surroundings: SurroundingsDocument;
}

export interface FollowedPolicies {
  readonly current: () => RulesInForce;
  /** Called after others were taken up. */
  readonly onChange: (told: () => void) => void;
  /** Looks at the files now. Never rejects. */
  readonly look: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

export interface Following extends Omit<DeskOptions, "store" | "onNews"> {
  /** The state database. */
  readonly database: string;
}

/**
 * What a bundle's file has is in force when it resolves; a URL is only begun to be asked.
 * @throws Refusal that says what keeps it from being followed at all
 */
export async function followPolicies(first: Config, following: Following): Promise<FollowedPolicies> {
  const store = openBundles(following.database);
  let config = first;
  let told = (): void => {};
  let turn = Promise.resolve();
  const refusals = toldOnce(following, first.file);
  const inTurn = (work: () => Promise<void>): Promise<void> => (turn = turn.then(work));
  const onNews = (): void => void inTurn(settle);
  const desk = bundleDesk({ ...following, store, onNews });
  let inForce = atStart(config, desk, refusals);
  let again: NodeJS.Timeout | undefined;
  const settle = async (): Promise<void> => {
    const failed = await refusals.unless("policies", async () => {
      const takeUp = takingUp({ config, desk, following });
      for (let taken = await takeUp(inForce); taken !== undefined; taken = await takeUp(inForce)) {
        inForce = taken;
        told();
      }
    });
    clearTimeout(again);
    // What is right and couldn't be recorded is taken up as soon as it can be.
    if (failed === "unrecorded") again = setTimeout(onNews, recordAgainMs).unref();
  };
  const look = async (): Promise<void> => {
    await refusals.unless("config", () => {
      const next = loadConfig(first.file);
      desk.follow(next);
      config = next;
      return Promise.resolve();
    });
    if (watching.follow(filesOf(config))) await look(); // It may have changed before it was watched.
    else await settle();
  };
  const watching = watchSeveral(filesOf(config), () => void inTurn(look));
  desk.follow(config);
  await inTurn(settle);
  return {
    current: () => inForce,
    onChange: (next) => (told = next),
    look: () => inTurn(look),
    stop: async () => {
      watching.stop();
      await desk.stop();
      await turn;
      clearTimeout(again);
      store.close();
    },
  };
}

/** Closed, if what is kept of a bundle can't be in force: its source may have a better one. */
function atStart(config: Config, desk: BundleDesk, refusals: ToldOnce): RulesInForce {
  try {
    return rulesIn(config, desk);
  } catch (error) {
    refusals.tell("policies", error);
    return { rules: denyingRules(config), surroundings: surroundingsIn(config) };
  }
}

interface TakingUp {
  readonly config: Config;
  readonly desk: BundleDesk;
  readonly following: Following;
}

/**
 * One step after the other: what an operator decided, then what the source has, then what the config says.
 * @returns what makes the next one: the rules that are in force from then on; undefined if nothing has changed
 */
function takingUp({ config, desk, following }: TakingUp) {
  const put = async (step: Step, before: RulesInForce): Promise<void> => {
    const change = changeOf(before, step.after, step.facts);
    if (change === undefined) return;
    // INVARIANT: on record before a call is judged by it.
    await record(change, step.callId ?? randomUUIDv7(), following);
    following.log.info("policy.changed", change);
  };
  return async (before: RulesInForce): Promise<RulesInForce | undefined> => {
    const decisions = desk.decided();
    if (decisions.length > 0) {
      const after = rulesIn(config, desk);
      for (const { recorded, ...decided } of decisions) {
        await put({ ...decided, after }, before);
        recorded();
      }
      return after;
    }
    const candidate = await desk.candidate(config);
    const surroundings = surroundingsIn(config);
    if (candidate !== undefined) {
      const after = { rules: candidate.rules, surroundings };
      await put({ after, facts: candidate.facts }, before);
      // An operator who decided something meanwhile is heeded in the next step.
      return candidate.take() ? after : before;
    }
    const after = rulesIn(config, desk);
    if (digestOf(before) === digestOf(after)) return undefined;
    await put({ after }, before);
    return after;
  };
}

interface Step {
  readonly after: RulesInForce;
  readonly callId?: string;
  /** Of the bundle that it comes with. */
  readonly facts?: Readonly<Record<string, string>>;
}

function rulesIn(config: Config, desk: BundleDesk): RulesInForce {
  const rules = config.policyBundle === undefined ? config.policies : desk.rules(config);
  return { rules, surroundings: surroundingsIn(config) };
}

/** A config that names another file for its rules is followed there, also before that file is right. */
function filesOf({ file, policiesFile }: Config): readonly string[] {
  const named = namedPoliciesFile(file) ?? policiesFile;
  return named === undefined ? [file] : [file, named];
}

interface WatchedSeveral {
  /** @returns false if these are followed already */
  readonly follow: (files: readonly string[]) => boolean;
  readonly stop: () => void;
}

function watchSeveral(first: readonly string[], onChange: () => void): WatchedSeveral {
  let files = first;
  let watching = watchFiles(files, onChange);
  return {
    follow: (next) => {
      if (next.join("\0") === files.join("\0")) return false;
      watching.stop();
      files = next;
      watching = watchFiles(files, onChange);
      return true;
    },
    stop: () => watching.stop(),
  };
}

const recordAgainMs = 1000;

/** Why what was read isn't in force: it isn't right, or there was nowhere to record it. */
type Failure = "wrong" | "unrecorded";

interface ToldOnce {
  /** Runs `work`; what it throws is told, and again only when it is something else. Never rejects. */
  readonly unless: (what: string, work: () => Promise<void>) => Promise<Failure | undefined>;
  readonly tell: (what: string, error: unknown) => void;
}

function toldOnce({ log }: Pick<Following, "log">, file: string): ToldOnce {
  const before = new Map<string, string>();
  const tell = (what: string, error: unknown): void => {
    const reason = error instanceof Refusal ? error.message : "what was read can't be recorded";
    if (reason !== before.get(what)) log.error("policy.refused", { file, reason });
    before.set(what, reason);
  };
  return {
    tell,
    unless: async (what, work) => {
      try {
        await work();
        before.delete(what);
        return undefined;
      } catch (error) {
        tell(what, error);
        return error instanceof Refusal && error.code !== "journal_unavailable" ? "wrong" : "unrecorded";
      }
    },
  };
}

/** What is told of a change: names, and hashes of all that counts; undefined if there is none. @param bundle it came with */
function changeOf(
  before: RulesInForce,
  after: RulesInForce,
  bundle: Readonly<Record<string, string>> | undefined,
): Readonly<Record<string, string>> | undefined {
  const [was, is] = [digestOf(before), digestOf(after)];
  if (was === is && bundle === undefined) return undefined;
  const [old, now] = [byName(before), byName(after)];
  const names = {
    added: [...now.keys()].filter((name) => !old.has(name)),
    removed: [...old.keys()].filter((name) => !now.has(name)),
    changed: [...now].flatMap(([name, text]) => (old.has(name) && old.get(name) !== text ? [name] : [])),
  };
  const said = Object.entries(names).flatMap(([what, list]) =>
    list.length === 0 ? [] : [[what, list.join(" ").slice(0, maxNamesLength)] as const],
  );
  return { before: was, after: is, rules: String(now.size), ...Object.fromEntries(said), ...bundle };
}

/** Of an entry's fact; the digests say the rest. */
const maxNamesLength = 2000;

function byName({ rules }: RulesInForce): ReadonlyMap<string, string> {
  return new Map(rules.map((rule) => [rule.name, JSON.stringify(rule)]));
}

function digestOf(inForce: RulesInForce): string {
  return sha256Base64url(JSON.stringify(inForce));
}

async function record(
  facts: Readonly<Record<string, string>>,
  callId: string,
  { journal, principal, clock }: Following,
): Promise<void> {
  const about = { callId, principal, tool: null, outcome: "allowed" } as const;
  await journal.append({ event: "policy.change", atUnixMs: clock.nowUnixMs(), ...about, facts });
}
