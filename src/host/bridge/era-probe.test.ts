/** Which era a server speaks: what its answers prove, for how long, and in whose name it is asked. */
import assert from "node:assert/strict";
import { test } from "node:test";

import type { Answer, Journaled } from "../../gate/call.ts";
import { fromUtf8, utf8 } from "../../kernel/bytes.ts";
import { type EraProbe, eraProbe } from "./era-probe.ts";

const call = {
  verb: "POST",
  headers: [],
  signature: { end: "serving" },
  reply: { gone: new AbortController().signal },
} as unknown as Journaled;

interface Scene {
  readonly probe: EraProbe;
  readonly asked: Journaled[];
  readonly say: (reply: (method: string) => { readonly status?: number; readonly result?: object }) => void;
}

function scene(): Scene {
  const asked: Journaled[] = [];
  let reply: Parameters<Scene["say"]>[0] = () => ({ status: 400 });
  const forward = async (given: Journaled): Promise<Answer> => {
    asked.push(given);
    const method = given.frame !== undefined && "method" in given.frame ? given.frame.method : "";
    const { status = 200, result } = reply(method);
    const { id } = JSON.parse(fromUtf8(given.body) || "{}") as { readonly id?: unknown };
    const body = utf8(result === undefined ? "" : JSON.stringify({ jsonrpc: "2.0", id, result }));
    return { kind: "whole", status, headers: ["mcp-session-id", "s"], body };
  };
  const probe = eraProbe({
    upstream: { forward, close: () => Promise.resolve() },
    clock: { nowUnixMs: () => 0 },
    version: "0",
  });
  return { probe, asked, say: (next) => (reply = next) };
}

test("a server that refuses both questions has said nothing, and is asked again", async () => {
  const { probe, say } = scene();
  assert.equal(await probe.speaks("modern", call), undefined);
  say((method) =>
    method === "initialize" ? { result: { protocolVersion: "2025-11-25" } } : { status: 404 },
  );
  assert.equal(await probe.speaks("modern", call), false);
  say(() => ({ result: {} }));
  assert.equal(await probe.speaks("modern", call), false, "that is remembered");
});

test("the gateway asks in its own name: its caller never said that", async () => {
  const { probe, asked, say } = scene();
  say((method) =>
    method === "initialize" ? { result: { protocolVersion: "2025-11-25" } } : { status: 404 },
  );
  await probe.speaks("modern", call);
  assert.deepEqual(
    asked.map(({ verb, isOwn }) => [verb, isOwn]),
    [
      ["POST", true],
      ["POST", true],
      ["DELETE", true],
    ],
  );
});
