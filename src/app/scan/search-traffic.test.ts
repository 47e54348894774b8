import assert from "node:assert/strict";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";

import { draft, newFolder, open } from "../../../test/support/log-fixture.ts";
import type { Posture } from "../../inventory/posture/posture.ts";
import type { Sighting } from "../../inventory/sighting.ts";
import { loadConfig } from "../config.ts";
import { asWritten } from "../subject-names.ts";
import { searchTraffic, type TrafficSearch } from "./search-traffic.ts";

const clear: Posture = {
  link: { kind: "clear" },
  keyExchange: { verdict: "none", because: [], dates: [] },
  authentication: { verdict: "none", because: [], dates: [] },
  profiles: [],
};

async function found(folder: string, more: Partial<TrafficSearch> = {}): Promise<readonly Sighting[]> {
  const file = path.join(mkdtempSync(path.join(tmpdir(), "latticegate-scan-")), "latticegate.yaml");
  writeFileSync(
    file,
    `trust_domain: a.test
servers:
  files: { url: "http://127.0.0.1:3000/mcp" }
  notes: { command: [notes-server, --token, abcdefgh12345678] }
  anywhere: { forward: ["http://127.0.0.1:*"] }
`,
  );
  const asked: TrafficSearch = {
    gateway: "gw",
    config: loadConfig(file),
    folder,
    named: asWritten.named,
    sinceUnixMs: 0,
    untilUnixMs: Infinity,
    asking: { probe: async () => await Promise.resolve(clear) },
    signal: new AbortController().signal,
    ...more,
  };
  return await Array.fromAsync(searchTraffic(asked));
}

test("registered servers are told with their posture, and those of the log beside them, within the time asked for", async () => {
  const folder = newFolder();
  const journal = await open(folder);
  const target = "http://127.0.0.1:9000/mcp";
  for (let at = 0; at < 600; at++) {
    const facts = { server: "anywhere", era: "legacy", target: at < 500 ? "http://127.0.0.1:1/old" : target };
    await journal.append(
      draft(at, { event: "call.decision", principal: "agent", atUnixMs: 1000 + at, facts }),
    );
  }
  await journal.close();
  const sightings = await found(folder, { sinceUnixMs: 1500, untilUnixMs: 1599 });
  const servers = sightings.flatMap((one) => (one.kind === "server" ? [one.server] : []));
  assert.deepEqual(
    servers.map(({ evidence }) => evidence),
    [
      { by: "registration", gateway: "gw", name: "files" },
      { by: "registration", gateway: "gw", name: "notes" },
      { by: "traffic", gateway: "gw", calls: 99, lastUnixMs: 1598 },
    ],
  );
  assert.deepEqual(servers[0]?.posture, clear);
  assert.doesNotMatch(JSON.stringify(sightings), /abcdefgh12345678|old/);
  const caller = sightings.find((one) => one.kind === "caller")?.caller;
  assert.deepEqual([caller?.id, caller?.calls, caller?.servers.length], ["agent", 99, 1]);
});

test("a gateway without a log is told by its config alone", async () => {
  const sightings = await found(path.join(tmpdir(), "latticegate-no-such-log"));
  assert.deepEqual(
    sightings.map(({ kind }) => kind),
    ["server", "server"],
  );
});
