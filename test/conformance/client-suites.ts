/** The official client suites: the fixture client straight to the suite's servers, and through `connect --forward`. */
import path from "node:path";
import { fileURLToPath } from "node:url";

import { compare, type Comparison, differingScenarios, readChecks, replaced } from "./compare.ts";
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
  readonly comparison: Comparison;
  /** Audit entries that the way through us left; without any the client went around us. */
  readonly entries: number;
  /** Scenarios that differed and were run again both ways. */
  readonly repeated: readonly string[];
}

/** Some checks measure time, and fail now and then on a busy machine: what differs is run again before it counts. */
const maxRepeats = 2;

/**
 * @param proxy URL of a sidecar in forward mode, with its password
 * @param logSize how many entries the gateway's log has
 */
export async function runClientSuites(
  proxy: string,
  logSize: () => Promise<number>,
): Promise<readonly ClientRun[]> {
  const ways = {
    direct: `${withoutProxies} ${process.execPath} ${fixtureClient}`,
    forward: `${withoutProxies} NODE_USE_ENV_PROXY=1 HTTP_PROXY=${proxy} NO_PROXY= ${process.execPath} ${fixtureClient}`,
  };
  const runs: ClientRun[] = [];
  for (const suite of suites) {
    const before = await logSize();
    const run = await runBothWays(suite, ways);
    runs.push({ ...run, entries: (await logSize()) - before });
  }
  return runs;
}

type Ways = Readonly<Record<"direct" | "forward", string>>;

async function runBothWays(suite: Suite, ways: Ways): Promise<Omit<ClientRun, "entries">> {
  const folder = path.join(out, suite.name.replaceAll(" ", "-"));
  const run = async (way: keyof Ways, what: readonly string[], name: string) =>
    await readChecks(
      await runSuite(suite.pin, ["client", "--command", ways[way], ...what], path.join(folder, name)),
    );
  let direct = await run("direct", ["--suite", "all"], "direct");
  let forward = await run("forward", ["--suite", "all"], "forward");
  const repeated = new Set<string>();
  for (let repeat = 1; repeat <= maxRepeats; repeat++) {
    for (const scenario of differingScenarios(compare(direct, forward))) {
      repeated.add(scenario);
      const what = ["--scenario", scenario];
      const name = `${scenario.replaceAll("/", "-")}-repeat-${repeat}`;
      direct = replaced(direct, await run("direct", what, `${name}-direct`));
      forward = replaced(forward, await run("forward", what, `${name}-forward`));
    }
  }
  return { suite: suite.name, comparison: compare(direct, forward), repeated: [...repeated] };
}
