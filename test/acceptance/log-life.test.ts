/**
 * The life of one gateway's log: calls, new keys, a renewal, retention, a restart; and after each step what its
 * commands and witnesses still prove of it.
 */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { copyFile, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";

import { pruneDraft } from "../../src/audit/prune.ts";
import { statePaths } from "../../src/app/state-folder.ts";
import { resolveProfile } from "../../src/crypto/suites/profiles.ts";
import { systemClock } from "../../src/host/system.ts";
import { bundlePath } from "../../src/merkle/tiles.ts";
import { cli, type Ended } from "../support/cli.ts";
import {
  clientOf,
  enrol,
  eventually,
  openPolicy,
  stubServer,
  temporaryFolder,
  testGateway,
  type TestGateway,
  toolCall,
} from "../support/gateway.ts";
import { draft } from "../support/log-fixture.ts";
import { witnessState } from "../support/witnesses.ts";

const dayMs = 24 * 3_600_000;
const yearsAgo = { nowUnixMs: (): number => systemClock.nowUnixMs() - 500 * dayMs };

async function append({ audit, clock }: TestGateway, count: number, marker: string): Promise<void> {
  await Promise.all(
    Array.from({ length: count }, (_, i) =>
      audit.journal.append(
        draft(i, { atUnixMs: clock.nowUnixMs(), callId: `${marker}-${i}`, outcome: "denied" }),
      ),
    ),
  );
  await audit.journal.checkpoint();
}

function ok({ code, stdout, stderr }: Ended): string {
  assert.equal(code, 0, stdout + stderr);
  return stdout;
}

function refused({ code, stdout, stderr }: Ended, expected: RegExp): void {
  assert.notEqual(code, 0, stdout + stderr);
  assert.match(stderr, expected);
}

test("a log that lived through calls, new keys, a renewal, retention and restarts proves what is left of it", async (t) => {
  const stub = await stubServer(t);
  const yaml = `servers: { stub: { url: "${stub.url}" } }\n${openPolicy}`;
  const kept = await temporaryFolder(t);
  const [firstKey, seen] = [path.join(kept, "first-key.txt"), path.join(kept, "seen")];
  const at = (file: string): string => path.join(kept, file);

  // Long ago: entries, new keys, more entries, a renewal, more entries.
  const old = await testGateway(t, yaml, { clock: yearsAgo });
  const { folder, address } = old;
  const paths = statePaths(old.config.state);
  await copyFile(paths.logKey, firstKey);
  await append(old, 300, "before");
  const principal = "spiffe://latticegate.local/gateway";
  const by = "a test";
  const { log: suites } = resolveProfile("hybrid");
  await old.audit.rotate({ suites, principal, by });
  await append(old, 300, "between");
  const { size: renewedSize } = await old.audit.renew({ hash: "SHA3-512", principal, by });
  await append(old, 400, "behind");
  await copyFile(path.join(paths.log, "checkpoint"), seen);
  await old.stop();

  // The clock is believed after a day.
  const daysAgo = { nowUnixMs: (): number => systemClock.nowUnixMs() - 2 * dayMs };
  await testGateway(t, yaml, { folder, listen: address, clock: daysAgo }).then(({ stop }) => stop());

  // Today, without retention yet: a call, and a witness that keeps a head.
  const today = await testGateway(t, yaml, { folder, listen: address });
  const configFile = path.join(folder, "latticegate.yaml");
  await writeFile(configFile, `state: ./state\nlisten: ${address}\ndashboard: "off"\n${yaml}`);
  const config = ["--config", configFile];
  const client = clientOf(t, today, await enrol(today));
  assert.equal((await client.post("stub", toolCall("echo"))).status, 200);
  await today.audit.journal.checkpoint();
  const witness = await witnessState(t, today, "agent/witness");
  assert.match(ok(await witness.look()), /^consistent: \d+ entries/);
  const query = (...args: readonly string[]): Promise<Ended> => cli(["audit", "query", ...config, ...args]);
  assert.match(ok(await query("--call", "before-3")), /before-3/);
  assert.ok(existsSync(paths.auditIndex));
  await today.stop();

  // Retention, while the gateway answers calls.
  const retaining = `${yaml}audit: { retention: 400d }\n`;
  const pruned = await testGateway(t, retaining, { folder, listen: address });
  await eventually("it is told", () => pruned.log.some((line) => line.includes("log.pruned")));
  assert.equal(existsSync(paths.auditIndex), false, "the index forgets what was removed");
  for (const index of [0, 1, 2]) assert.equal(existsSync(path.join(paths.log, bundlePath(index))), false);
  const again = clientOf(t, pruned, await enrol(pruned));
  assert.equal((await again.post("stub", toolCall("echo"))).status, 200);
  await pruned.audit.journal.checkpoint();
  assert.match(ok(await witness.look()), /^consistent: \d+ entries/);
  await pruned.audit.renew({ hash: "SHA3-512", principal, by });
  await pruned.audit.rotate({ suites, principal, by });
  await pruned.stop();

  // And a restart on what is left.
  const last = await testGateway(t, retaining, { folder, listen: address });
  await last.audit.journal.checkpoint();
  assert.match(ok(await witness.look()), /^consistent: \d+ entries/);

  const verify = (...args: readonly string[]): Promise<Ended> => cli(["audit", "verify", ...config, ...args]);
  for (const key of [firstKey, paths.logKey]) {
    const text = ok(await verify("--key", key, "--seen", seen));
    assert.match(text, /^intact: /);
    assert.match(text, /^768 of them were removed by retention/m);
    assert.match(text, /^keys: generation 1 .*generation 2 .*generation 3 /m);
    assert.match(
      text,
      new RegExp(`^renewed: renewal 1 of \\S+ wraps ${renewedSize} entries under SHA3-512, signed`, "m"),
    );
    assert.match(
      text,
      /^renewed: renewal 2 of \S+ wraps \d+ entries under SHA3-512, some of those before 768 by their SHA-256 hashes, signed/m,
    );
    assert.match(text, /^cosigned by 1 witness/m);
  }
  const proven = ok(await verify("--broken", "SHA-256"));
  assert.match(proven, /^proven without SHA-256: the first \d+ entries, by renewals\/2 /);
  assert.match(
    proven,
    /^768 of them aren't there, as the log says: retention removed them; some before 768 /m,
  );

  // Entries and calls that are there, and those that aren't.
  const found = ok(await query("--tool", "stub/echo", "--format", "jsonl"));
  const [call = ""] = [...found.matchAll(/"call":"([^"]+)"/g)].map(([, id]) => id ?? "");
  refused(await query("--call", "before-3"), /^$/);
  ok(await cli(["audit", "receipt", call, ...config, "-o", at("receipt")]));
  ok(await cli(["audit", "verify-receipt", at("receipt"), "--key", firstKey, "--crossings", paths.log]));
  refused(
    await cli(["audit", "receipt", "before-3", ...config]),
    /of this call it has nothing\. Entries before 768 were removed by retention/,
  );
  const exporting = (...args: readonly string[]): Promise<Ended> =>
    cli(["audit", "export", ...config, "-o", at("bundle"), ...args]);
  refused(await exporting("--from", "100"), /Entries before 768 were removed.*ask from 768 on/);
  refused(await exporting("--call", "before-3"), /no entry about before-3.*Entries before 768 were removed/);
  for (const [range, from] of [
    [["--from", "800", "--to", "900"], "800"],
    [["--to", "900"], "768"],
    [["--call", call], "\\d+"],
  ] as const) {
    assert.match(ok(await exporting(...range)), new RegExp(`^entries ${from} to `, "m"));
    const verified = await cli(["audit", "verify-bundle", at("bundle"), "--key", firstKey]);
    assert.match(ok(verified), new RegExp(`^intact: entries ${from} to `));
  }
  const renewed = (index: string): Promise<Ended> => cli(["audit", "renewed", index, ...config]);
  await writeFile(at("renewed"), ok(await renewed("900")));
  const checked = await cli([
    "audit",
    "renewed",
    "--check",
    at("renewed"),
    "--key",
    paths.logKey,
    "--broken",
    "SHA-256",
  ]);
  assert.match(ok(checked), /900/);
  refused(await renewed("100"), /Entries before 768 were removed.*Entry 100 can't be proven/);

  // What a caller is called is for who has the keys, and only if they want.
  const named = ok(await cli(["audit", "show", call, ...config]));
  assert.match(named, /agent\/test/);
  for (const args of [
    ["show", call],
    ["tail"],
    ["query", "--call", call],
    ["verify-receipt", at("receipt")],
  ]) {
    assert.doesNotMatch(ok(await cli(["audit", ...args, ...config, "--pseudonyms"])), /agent\/test/);
  }
  assert.doesNotMatch(await readFile(at("bundle"), "utf8"), /agent\/test/);
});

test("a renewal and retention that are asked for at once take turns, and the renewal keeps its proof", async (t) => {
  const gateway = await testGateway(t, openPolicy, { clock: yearsAgo });
  const paths = statePaths(gateway.config.state);
  await append(gateway, 800, "old");
  const principal = "spiffe://latticegate.local/gateway";
  const atUnixMs = systemClock.nowUnixMs();
  const cause = { atUnixMs, callId: "prune", principal, by: "a test" };
  const renewing = gateway.audit.renew({ hash: "SHA3-512", principal, by: "a test" });
  const pruning = gateway.audit.prune({
    beforeUnixMs: atUnixMs,
    draft: (first) => pruneDraft(first, atUnixMs, cause),
  });
  const [{ from, size }, { removed }] = await Promise.all([renewing, pruning]);
  assert.deepEqual([from, removed], [0, 768]);
  await gateway.stop();
  const where = ["--log", paths.log, "--key", paths.logKey];
  assert.match(ok(await cli(["audit", "verify", ...where])), /^768 of them were removed by retention/m);
  const proven = ok(await cli(["audit", "verify", ...where, "--broken", "SHA-256"]));
  assert.match(proven, new RegExp(`^proven without SHA-256: the first ${size} entries, by renewals/1 `));
});
