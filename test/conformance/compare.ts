/** Compares two runs of a conformance suite check by check: same scenarios, same checks, same verdicts. */
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";

/** A check's verdict by scenario, check id and how often that id came before. */
export type Checks = ReadonlyMap<string, string>;

export interface Difference {
  readonly check: string;
  readonly direct: string;
  readonly proxied: string;
}

export interface Comparison {
  readonly same: number;
  readonly passed: number;
  readonly different: readonly Difference[];
}

/** @param folder what a suite wrote with `-o`: `<scenario>-<timestamp>/checks.json`, a scenario's name may hold a slash */
export async function readChecks(folder: string): Promise<Checks> {
  const checks = new Map<string, string>();
  for (const file of (await readdir(folder, { recursive: true })).toSorted()) {
    if (path.basename(file) !== "checks.json") continue;
    const text = await readFile(path.join(folder, file), "utf8");
    const scenario = path.dirname(file).replace(/-\d{4}-\d\d-\d\dT[\d-]+Z$/, "");
    for (const { id, status } of JSON.parse(text) as { readonly id: string; readonly status: string }[]) {
      // INFO says what a scenario found, not whether it passed.
      if (status === "INFO") continue;
      let nth = 1;
      while (checks.has(`${scenario} ${id} #${nth}`)) nth++;
      checks.set(`${scenario} ${id} #${nth}`, status);
    }
  }
  return checks;
}

export function compare(direct: Checks, proxied: Checks): Comparison {
  const names = new Set([...direct.keys(), ...proxied.keys()]);
  const different = [...names]
    .map((check) => ({
      check,
      direct: direct.get(check) ?? "absent",
      proxied: proxied.get(check) ?? "absent",
    }))
    .filter((pair) => pair.direct !== pair.proxied);
  const passed = [...direct.values()].filter((status) => status === "SUCCESS").length;
  return { same: names.size - different.length, passed, different };
}

/** The scenarios in which two runs differ. */
export function differingScenarios({ different }: Comparison): ReadonlySet<string> {
  return new Set(different.map(({ check }) => scenarioOf(check)));
}

/** The checks of a run, those of the scenarios that were run `again` replaced. */
export function replaced(checks: Checks, again: Checks): Checks {
  const scenarios = new Set([...again.keys()].map(scenarioOf));
  return new Map([...[...checks].filter(([check]) => !scenarios.has(scenarioOf(check))), ...again]);
}

function scenarioOf(check: string): string {
  return check.slice(0, check.indexOf(" "));
}
