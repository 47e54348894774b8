/** What operators ask and decide of bundles: whether a file is right, what was in force, and what is to be. */
import { existsSync } from "node:fs";

import { readBoundedFile } from "../../host/store/bounded-file.ts";
import {
  type BundleRow,
  type BundleStep,
  type BundleStore,
  type BundleTrouble,
  openBundles,
} from "../../host/store/state-bundles.ts";
import { maxBundleBytes, type VerifiedBundle, verifyBundle } from "../../integrity/policy-bundle.ts";
import type { Clock } from "../../kernel/clock.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { PolicyDocument } from "../../policy/rules.ts";
import { type TriedRules, triedRules } from "../../policy/trial/cases.ts";
import type { Config } from "../config.ts";
import { statePaths } from "../state-folder.ts";
import { rowOf } from "./bundle-desk.ts";
import { bundleRules, readBundleRules, runBundleCases, whyNotPassed } from "./bundle-rules.ts";
import { casesIn } from "./case-file.ts";
import { faultText, judgeBundle, keptBundle, keptRules } from "./judge-bundle.ts";

export interface LookedAt {
  /** What it says of itself, if its signatures are right. */
  readonly bundle: VerifiedBundle | undefined;
  /** What is wrong with it, in sentences; none if nothing is. */
  readonly wrong: readonly string[];
  /** How many there are, where it is right. */
  readonly cases: number;
  /** Where a config was named that follows a bundle: whether its gateway would take this one up, or has. */
  readonly standing?: "in force, or rolled back" | "would be taken up";
}

export interface LookAt {
  /** Names, publishers and what was taken are those of this config; undefined: of itself alone. */
  readonly config: Config | undefined;
  /** Fingerprints, instead of the config's; none for whoever signed it. */
  readonly publishers: readonly string[];
  readonly clock: Clock;
}

/** @throws Refusal `bad_config` if the file can't be read */
export async function lookAtBundle(file: string, { config, publishers, clock }: LookAt): Promise<LookedAt> {
  const document = bytesOf(file);
  const nowUnixMs = clock.nowUnixMs();
  const own = publishers.length > 0 ? publishers : config?.policyBundle?.publishers;
  if (config !== undefined && own !== undefined) {
    const standing = standingOf(config);
    const judged = await judgeBundle(document, { publishers: own, config, nowUnixMs, ...standing });
    const { bundle } = verifyBundle(document, { publishers: undefined, nowUnixMs: undefined });
    if (judged.kind === "refused") return { bundle, wrong: [judged.text], cases: 0 };
    const said = judged.kind === "take" ? "would be taken up" : "in force, or rolled back";
    return { bundle, wrong: [], cases: countIn(bundle), standing: said };
  }
  const checked = verifyBundle(document, { publishers: own, nowUnixMs });
  const { bundle } = checked;
  if (checked.kind === "fault") return { bundle, wrong: [faultText(checked.fault, bundle)], cases: 0 };
  const { wrong, cases } = await tried(checked.bundle, config);
  return { bundle, wrong, cases };
}

function standingOf(config: Config): Pick<Parameters<typeof judgeBundle>[1], "highest" | "inForce"> {
  if (!existsSync(statePaths(config.state).database)) return { highest: undefined, inForce: undefined };
  return withBundles(config, (store) => ({ highest: store.highest(), inForce: store.newest()?.digest }));
}

function countIn(bundle: VerifiedBundle | undefined): number {
  return (bundle?.cases ?? []).reduce((sum, each) => sum + casesIn(each, "A file of cases").cases.length, 0);
}

/** By itself, and with the names of a config if there is one. */
async function tried(
  bundle: VerifiedBundle,
  config: Config | undefined,
): Promise<Pick<LookedAt, "wrong" | "cases">> {
  try {
    const rules = config === undefined ? readBundleRules(bundle) : bundleRules(bundle, config);
    const results = await runBundleCases(bundle, rules);
    const wrong = results.map(whyNotPassed).filter((why) => why !== undefined);
    return { wrong, cases: wrong.length === 0 ? results.length : 0 };
  } catch (error) {
    if (error instanceof Refusal) return { wrong: [error.message], cases: 0 };
    throw error;
  }
}

export interface BundleHistory {
  /** The newest first. */
  readonly rows: readonly BundleRow[];
  readonly highest: number | undefined;
  readonly trouble: BundleTrouble | undefined;
}

export function bundleHistory(config: Config): BundleHistory {
  return withBundles(config, (store) => ({
    rows: store.history(),
    highest: store.highest()?.sequence,
    trouble: store.trouble(),
  }));
}

/** The rules that the gateway of a config has in force by its bundle. @throws Refusal `bad_state` if there are none */
export function rulesInBundle(config: Config): TriedRules {
  return triedRules(policiesInBundle(config));
}

