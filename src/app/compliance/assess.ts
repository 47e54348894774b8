/** A deployment held against the frameworks: the tests, if they are wanted and can be run, then what the log shows. */
import { frameworkNames, type Report, reportOf } from "../../compliance/report.ts";
import { openLogReader } from "../../host/store/log-reader.ts";
import { gatewayIdOf, spiffeId } from "../../identity/spiffe-id.ts";
import { fromUtf8 } from "../../kernel/bytes.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { runningGateway } from "../certificate-authority.ts";
import type { Config } from "../config.ts";
import { assessPath, assessSigningPath } from "../doctor-rule.ts";
import { statePaths } from "../state-folder.ts";
import { withNames } from "../subject-names.ts";
import { version } from "../version.ts";
import { lookInLog } from "./look-in-log.ts";
import { runTests, type TestRun, type TestRunning } from "./run-tests.ts";

export interface Assessment extends TestRunning {
  /** Names of frameworks; all of them without one. */
  readonly frameworks: readonly string[];
  readonly hasTests: boolean;
  /** Told of each test as it ends. */
  readonly onTest?: (run: TestRun) => void;
}

/** @throws Refusal `bad_config` for a framework that isn't there, `bad_state` before the first start */
export async function assess(assessment: Assessment): Promise<Report> {
  const unknown = assessment.frameworks.find((name) => !frameworkNames.some((known) => known === name));
  if (unknown !== undefined) {
    throw new Refusal(
      "bad_config",
      `There is no framework "${unknown}"; there are ${frameworkNames.join(", ")}.`,
    );
  }
  const tested = await test(assessment);
  return await lookBack(assessment, tested);
}

/** Without tests: what the log shows now. */
async function lookBack(
  { config, clock, frameworks }: Pick<Assessment, "config" | "clock" | "frameworks">,
  tested: Report["tested"],
): Promise<Report> {
  const { log: folder, auditIndex: index } = statePaths(config.state);
  const files = openLogReader(folder);
  const besides = await testNames(config);
  const observed = lookInLog({ folder, index, besides });
  if (observed.size === 0 && (await files.size()) === 0) {
    throw new Refusal("bad_state", `There is no log in ${config.state} yet; run "latticegate up" once.`);
  }
  const checkpoint = await files.files("checkpoint");
  const about = {
    at: new Date(clock.nowUnixMs()).toISOString(),
    gateway: gatewayIdOf(config.trust_domain),
    version,
    log: { size: observed.size, checkpoint: (checkpoint && fromUtf8(checkpoint)) ?? "" },
    tested,
  };
  return reportOf(about, observed, frameworks);
}

const testsNotAsked = {
  now: false,
  why: "No test was run for this report; earlier results count until something changes.",
} as const satisfies Report["tested"];

async function test(assessment: Assessment): Promise<Report["tested"]> {
  if (!assessment.hasTests) return testsNotAsked;
  if ((await runningGateway(assessment.config.state)) === undefined) {
    return { now: false, why: "No test was run, since no gateway runs; start it with `latticegate up`." };
  }
  let count = 0;
  for await (const run of runTests(assessment)) {
    count += 1;
    assessment.onTest?.(run);
  }
  return { now: true, why: `${count} tests were run for this report.` };
}

/** All that the log may call whoever made the tests' calls. */
async function testNames(config: Config): Promise<ReadonlySet<string>> {
  const ids = [assessPath, assessSigningPath].map((path) => spiffeId(config.trust_domain, path));
  const place = { state: config.state, unlock: config.unlock };
  return await withNames(place, (names) =>
    Promise.resolve(new Set(ids.flatMap((id) => names.callersOf(id)))),
  );
}
