/**
 * The official client suites: the fixture client straight to the suite's servers, through `connect --forward`, and
 * with the gateway as the protected resource before them.
 */
import path from "node:path";
import { fileURLToPath } from "node:url";

import {
  type Checks,
  compare,
  type Comparison,
  differingScenarios,
  readChecks,
  replaced,
} from "./compare.ts";
import { explain, type Explained } from "./explain.ts";
import { explanations } from "./resource-differences.ts";
import type { ResourceWay } from "./resource-way.ts";
import { out, type Pin, runSuite } from "./suite.ts";

const fixtureClient = fileURLToPath(new URL("../fixture/client.ts", import.meta.url));

/** Nothing that this process inherited may lead the client around us, or through another proxy. */
const withoutProxies =
  "env -u http_proxy -u https_proxy -u no_proxy -u HTTP_PROXY -u HTTPS_PROXY -u ALL_PROXY";

const suites = [
  { name: "0.1.16 client all", pin: "mcp-conformance-stable" },
  { name: "0.2.0-alpha.12 client all", pin: "mcp-conformance-next" },
] as const satisfies readonly { readonly name: string; readonly pin: Pin }[];

type Suite = (typeof suites)[number];

export interface ClientRun {
  readonly suite: string;
  readonly way: Exclude<Way, "direct">;
  readonly comparison: Comparison;
  /** What differs as it must; absent where nothing may. */
  readonly explained?: Explained;
  /** Audit entries that the way through us left; without any the client went around us. */
  readonly entries: number;
  /** Scenarios that differed unexpectedly and were run again. */
  readonly repeated: readonly string[];
}

/** Some checks measure time, and fail now and then on a busy machine: what differs is run again before it counts. */
const maxRepeats = 2;

/** All scenarios run at once, and with a gateway each they wait for each other. */
const patience = ["--timeout", "120000"];

type Way = "direct" | "forward" | "resource";

/** @returns what differs from the direct way and mustn't */
type Judge = (suite: Suite, comparison: Comparison) => ReadonlySet<string>;

const mustBeSame: Judge = (_suite, comparison) => differingScenarios(comparison);
const mustBeExplained: Judge = ({ pin }, { different }) =>
  new Set(explain(different, explanations(pin)).surprises.map(({ scenario }) => scenario));

/**
 * @param proxy URL of a sidecar in forward mode, with its password
 * @param logSize how many entries the gateway's log has
 */
export async function runClientSuites(
  proxy: string,
  logSize: () => Promise<number>,
  resource: ResourceWay,
): Promise<readonly ClientRun[]> {
  const client = `${process.execPath} ${fixtureClient}`;
  const commands = {
    direct: `${withoutProxies} ${client}`,
    forward: `${withoutProxies} NODE_USE_ENV_PROXY=1 HTTP_PROXY=${proxy} NO_PROXY= ${client}`,
    resource: resource.command,
  };
  const runs: ClientRun[] = [];
  for (const suite of suites) {
    const before = { forward: await logSize(), resource: resource.entries() };
    const setting = { suite, commands };
    const direct = await runWay(setting, "direct", ["--suite", "all"], "direct");
    const forward = await runAgainst(direct, setting, "forward", mustBeSame);
    runs.push({ ...forward, entries: (await logSize()) - before.forward });
    const behind = await runAgainst(direct, setting, "resource", mustBeExplained);
    runs.push({
      ...behind,
      explained: explain(behind.comparison.different, explanations(suite.pin)),
      entries: resource.entries() - before.resource,
    });
  }
  return runs;
}

interface Setting {
  readonly suite: Suite;
  readonly commands: Readonly<Record<Way, string>>;
}

async function runAgainst(
  first: Checks,
  setting: Setting,
  way: ClientRun["way"],
  judge: Judge,
): Promise<Omit<ClientRun, "entries" | "explained">> {
  const { suite } = setting;
  let direct = first;
  let proxied = await runWay(setting, way, ["--suite", "all"], way);
  const repeated = new Set<string>();
  for (let repeat = 1; repeat <= maxRepeats; repeat++) {
    for (const scenario of judge(suite, compare(direct, proxied))) {
      repeated.add(scenario);
      const what = ["--scenario", scenario];
      const name = `${scenario.replaceAll("/", "-")}-repeat-${repeat}`;
      direct = replaced(direct, await runWay(setting, "direct", what, `${name}-${way}-direct`));
      proxied = replaced(proxied, await runWay(setting, way, what, `${name}-${way}`));
    }
  }
  return { suite: suite.name, way, comparison: compare(direct, proxied), repeated: [...repeated] };
}

async function runWay(
  { suite, commands }: Setting,
  way: Way,
  what: readonly string[],
  name: string,
): Promise<Checks> {
  const folder = path.join(out, suite.name.replaceAll(" ", "-"), name);
  const args = ["client", "--command", commands[way], ...patience, ...what];
  const checks = await readChecks(await runSuite(suite.pin, args, folder));
  return way === "resource" ? withoutOperator(checks) : checks;
}

/** The harness asks each protected server once for its metadata (scenario-operator.ts): no client did. */
function withoutOperator(checks: Checks): Checks {
  return new Map([...checks].filter(([check]) => !check.endsWith(" prm-pathbased-requested #1")));
}
