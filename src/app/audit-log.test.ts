import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import path from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { type TestContext, test } from "node:test";

import { draft } from "../../test/support/log-fixture.ts";
import { freshState } from "../../test/support/gateway.ts";
import { pruneDraft } from "../audit/prune.ts";
import { renewalPath } from "../audit/renewal.ts";
import { resolveProfile } from "../crypto/suites/profiles.ts";
import { systemClock } from "../host/system.ts";
import { ensurePrivateFolder } from "../host/store/files.ts";
import { openRenewalRequests } from "../host/store/state-log-renewals.ts";
import { gatewayIdOf } from "../identity/spiffe-id.ts";
import { type Log } from "../kernel/log.ts";
import { bundlePath } from "../merkle/tiles.ts";
import { type AuditLog, openAuditLog } from "./audit-log.ts";
import { parseConfig } from "./config.ts";
import { followRenewalRequests } from "./log-renewal.ts";
import { openConfigKeys } from "./signer/gateway-signer.ts";
import { statePaths } from "./state-folder.ts";

const trustDomain = "latticegate.local";
const principal = gatewayIdOf(trustDomain);
const { log: suites } = resolveProfile("hybrid");
const wish = { hash: "SHA3-512", principal, by: "a test" } as const;

interface OpenLog {
  readonly audit: AuditLog;
  readonly closed: () => Promise<void>;
  readonly state: string;
  /** What was told, with its reason. */
  readonly told: readonly (readonly [string, unknown])[];
  readonly log: Log;
}

/** A log of 3,000 entries in a state folder; a renewal of it takes hundreds of turns of the event loop. */
async function openLog(t: TestContext, state?: string): Promise<OpenLog> {
  const folder = state ?? (await freshState(t));
  await ensurePrivateFolder(folder);
  const config = parseConfig(
    `state: ${folder}\nlisten: 127.0.0.1:0\n`,
    path.join(folder, "latticegate.yaml"),
  );
  const { keys, close } = await openConfigKeys(config);
  t.after(close);
  const told: (readonly [string, unknown])[] = [];
  const tell: Log["info"] = (event, fields) => void told.push([event, fields?.["reason"]]);
  const log: Log = { error: tell, warn: tell, info: tell, debug: tell };
  const audit = await openAuditLog(folder, keys, { trustDomain, suites, clock: systemClock, log });
  let closing: Promise<void> | undefined;
  const closed = (): Promise<void> => (closing ??= audit.journal.close());
  t.after(closed);
  if (state === undefined) {
    await Promise.all(
      Array.from({ length: 3000 }, (_, i) => audit.journal.append(draft(i, { outcome: "denied" }))),
    );
  }
  await audit.journal.checkpoint();
  return { audit, closed, state: folder, told, log };
}

test("a renewal that is under way when the log is closed ends before the lock is gone, and writes nothing", async (t) => {
  const { audit, closed, state } = await openLog(t);
  let ended = false;
  const renewing = audit.renew(wish).finally(() => (ended = true));
  renewing.catch(() => undefined);
  // It has begun.
  await nextTurn();
  await closed();
  assert.ok(ended);
  await assert.rejects(renewing, { code: "journal_unavailable" });
  assert.equal(existsSync(path.join(statePaths(state).log, renewalPath(1))), false);
});

test("a renewal that was asked for and stopped stays open, and the next start carries it out", async (t) => {
  const first = await openLog(t);
  const { state } = first;
  const requests = openRenewalRequests(statePaths(state).database);
  t.after(requests.close);
  const id = requests.ask({ atUnixMs: systemClock.nowUnixMs(), hash: "SHA3-512", by: "a test" });
  const follower = followRenewalRequests({ ...first, requests, principal });
  // It has begun.
  await nextTurn();
  await Promise.all([follower.stop(), first.audit.stop()]);
  assert.equal(requests.outcome(id).kind, "open");
  await first.closed();
  assert.deepEqual(
    first.told.filter(([event]) => event.startsWith("log.renew")),
    [],
  );

  const second = await openLog(t, state);
  const again = followRenewalRequests({ ...second, requests, principal });
  await again.stop();
  assert.equal(requests.outcome(id).kind, "done");
});

test("a rotation that waits for a renewal says so, and isn't begun once the log stops", async (t) => {
  const { audit, told } = await openLog(t);
  const renewing = audit.renew(wish);
  renewing.catch(() => undefined);
  // It has begun.
  await nextTurn();
  const rotating = audit.rotate({ suites, principal, by: "a test" });
  assert.deepEqual(
    told.filter(([event]) => event === "log.rotation_waits"),
    [["log.rotation_waits", "a renewal of the log is under way"]],
  );
  const both = Promise.allSettled([renewing, rotating]);
  await audit.stop();
  assert.deepEqual(
    (await both).map(({ status }) => status),
    ["rejected", "rejected"],
  );
  assert.equal(audit.journal.generation().number, 1);
});

test("retention and a renewal that begin at once take turns", async (t) => {
  const { audit, state } = await openLog(t);
  const beforeUnixMs = systemClock.nowUnixMs() + 86_400_000_000;
  const cause = { atUnixMs: systemClock.nowUnixMs(), callId: "a", principal, by: "a test" };
  const prune = () => audit.prune({ beforeUnixMs, draft: (first) => pruneDraft(first, beforeUnixMs, cause) });
  const [renewed, pruned, again] = await Promise.all([audit.renew(wish), prune(), audit.renew(wish)]);
  assert.deepEqual([renewed.number, renewed.from, again.number], [1, 0, 2]);
  assert.ok(pruned.removed >= 2560);
  assert.equal(existsSync(path.join(statePaths(state).log, bundlePath(0))), false);
});
