/** Class 7: a credential is for one hop. None of a caller's reaches a server, none of ours reaches anybody else, none is written down. */
import assert from "node:assert/strict";
import { readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, test } from "node:test";

import {
  clientOf,
  echoResult,
  enrol,
  openPolicy,
  stubServer,
  temporaryFolder,
  testGateway,
  toolCall,
} from "../support/gateway.ts";
import { json, legacyCall, modernCall, pathsTo, ways } from "../support/ways.ts";

const all = await ways({ after });
const canary = "canary-4f1e";
const kept = {
  authorization: `Bearer ${canary}`,
  "proxy-authorization": `Basic ${canary}`,
  cookie: `session=${canary}`,
  "x-api-key": canary,
  "api-key": canary,
  "x-amz-security-token": canary,
  dpop: canary,
  "x-forwarded-for": canary,
  forwarded: `for=${canary}`,
};

/** Everything that is written under a gateway's folder, keys aside: they are sealed. */
async function written(folder: string): Promise<string> {
  const names = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = names
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name));
  const texts = await Promise.all(files.map((file) => readFile(file, "latin1")));
  const text = texts.join("\n");
  assert.match(text, /call\.outcome/, "the audit log is in it");
  return text;
}

test("a caller's credentials reach no server, whatever header they come in, in either era", async () => {
  all.answering(echoResult);
  for (const way of all.ours) {
    const modern = modernCall("a");
    await way.ask({ headers: { ...json, ...kept }, body: legacyCall() });
    await way.ask({ headers: { ...modern.headers, ...kept }, body: modern.body ?? "" });
    await way.ask({ method: "GET", headers: { accept: "text/event-stream", ...kept } });
    await way.ask({ method: "DELETE", headers: kept });
    const seen = all.stub.seen.slice(-4);
    assert.deepEqual(
      seen.map(({ method }) => method),
      ["POST", "POST", "GET", "DELETE"],
    );
    assert.ok(!JSON.stringify(seen).includes(canary), way.name);
  }
});

test("a caller's credentials and payloads are in no log, in no audit entry and in no refusal", async () => {
  const secretArgs = { password: canary, _meta: { token: canary } };
  const before = all.stub.seen.length;
  for (const [body, expected] of [
    [legacyCall(secretArgs), 200],
    [`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","name":"${canary}"}}`, 400],
    [`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"arguments":"${canary}`, 400],
    [`{"jsonrpc":"2.0","id":{"${canary}":1},"method":"tools/call"}`, 400],
    [`[{"${canary}":1}]`, 400],
  ] as const) {
    for (const way of all.ours) {
      const { status, bytes } = await way.ask({ headers: { ...json, ...kept }, body });
      assert.equal(status, expected, body);
      if (expected !== 200) assert.ok(!bytes.includes(canary), `${way.name}: ${bytes.toString()}`);
    }
  }
  assert.equal(all.stub.seen.length, before + 2);
  assert.ok(!all.house.log.join("").includes(canary), "the log");
  assert.ok(!(await written(all.house.folder)).includes(canary), "what is on disk");
});

test("what a caller writes behind the path's name is no part of the call: a query's token ends here", async (t) => {
  const client = clientOf(t, all.house, all.enrolment);
  all.answering(echoResult);
  const answered = await client.post(`stub?access_token=${canary}`, toolCall("a"));
  assert.equal(answered.status, 200);
  assert.ok(!JSON.stringify(all.stub.seen.at(-1)).includes(canary));
  const refused = await client.post(`none?access_token=${canary}`, toolCall("a"));
  assert.equal(refused.status, 403);
  assert.ok(!refused.text.includes(canary));
  assert.ok(!all.house.log.join("").includes(canary), "the log");
  assert.ok(!(await written(all.house.folder)).includes(canary), "what is on disk");
});

test("a server's own token goes to that server alone, and is in no answer, log or entry, whatever goes wrong", async (t) => {
  const token = "upstream-canary-93d0";
  const folder = await temporaryFolder(t);
  const secret = path.join(folder, "token");
  await writeFile(secret, `Bearer ${token}\n`);
  const [own, other] = [await stubServer(t), await stubServer(t)];
  const silent = await stubServer(t, () => undefined);
  const headers = `headers: { authorization: { file: "${secret}" } }`;
  const servers = `own: { url: "${own.url}?key=${token}", ${headers} }, other: { url: "${other.url}" },
    down: { url: "http://127.0.0.1:9/mcp?key=${token}", ${headers} }, silent: { url: "${silent.url}?key=${token}", ${headers} }`;
  const limits = "limits: { answer_timeout: 500ms, request: 4KiB }";
  const house = await testGateway(t, `servers: { ${servers} }\n${limits}\n${openPolicy}`);
  const enrolment = await enrol(house);
  const texts: string[] = [];
  for (const [server, status] of [
    ["own", 200],
    ["other", 200],
    ["down", 502],
    ["silent", 504],
    ["none", 403],
  ] as const) {
    const paths = await pathsTo(t, house, { server, url: own.url, enrolment });
    const {
      bytes,
      status: got,
      headers,
    } = await paths.gateway.ask({
      headers: { ...json, authorization: `Bearer ${canary}` },
      body: legacyCall(),
    });
    assert.equal(got, status, server);
    texts.push(bytes.toString(), JSON.stringify(headers));
    const tooLong = await paths.gateway.ask({ body: legacyCall({ x: "x".repeat(5000) }) });
    texts.push(tooLong.bytes.toString());
  }
  assert.equal(own.seen[0]?.headers.authorization, `Bearer ${token}`, "ours, and not the caller's");
  assert.equal(other.seen[0]?.headers.authorization, undefined);
  assert.ok(!JSON.stringify([other.seen, ...texts]).includes(token));
  await house.audit.journal.checkpoint();
  assert.ok(!house.log.join("").includes(token), "the log");
  assert.ok(!(await written(path.join(house.folder, "state"))).includes(token), "what is on disk");
});

test("a caller's credentials reach no server that the gateway has a credential of its own for, whatever it answers", async (t) => {
  const folder = await temporaryFolder(t);
  await writeFile(path.join(folder, "token"), "own-token-77\n");
  let status = 200;
  const stub = await stubServer(t, (request, response, body) => {
    if (status === 200) echoResult(request, response, body);
    else response.writeHead(status, { "www-authenticate": 'Bearer error="invalid_token"' }).end();
  });
  const auth = `auth: { kind: bearer, token: { file: "${path.join(folder, "token")}" } }`;
  const house = await testGateway(t, `servers: { own: { url: "${stub.url}", ${auth} } }\n${openPolicy}`);
  const paths = await pathsTo(t, house, { server: "own", url: stub.url, enrolment: await enrol(house) });
  for (const [next, expected] of [
    [200, 200],
    [401, 502],
    [403, 403],
  ] as const) {
    status = next;
    for (const way of [paths.gateway, paths.sidecar]) {
      const answer = await way.ask({ headers: { ...json, ...kept }, body: legacyCall() });
      assert.equal(answer.status, expected, way.name);
      assert.equal(answer.headers["www-authenticate"], undefined);
      assert.ok(!answer.bytes.includes("own-token-77"));
    }
  }
  assert.ok(stub.seen.length >= 6);
  assert.ok(stub.seen.every(({ headers }) => headers.authorization === "Bearer own-token-77"));
  assert.ok(!JSON.stringify(stub.seen).includes(canary));
  assert.ok(!house.log.join("").includes("own-token-77"), "the log");
});
