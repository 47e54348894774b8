// `npm test`: sets up what is missing, then every check a change must pass. `--fast` leaves the scenarios out.
import { ensureInstalled } from "./setup.mjs";
import { node, runSteps, together, tool } from "./steps.mjs";

await ensureInstalled();

const fast = process.argv.includes("--fast");
const testFlags = ["--test", "--test-reporter=dot", "--test-timeout=120000"];

const steps = [
  tool("format", "oxfmt", "--check", "."),
  tool("lint", "oxlint", "--type-aware", "--deny-warnings", "."),
  tool("types", "tsc"),
  tool("types of the page", "tsc", "-p", "web"),
  together(
    "unit tests",
    // Two halves that take equally long.
    unitTests("src/[a-g]*/**/*.test.ts", "web/src/**/*.test.ts"),
    unitTests("src/[i-z]*/**/*.test.ts"),
    unitTests(
      "src/host/!(store)/**/*.test.ts",
      "src/host/*.test.ts",
      ...(fast ? ["src/host/store/*.test.ts"] : []),
      "test/*.test.ts",
      "test/conformance/*.test.ts",
    ),
  ),
  ...(fast
    ? []
    : [
        node(
          "scenarios",
          ...testFlags,
          // They wait for each other's timers half of their time.
          "--test-concurrency=3",
          // The log's and the state's files take half of the unit tests' time: here two of them run at once.
          "src/host/store/*.test.ts",
          "test/scenarios/*.test.ts",
          "test/faithful/*.test.ts",
        ),
      ]),
  node("docs in step", "src/cli/main.ts", "config", "docs", "--check"),
  tool("dead code", "knip"),
];
process.exitCode = await runSteps(steps, { tries: 2 });

/** In one process: they are many, and short. */
function unitTests(...files) {
  return node("unit tests", ...testFlags, "--test-isolation=none", ...files);
}
