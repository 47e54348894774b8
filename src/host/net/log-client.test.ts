/** A gateway that is asked about its log, and doesn't want to answer. */
import https from "node:https";
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";

import { outsideAuthority } from "../../../test/support/certificates.ts";
import { atEnd } from "../../../test/support/cleanup.ts";
import { type Answering } from "../../../test/support/gateway.ts";
import { httpsServer } from "../../../test/support/https-server.ts";
import { maxTlogProofBytes } from "../../audit/tlog-proof.ts";
import { askLog } from "./log-client.ts";

async function asking(t: TestContext, answer: Answering): Promise<ReturnType<typeof askLog>> {
  const authority = outsideAuthority("gateways");
  const { certificate: cert, key } = authority.issue("127.0.0.1");
  const { url } = await httpsServer(t, { cert, key }, answer);
  const agent = new https.Agent({ ca: authority.certificate, keepAlive: true, maxSockets: 1 });
  atEnd(t, () => agent.destroy());
  const { signal } = new AbortController();
  const to = { agent, address: new URL(url).host, signal, deadlineMs: 500 };
  return await askLog({ method: "GET", path: "/log/keys" }, to);
}

test("an answer that drips in has one deadline for the whole of it", { timeout: 20_000 }, async (t) => {
  const answer: Answering = (_request, response) => {
    response.writeHead(200);
    const timer = setInterval(() => response.write("x"), 20);
    response.on("close", () => clearInterval(timer));
  };
  await assert.rejects(asking(t, answer), { code: "upstream_failed", message: /\/log\/keys in time/ });
});

test("no answer is longer than the longest crossing", async (t) => {
  const answer: Answering = (_request, response) => response.end(Buffer.alloc(maxTlogProofBytes + 1));
  await assert.rejects(asking(t, answer), { code: "too_large" });
});
