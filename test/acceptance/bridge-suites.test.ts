/**
 * The official suites of each era against servers of the other, through the bridge, over HTTP and stdio; and against one
 * of both eras that is bridged all the same.
 */
import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { explanations } from "../conformance/bridge-differences.ts";
import { bridgedCell, type Era, runAt, suites } from "../conformance/bridge-suites.ts";
import type { Checks } from "../conformance/compare.ts";
import { startProcess } from "../support/cli.ts";
import { gatewayProcess, loopbackSidecar } from "../support/gateway-process.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const fixture = path.join(root, "test", "fixture", "server.ts");

/** The fixture's tool that closes its stream answers after a second. Over a pipe the gateway closes it, once. */
const streamOpen = "650ms";

describe("the suites of one era at servers of the other", { concurrency: 2 }, () => {
  const undo: (() => unknown)[] = [];
  const t = { after: (step: () => unknown) => void undo.push(step) };
  const straight = new Map<Era, string>();
  const sidecars = new Map<string, string>();
  const direct = new Map<string, Promise<Checks>>();

  before(async () => {
    await rm(path.join(root, "out", "bridge"), { recursive: true, force: true });
    const servers: string[] = [];
    for (const era of ["legacy", "modern"] as const) {
      const program = [process.execPath, fixture, "--era", era] as const;
      const { groups } = await startProcess(t, [...program, "--http", "0"], /^(http:\S+)$/);
      straight.set(era, groups[0] ?? "");
      servers.push(`  ${era}-http: { url: "${groups[0] ?? ""}", bridge: auto }`);
      servers.push(`  ${era}-stdio: { command: ${JSON.stringify([...program, "--stdio"])}, bridge: auto }`);
    }
    const both = JSON.stringify([process.execPath, fixture, "--stdio"]);
    servers.push(`  both-stdio: { command: ${both}, bridge: auto }`);
    const gateway = await gatewayProcess(
      t,
      `servers:\n${servers.join("\n")}\nlimits: { stream_open: ${streamOpen} }`,
    );
    for (const server of ["legacy-http", "legacy-stdio", "modern-http", "modern-stdio", "both-stdio"])
      sidecars.set(server, (await loopbackSidecar(t, gateway, server, server)).url);
  });
  after(async () => {
    for (const step of undo.reverse()) await step();
  });

  for (const suite of suites) {
    const other = suite.era === "legacy" ? "modern" : "legacy";
    for (const name of [`${other}-http`, `${other}-stdio`, "both-stdio"]) {
      test(`${suite.name} at ${name}`, async (inner) => {
        const own = direct.get(suite.name) ?? runAt(suite, straight.get(suite.era) ?? "", "direct");
        direct.set(suite.name, own);
        const url = sidecars.get(name) ?? "";
        const table = name === "both-stdio" ? [] : explanations(suite);
        const { comparison, explained, repeated } = await bridgedCell(suite, await own, { name, url, table });
        const { same, passed } = comparison;
        inner.diagnostic(`${passed} checks pass at its own era, ${same} are the same through the bridge`);
        for (const scenario of repeated) inner.diagnostic(`${scenario} differed at first and was run again`);
        for (const { name, because, count } of explained.reasons)
          inner.diagnostic(`${count} differ: ${name}. ${because}`);
        assert.deepEqual(
          explained.surprises.map(({ text }) => text),
          [],
        );
        assert.ok(same > 0 && passed > 0);
      });
    }
  }
});