/** The same as they are written. @throws Refusal `bad_state` if there are none */
export function policiesInBundle(config: Config): readonly PolicyDocument[] {
  const { policyBundle } = config;
  const rules =
    policyBundle &&
    withBundles(config, (store) => keptRules(store, { publishers: policyBundle.publishers, config }));
  if (rules !== undefined) return rules;
  throw new Refusal("bad_state", "No policy bundle is in force yet, so everything is denied.");
}

export interface Deciding {
  readonly because: string;
  /** A name on this machine. */
  readonly who: string;
  readonly clock: Clock;
}

/**
 * Puts a bundle in force that was before; a running gateway follows at once. The source counts again when it has a
 * higher sequence than any that was taken.
 * @param to sequence or digest; undefined: the one before
 * @throws Refusal `bad_config` if it can't be
 */
export function rollBackBundle(config: Config, to: string | undefined, deciding: Deciding): BundleRow {
  return withBundles(config, (store) => {
    const newest = newestIn(store);
    const row = to === undefined ? oneBefore(store, newest) : rowNamed(store, to);
    if (row.digest === newest.digest) {
      throw new Refusal("bad_config", `The bundle ${row.sequence} is in force already.`);
    }
    return putKept(store, config, { row, newest, what: "rolled-back", ...deciding });
  });
}

/**
 * Ends a roll-back: the highest sequence that was taken is in force again.
 * @param isReset has the next bundle taken whatever its sequence, instead; the one in force stays until then
 * @throws Refusal `bad_config` if nothing was rolled back
 */
export function followBundle(config: Config, isReset: boolean, deciding: Deciding): BundleRow {
  return withBundles(config, (store) => {
    const newest = newestIn(store);
    if (isReset) return putKept(store, config, { row: newest, newest, what: "reset", ...deciding });
    const highest = store.highest();
    const row = store.history().find(({ digest }) => digest === highest?.digest);
    if (row === undefined || row.digest === newest.digest) {
      throw new Refusal(
        "bad_config",
        `Nothing was rolled back: ${newest.sequence} is in force, and a higher one is taken up when it comes.`,
      );
    }
    return putKept(store, config, { row, newest, what: "followed", ...deciding });
  });
}

interface Putting extends Deciding {
  readonly row: BundleRow;
  readonly newest: BundleRow;
  readonly what: BundleStep;
}

function putKept(store: BundleStore, config: Config, putting: Putting): BundleRow {
  const { row, newest, what, because, who, clock } = putting;
  const { policyBundle } = config;
  if (policyBundle === undefined) {
    throw new Refusal("bad_config", "The config follows no bundle of policies (policies.bundle).");
  }
  const bundle = keptBundle(store, row.digest, policyBundle.publishers);
  bundleRules(bundle, config);
  const { source, commit } = row;
  const decided = { what, source, commit, by: who, because, atUnixMs: clock.nowUnixMs() };
  const isPut = store.put({ ...rowOf(bundle), ...decided, isRecorded: false }, newest.id);
  const put = store.newest();
  if (isPut && put !== undefined) return put;
  throw new Refusal(
    "bad_state",
    "Another bundle came into force just now. Look at the history, and decide anew.",
  );
}

function newestIn(store: BundleStore): BundleRow {
  const newest = store.newest();
  if (newest !== undefined) return newest;
  throw new Refusal("bad_state", "No bundle of policies was taken yet.");
}

function oneBefore(store: BundleStore, { sequence }: BundleRow): BundleRow {
  const row = store.history().find((each) => each.sequence < sequence);
  if (row !== undefined) return row;
  throw new Refusal("bad_config", `No bundle from before ${sequence} is kept.`);
}

function rowNamed(store: BundleStore, to: string): BundleRow {
  const isNumber = /^[1-9]\d{0,15}$/.test(to);
  const rows = store
    .history()
    .filter(({ sequence, digest }) => (isNumber ? sequence === Number(to) : digest === to));
  const [row] = rows;
  if (row === undefined) {
    throw new Refusal(
      "bad_config",
      `No bundle "${to}" is kept; "latticegate policy bundle history" has the sequences and digests.`,
    );
  }
  if (rows.every(({ digest }) => digest === row.digest)) return row;
  throw new Refusal("bad_config", `Several bundles had the sequence ${to}: name the digest.`);
}

export function withBundles<T>({ state }: Pick<Config, "state">, work: (store: BundleStore) => T): T {
  const store = openBundles(statePaths(state).database);
  try {
    return work(store);
  } finally {
    store.close();
  }
}

function bytesOf(file: string): Uint8Array {
  try {
    return readBoundedFile(file, maxBundleBytes);
  } catch (cause) {
    throw new Refusal("bad_config", `${file} can't be read. Name another.`, { cause });
  }
}
