/** Runs the tests on the gateway that runs, and leaves each result for the log, which the gateway writes within a second. */
import { randomUUID } from "node:crypto";

import { testEvent, type TestName, tests } from "../../compliance/tests.ts";
import { spiffeId } from "../../identity/spiffe-id.ts";
import { printable } from "../../kernel/printable.ts";
import type { Clock } from "../../kernel/clock.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { openLogReader } from "../../host/store/log-reader.ts";
import { readEntry } from "../../audit/entry.ts";
import { runningGateway } from "../certificate-authority.ts";
import type { Config } from "../config.ts";
import { assessPath, passingPaths } from "../doctor-rule.ts";
import { closeIncident, listIncidents } from "../respond/incident-operations.ts";
import { operatorIdentity, tunnelOf } from "../operator-tunnel.ts";
import { statePaths, withRoots } from "../state-folder.ts";
import { refusalTests } from "./refusal-tests.ts";
import { settingTests } from "./setting-tests.ts";
import { failed, skipped, type TestOutcome, type TestScene, within } from "./test-scene.ts";

export interface TestRun extends TestOutcome {
  readonly test: TestName;
}

export interface TestRunning {
  readonly config: Config;
  /** Who wants them to run, as the log names who acts. */
  readonly by: string;
  readonly clock: Clock;
}

const maxSays = 300;

/** Told one by one. @throws Refusal `bad_state` if no gateway runs, or it gives out no identity */
export async function* runTests({ config, by, clock }: TestRunning): AsyncGenerator<TestRun> {
  const run = await runningGateway(config.state);
  if (run === undefined) throw new Refusal("bad_state", "No gateway runs, so there is nothing to test.");
  const identity = await operatorIdentity(config, { path: assessPath, address: run.listen }, clock);
  const tunnel = tunnelOf(identity, run.listen);
  const scene = { config, run, clock, identity, tunnel };
  const id = randomUUID();
  const sinceUnixMs = clock.nowUnixMs();
  const size = await openLogReader(statePaths(config.state).log).size();
  let told = 0;
  try {
    for (const [name, attempt] of Object.entries({ ...settingTests, ...refusalTests })) {
      const test = name as TestName;
      const outcome = await tried(attempt, scene);
      tell(scene, { test, by, run: id, ...outcome });
      told += 1;
      yield { test, ...outcome };
    }
  } finally {
    await tunnel.close();
  }
  if (!(await within(async () => (await writtenSince(config, size, id)) >= told))) {
    throw new Refusal(
      "bad_state",
      "The gateway didn't write the results into its log; look at what it says.",
    );
  }
  closeOwnIncidents({ config, by, clock }, sinceUnixMs);
}

/** What was found of the tests alone: nobody has to look at it. An incident with anybody else in it stays open. */
function closeOwnIncidents({ config, by, clock }: TestRunning, sinceUnixMs: number): void {
  const own = new Set(passingPaths.map((path) => spiffeId(config.trust_domain, path)));
  const place = { state: config.state, clock };
  for (const { incident } of listIncidents(place, { all: false })) {
    const { id, openedUnixMs, callers } = incident;
    const isOwn =
      openedUnixMs >= sinceUnixMs && callers.length > 0 && callers.every((caller) => own.has(caller));
    if (isOwn) closeIncident(place, id, { by, because: "`latticegate assess` tried what must be refused." });
  }
}

async function tried(
  attempt: (scene: TestScene) => TestOutcome | Promise<TestOutcome>,
  scene: TestScene,
): Promise<TestOutcome> {
  try {
    return await attempt(scene);
  } catch (error) {
    // Neither a refusal nor an answer: it shows nothing, so nothing is shown by it.
    if (error instanceof Refusal) return skipped(error.message);
    return failed(error instanceof Error ? error.message : "unknown failure");
  }
}

interface Told extends TestRun {
  readonly by: string;
  readonly run: string;
}

function tell({ config, clock }: TestScene, { test, result, says, by, run }: Told): void {
  const facts = { result, says: printable(says, maxSays), shows: tests[test].shows, by, run };
  const atUnixMs = clock.nowUnixMs();
  withRoots(config.state, (store) => {
    store.change((_, change) => change.tell({ event: testEvent, atUnixMs, what: test, facts }));
  });
}

async function writtenSince({ state }: Config, size: number, run: string): Promise<number> {
  let written = 0;
  for await (const { bytes } of openLogReader(statePaths(state).log).forwards(size)) {
    const reading = readEntry(bytes);
    if (reading.kind === "entry" && reading.entry.event === testEvent && reading.entry.facts["run"] === run)
      written += 1;
  }
  return written;
}
