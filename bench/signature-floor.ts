/**
 * The least that signing in batches has to do of one call and its answer, in a loop with nothing around it: each end
 * reads the message that it passed on unread before (the sidecar), digests call and answer in canonical form, writes
 * one set of claims, reads the other's, and hashes both. No sockets, no log, no memory of nonces, no statements.
 */
import { randomBytes } from "node:crypto";

import { claimsNow, readClaims, requestDigest, writeClaims } from "../src/integrity/claims.ts";
import { leafOf } from "../src/integrity/batch.ts";
import { bodyDigest } from "../src/integrity/message-digest.ts";
import { utf8 } from "../src/kernel/bytes.ts";
import { median } from "../src/kernel/statistics.ts";
import { readFrame, tryReadFrame } from "../src/wire/frame.ts";

const rounds = 7;
const callsPerRound = 20_000;

const call = utf8(
  JSON.stringify({
    jsonrpc: "2.0",
    id: 1,
    method: "tools/call",
    params: {
      name: "echo",
      arguments: { text: "x".repeat(300), count: 3, nested: { a: true } },
      _meta: {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
      },
    },
  }),
);
const answer = utf8(
  JSON.stringify({ jsonrpc: "2.0", id: 1, result: { content: [{ type: "text", text: "x".repeat(200) }] } }),
);

/** @returns µs of one call, the median of the rounds */
export function measureSignatureFloor(): number {
  const took = Array.from({ length: rounds }, () => {
    const began = performance.now();
    for (let i = 0; i < callsPerRound; i++) once(i);
    return ((performance.now() - began) * 1000) / callsPerRound;
  });
  return median(took);
}

const nonces = randomBytes(16 * 1024);

function once(i: number): void {
  const nonce = nonces.subarray((i % 1024) * 16, (i % 1024) * 16 + 16);
  const [issuer, audience] = ["spiffe://acme.test/agent/a", "spiffe://acme.test/gateway?server=stub"];
  readFrame(call);
  const asked = payloadFor({ direction: "req", issuer, audience, body: bodyDigest(call) ?? "" }, nonce);
  bodyDigest(call);
  readClaims(asked);
  const request = requestDigest(asked);
  const said = {
    direction: "res",
    issuer: audience,
    audience: issuer,
    body: bodyDigest(answer) ?? "",
    request,
  } as const;
  const payload = payloadFor(said, nonce);
  tryReadFrame(answer);
  bodyDigest(answer);
  readClaims(payload);
  requestDigest(asked);
  for (const each of [asked, asked, payload, payload]) leafOf(each);
}

function payloadFor(about: Omit<Parameters<typeof claimsNow>[0], "method">, nonce: Uint8Array): string {
  return writeClaims(claimsNow({ ...about, method: "tools/call" }, nonce, 1_795_000_000_000));
}
