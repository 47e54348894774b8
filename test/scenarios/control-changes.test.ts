/** Whoever has the control room open is told what changed while it runs; who only approves, of approvals alone. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { freshToken } from "../../src/app/approvals/approvers.ts";
import { actByHand } from "../../src/app/respond/response-operations.ts";
import { fromUtf8 } from "../../src/kernel/bytes.ts";
import { sseReader } from "../../src/wire/sse.ts";
import { atEnd, type Cleanup } from "../support/cleanup.ts";
import { controlOf, loggedIn } from "../support/control.ts";
import { clientOf, enrol, eventually, stubServer, testGateway, toolCall } from "../support/gateway.ts";

/** What a stream says, as it comes. */
async function hears(
  t: Cleanup,
  origin: string,
  headers: Readonly<Record<string, string>>,
): Promise<readonly string[]> {
  const over = new AbortController();
  atEnd(t, () => over.abort());
  const { body, status } = await fetch(`${origin}/api/v1/stream`, {
    headers,
    signal: over.signal,
  });
  assert.equal(status, 200);
  const heard: string[] = [];
  const reader = sseReader(1024 * 1024);
  const read = async (): Promise<void> => {
    for await (const chunk of body ?? []) {
      for (const { event, data } of reader.push(chunk as Uint8Array)) {
        if (event === undefined) continue; // It says how soon to come back.
        heard.push(event === "changed" ? (fromUtf8(data ?? new Uint8Array()) ?? "") : event);
      }
    }
  };
  void read().catch(() => undefined);
  return heard;
}

test("a person who only approves hears at once that a call waits, and nothing of calls, incidents or restrictions", async (t) => {
  const stub = await stubServer(t);
  const alice = freshToken();
  const gateway = await testGateway(
    t,
    `servers: { stub: { url: "${stub.url}" } }
approvals: { people: { alice: { token_hash: "${alice.hash}" } } }
policies:
  - { name: looked-at, callers: ["*"], tools: ["stub/pay"], effect: hold, because: Money. }
  - { name: rest, callers: ["*"], tools: ["*"], effect: allow, because: Harmless. }
`,
    { dashboard: "127.0.0.1:0" },
  );
  const { origin } = controlOf(gateway);
  const heard = await hears(t, origin, { authorization: `Bearer ${alice.token}` });
  // A session is bound to the program that began it.
  const { cookie } = await loggedIn(gateway);
  const all = await hears(t, origin, { cookie, "user-agent": "undici" });
  const client = clientOf(t, gateway, await enrol(gateway));
  await client.post("stub", toolCall("ping"));
  actByHand(
    { config: gateway.config, clock: gateway.clock },
    {
      action: "quarantine",
      scope: { server: "stub", tool: "other" },
      forMs: 60_000,
      next: [],
      because: "As a command does it, elsewhere.",
      by: "operator:test",
    },
  );
  await client.post("stub", toolCall("pay"));
  await eventually("who sees everything hears all of it", () =>
    ["calls", '{"what":"approvals"}', '{"what":"responses"}'].every((each) => all.includes(each)),
  );
  await eventually("she hears of it", () => heard.length > 0);
  assert.deepEqual([...new Set(heard)], ['{"what":"approvals"}']);
});
