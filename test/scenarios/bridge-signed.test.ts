/** Signed messages where a bridge translates: the gateway is the end of both ways, and signs what it made. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { makeJoinToken } from "../../src/app/certificate-authority.ts";
import { connectHttp } from "../../src/app/connect.ts";
import { startExpose } from "../../src/app/expose.ts";
import { listPins } from "../../src/app/signatures/pin-operations.ts";
import { systemClock, systemLog } from "../../src/host/system.ts";
import { atEnd } from "../support/cleanup.ts";
import { freshState, openPolicy, testGateway } from "../support/gateway.ts";
import { legacyServer } from "../support/legacy-server.ts";
import { messagesIn } from "../support/pipes.ts";
import { entriesOf } from "../support/records.ts";
import { modernCall, sidecarOf } from "../support/ways.ts";

const silent = systemLog({ level: "error", form: "json", write: () => undefined });
const meta = { "io.modelcontextprotocol/clientCapabilities": { elicitation: {} } };

test("a call to an exposed server of the other era is verified here, signed anew, and its answer the same", async (t) => {
  const server = await legacyServer(t);
  const first = await testGateway(t, openPolicy);
  const exposed = await startExpose({
    joinToken: await makeJoinToken(first.config, { path: "server/old", address: first.address }, systemClock),
    state: await freshState(t),
    server: { url: server.url },
    listen: "127.0.0.1:0",
    allow: [],
    clock: systemClock,
    log: silent,
  });
  atEnd(t, exposed.stop);
  await first.stop();
  const at = `url: "${exposed.url}", peer: "${exposed.spiffeId}", bridge: legacy`;
  const gateway = await testGateway(t, `servers: { old: { ${at} } }\n${openPolicy}`, {
    folder: first.folder,
  });
  const options = await sidecarOf(t, gateway, "old");
  const sidecar = await connectHttp(options, 0);
  atEnd(t, sidecar.close);
  const call = async (params: object, id: number): Promise<{ result: Record<string, unknown> }> => {
    const { headers, body } = modernCall("ask", {}, id, meta);
    const said = JSON.parse(String(body)) as { params: object };
    const message = JSON.stringify({ ...said, params: { ...said.params, ...params } });
    const answer = await fetch(sidecar.url, {
      method: "POST",
      headers: headers as Record<string, string>,
      body: message,
    });
    return JSON.parse(messagesIn(await answer.text()).at(-1) ?? "") as { result: Record<string, unknown> };
  };
  const { result: asked } = await call({}, 1);
  assert.equal(asked["resultType"], "input_required");
  const inputResponses = { "request-1": { action: "decline" } };
  const { result } = await call({ inputResponses, requestState: asked["requestState"] }, 2);
  assert.match(JSON.stringify(result), /decline/);
  assert.deepEqual(
    listPins(options.state).pins.map(({ name }) => name),
    ["spiffe://latticegate.local/gateway"],
  );
  const facts = (await entriesOf(gateway)).map((entry) => entry.facts);
  assert.equal(facts.filter(({ signature }) => signature === "direct ML-DSA-65").length, 2, "verified here");
  assert.equal(facts.filter((each) => each["answer_signature"] === "direct").length, 2);
});
