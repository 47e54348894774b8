/** APIs behind the gateway: the mission's own connection, and what an API or its document may try. */
import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { test, type TestContext } from "node:test";

import { makeJoinToken } from "../../src/app/certificate-authority.ts";
import { connectHttp } from "../../src/app/connect.ts";
import { systemClock, systemLog } from "../../src/host/system.ts";
import { verifyManifest } from "../../src/integrity/tools/manifest.ts";
import { utf8 } from "../../src/kernel/bytes.ts";
import { Refusal } from "../../src/kernel/refusal.ts";
import { atEnd } from "../support/cleanup.ts";
import { cli } from "../support/cli.ts";
import {
  type Answering,
  clientOf,
  enrol,
  freshState,
  openPolicy,
  temporaryFolder,
  testGateway,
  type TestGateway,
  toolCall,
} from "../support/gateway.ts";
import { httpsServer, publicAuthority } from "../support/https-server.ts";
import { mission } from "../support/mission.ts";
import { type Answers, type Asked, type Pharmacy, pharmacy, stocked, swagger } from "../support/pharmacy.ts";
import { checkLog, recorded } from "../support/records.ts";
import { openV1, openV2, type Speaker, textOf } from "../support/sdk-clients.ts";

const silent = systemLog({ level: "error", form: "json", write: () => undefined });
const name = "pharmacy-inventory-sync";

async function withDocument(t: TestContext, document: unknown = swagger): Promise<string> {
  const folder = await temporaryFolder(t);
  await mkdir(path.join(folder, "api"));
  await writeFile(path.join(folder, "api/swagger.json"), JSON.stringify(document));
  return folder;
}

function missionAt(url: string): string {
  const line = '  schema_source: "./api/swagger.json"\n';
  assert.ok(mission.includes(line));
  return `${mission.replace(line, `${line}  base_url: "${url}"\n`)}\n${openPolicy}`;
}

async function sidecarUrl(t: TestContext, gateway: TestGateway): Promise<string> {
  const joinToken = await makeJoinToken(
    gateway.config,
    { path: "agent/sdk", address: gateway.address },
    systemClock,
  );
  const state = await freshState(t);
  const connection = await connectHttp(
    { target: name, state, joinToken, clock: systemClock, log: silent },
    0,
  );
  atEnd(t, connection.close);
  return connection.url;
}

const speakers: readonly (readonly [string, (url: string) => Promise<Speaker>])[] = [
  ["legacy", (url) => openV1({ kind: "http", url })],
  ["modern", (url) => openV2({ pin: "2026-07-28" })({ kind: "http", url })],
];

test("the mission's connection runs: calls and reads of the SDKs' clients are decided, signed and audited", async (t) => {
  const api = await pharmacy(t);
  const gateway = await testGateway(t, missionAt(api.url), { folder: await withDocument(t) });
  const url = await sidecarUrl(t, gateway);
  for (const [era, open] of speakers) {
    const speaker = await open(url);
    atEnd(t, speaker.close);
    assert.deepEqual(await speaker.tools(), ["get_stock_levels"], era);
    const answer = await speaker.call("get_stock_levels", { body: { drug: "aspirin" } });
    assert.deepEqual(answer.structuredContent, { drug: "aspirin", units: 12 }, era);
    const read = (await speaker.read("mcp://inventory-db/pharmacy-records")) as {
      readonly contents: readonly { readonly text: string }[];
    };
    assert.equal(read.contents[0]?.text, '[{"id":"r1","units":3}]', era);
    const failed = await speaker.call("get_stock_levels", { body: { drug: "unknown" } });
    assert.equal(failed.isError, true);
    assert.equal(
      textOf(failed),
      "The API answered with status 404 (not found): No such drug: It isn't in the register.",
    );
  }
  const asking = await openV1({ kind: "http", url });
  atEnd(t, asking.close);
  const manifest = JSON.stringify(await asking.request("declarations/manifest", {}));
  const server = `spiffe://latticegate.local/gateway?server=${name}`;
  const checked = verifyManifest(utf8(manifest), { server, nowUnixMs: Date.now() });
  assert.ok(checked.kind === "verified", JSON.stringify(checked));
  assert.deepEqual(
    checked.manifest.tools.map((tool) => tool.name),
    ["get_stock_levels"],
  );
  const entries = await checkLog(gateway);
  const about = (event: string) =>
    entries.filter((entry) => entry.event === event && entry.tool === `${name}/get_stock_levels`);
  assert.deepEqual(
    about("call.decision").map(({ facts }) => facts["signature"]),
    Array.from({ length: 4 }, () => "direct ML-DSA-65"),
  );
  assert.deepEqual(
    about("call.outcome").map(({ facts }) => facts["answer_signature"]),
    Array.from({ length: 4 }, () => "direct"),
  );
});

interface Scene {
  readonly api: Pharmacy;
  readonly gateway: TestGateway;
  readonly folder: string;
  /** What the server `api` answers to a request of an unsigned client. */
  readonly ask: (method: string, params: object) => Promise<Said>;
  readonly call: (tool: string, args?: object) => Promise<Said>;
}

interface Said {
  readonly status: number;
  readonly result?: {
    readonly isError?: boolean;
    readonly content?: readonly { readonly text?: string }[];
    readonly structuredContent?: unknown;
    readonly tools?: readonly {
      readonly name: string;
      readonly inputSchema: { readonly properties?: object };
    }[];
  };
  readonly error?: { readonly message: string; readonly code: number };
}

/** A gateway with the pharmacy's API as the server `api`. @param more of its config, on one line */
async function scene(
  t: TestContext,
  {
    answers = stocked,
    more = "",
    document = swagger,
  }: {
    readonly answers?: Answers;
    readonly more?: string;
    readonly document?: unknown;
  } = {},
): Promise<Scene> {
  const api = await pharmacy(t, answers);
  const folder = await withDocument(t, document);
  const server = `{ openapi: api/swagger.json, base_url: "${api.url}"${more} }`;
  const gateway = await testGateway(t, `servers: { api: ${server} }\n${openPolicy}`, { folder });
  const client = clientOf(t, gateway, await enrol(gateway));
  const ask: Scene["ask"] = async (method, params) => {
    const { status, text } = await client.post("api", { jsonrpc: "2.0", id: 1, method, params });
    return { status, ...(JSON.parse(text) as Omit<Said, "status">) };
  };
  return {
    api,
    gateway,
    folder,
    ask,
    call: (tool, args = {}) => ask("tools/call", { name: tool, arguments: args }),
  };
}

const textIn = ({ result, error }: Said): string => result?.content?.[0]?.text ?? error?.message ?? "";

test("a tool with pqc_signing takes no call without a signature of its own", async (t) => {
  const api = await pharmacy(t);
  const gateway = await testGateway(t, missionAt(api.url), { folder: await withDocument(t) });
  const client = clientOf(t, gateway, await enrol(gateway));
  const answer = await client.post(name, toolCall("get_stock_levels", 1, { body: { drug: "aspirin" } }));
  assert.match(answer.text, /signature_required/);
  assert.equal(api.asked.length, 0);
});

test("every operation is a tool, and what a call says is sent where the document says", async (t) => {
  const { api, ask, call } = await scene(t);
  const listed = await ask("tools/list", {});
  assert.deepEqual(
    listed.result?.tools?.map((tool) => tool.name),
    ["queryInventory", "get_pharmacy-records", "removeRecord"],
  );
  assert.deepEqual((await call("get_pharmacy-records")).result?.structuredContent, {
    answer: [{ id: "r1", units: 3 }],
  });
  assert.equal(textIn(await call("removeRecord", { id: "../../admin?x=1" })), "Done (status 204).");
  assert.deepEqual(
    api.asked.map(({ method, url }) => `${method} ${url}`),
    ["GET /v1/pharmacy-records", "DELETE /v1/records/..%2F..%2Fadmin%3Fx%3D1"],
  );
  const up = await call("removeRecord", { id: ".." });
  assert.match(textIn(up), /the argument id can't stand in a path/);
  assert.match(textIn(await call("queryInventory")), /the argument body is missing/);
  assert.equal(api.asked.length, 2);
});

test("credentials come from files, are on every request, and no argument stands in their place", async (t) => {
  process.env["PHARMACY_KEY"] = "key-7 &";
  atEnd(t, () => void delete process.env["PHARMACY_KEY"]);
  const records = {
    ...swagger.paths["/pharmacy-records"].get,
    parameters: [
      { name: "X-Api-Key", in: "header", required: true, type: "string" },
      { name: "key", in: "query", type: "string" },
      { name: "limit", in: "query", type: "integer" },
    ],
  };
  const document = { ...swagger, paths: { ...swagger.paths, "/pharmacy-records": { get: records } } };
  const secret = "{ env: PHARMACY_KEY }";
  const more = `, headers: { x-api-key: ${secret} }, query: { key: ${secret} }, cookies: { sid: ${secret} }, basic: { username: shop, password: ${secret} }`;
  const { api, ask, call, gateway } = await scene(t, { document, more });
  const listed = await ask("tools/list", {});
  assert.deepEqual(Object.keys(listed.result?.tools?.[1]?.inputSchema.properties ?? {}), ["limit"]);
  await call("get_pharmacy-records", { limit: 3 });
  const [{ url, headers } = { url: "", headers: {} as Asked["headers"] }] = api.asked;
  assert.equal(url, "/v1/pharmacy-records?limit=3&key=key-7%20%26");
  assert.deepEqual(
    [headers["x-api-key"], headers.cookie, headers.authorization],
    ["key-7 &", "sid=key-7%20%26", `Basic ${Buffer.from("shop:key-7 &").toString("base64")}`],
  );
  assert.match(
    textIn(await call("get_pharmacy-records", { "X-Api-Key": "mine" })),
    /an argument that the tool doesn't have/,
  );
  assert.doesNotMatch(gateway.log.join("\n"), /key-7/);
});

const redirects: readonly (readonly [string, (url: string) => string, boolean])[] = [
  ["within the API's origin", () => "/v1/pharmacy-records?again", true],
  ["to the metadata address of a cloud", () => "http://169.254.169.254/latest/meta-data/", false],
  ["to another port of the same host", () => "http://127.0.0.1:1/", false],
  ["to a file", () => "file:///etc/passwd", false],
];

test("a redirect is followed within the API's origin alone", async (t) => {
  let location = "";
  const answers: Answers = (asked, response) => {
    if (asked.url.endsWith("?again")) stocked(asked, response);
    else response.writeHead(302, { location }).end();
  };
  const { api, call } = await scene(t, { answers });
  for (const [what, to, isFollowed] of redirects) {
    api.asked.length = 0;
    location = to(api.url);
    const said = await call("get_pharmacy-records");
    assert.equal(said.result?.isError !== true, isFollowed, what);
    assert.equal(api.asked.length, isFollowed ? 2 : 1, what);
    if (!isFollowed) assert.match(textIn(said), /leads elsewhere; it wasn't followed/, what);
  }
});

const inner = [
  "127.0.0.1:{port}",
  "localhost:{port}",
  "[::1]:{port}",
  "[::ffff:127.0.0.1]:{port}",
  "2130706433:{port}",
  "169.254.169.254",
  "[fd00:ec2::254]",
  "10.0.0.1",
  "192.168.1.1",
  "[fe80::1]",
  "100.100.100.200",
  "0.0.0.0:{port}",
];

test("a document can't have the gateway ask this machine, its network, or a cloud's metadata", async (t) => {
  const api = await pharmacy(t);
  const folder = await temporaryFolder(t);
  const { port } = new URL(api.url);
  const servers = await Promise.all(
    inner.map(async (host, at) => {
      const document = { ...swagger, host: host.replace("{port}", port) };
      await writeFile(path.join(folder, `${at}.json`), JSON.stringify(document));
      return `s${at}: { openapi: ${at}.json }`;
    }),
  );
  const gateway = await testGateway(t, `servers:\n  ${servers.join("\n  ")}\n${openPolicy}`, { folder });
  const client = clientOf(t, gateway, await enrol(gateway));
  for (const [at, host] of inner.entries()) {
    const { text } = await client.post(`s${at}`, toolCall("get_pharmacy-records"));
    assert.match(text, /target_refused|isn't a public one/, host);
  }
  assert.equal(api.asked.length, 0);
});

const wrongDocuments: readonly (readonly [string, unknown, string, RegExp])[] = [
  [
    "no https server",
    { ...swagger, schemes: ["http"] },
    "",
    /names no https server of its own; write "base_url"/,
  ],
  [
    "a file as its server",
    { openapi: "3.1.0", info: {}, servers: [{ url: "file:///etc/passwd" }], paths: {} },
    "",
    /names no https server/,
  ],
  [
    "a resource that is no GET of it",
    swagger,
    ', resources: [{ uri: "mcp://x/nothing" }]',
    /mcp:\/\/x\/nothing stands for no GET.*Write "endpoint"/,
  ],
  [
    "a tool that is no operation of it",
    swagger,
    ", endpoints: [{ name: a, endpoint: /nowhere }]",
    /"\/nowhere" of the tool "a" isn't an operation/,
  ],
  ["none of it", "- a list", "", /expected an object/],
];
for (const [what, document, more, expected] of wrongDocuments) {
  test(`a gateway with ${what} doesn't start, and says what to write`, async (t) => {
    const folder = await withDocument(t, document);
    const starting = testGateway(t, `servers: { api: { openapi: api/swagger.json${more} } }`, { folder });
    await assert.rejects(
      starting,
      (error: unknown) =>
        error instanceof Refusal && error.code === "bad_config" && expected.test(error.message),
    );
  });
}

test("a changed document counts from the next list on, and a tool that changed isn't called until it is approved", async (t) => {
  const { folder, ask, call, api } = await scene(t);
  await ask("tools/list", {});
  const moved = JSON.stringify(swagger).replace("/pharmacy-records", "/all-records-of-everybody");
  await writeFile(
    path.join(folder, "api/swagger.json"),
    moved.replace(
      '"summary":"All records."',
      '"operationId":"get_pharmacy-records","summary":"All records."',
    ),
  );
  for (const method of ["initialize", "resources/list"]) await ask(method, { protocolVersion: "2025-06-18" });
  await call("get_pharmacy-records");
  assert.deepEqual(
    api.asked.map(({ url }) => url),
    ["/v1/pharmacy-records"],
    "as it was listed",
  );
  await ask("tools/list", {});
  const blocked = await call("get_pharmacy-records");
  assert.match(JSON.stringify(blocked), /tool_blocked/);
  assert.equal(api.asked.length, 1);
  await writeFile(path.join(folder, "api/swagger.json"), "{ not a document");
  const after = await ask("tools/list", {});
  assert.equal(after.result?.tools?.length, 3, "what was there before goes on");
});

test("an API at an https address is asked over ML-KEM with its token, or nothing is sent and the reason is said", async (t) => {
  process.env["PHARMACY_TOKEN"] = "token-9";
  atEnd(t, () => void delete process.env["PHARMACY_TOKEN"]);
  const { certificate: cert, key } = publicAuthority(t).issue("api");
  const shown: unknown[] = [];
  const answer: Answering = (request, response) => {
    shown.push(request.headers.authorization);
    response.writeHead(200, { "content-type": "application/json" }).end("[]");
  };
  const good = await httpsServer(t, { cert, key, ecdhCurve: "X25519MLKEM768" }, answer);
  const old = await httpsServer(t, { cert, key, ecdhCurve: "X25519" }, answer);
  const folder = await withDocument(t);
  const at = (url: string): string =>
    `{ openapi: api/swagger.json, base_url: "${new URL(url).origin}/v1", auth: { kind: bearer, token: { env: PHARMACY_TOKEN } } }`;
  const servers = `servers: { good: ${at(good.url)}, old: ${at(old.url)} }`;
  const gateway = await testGateway(t, `${servers}\n${openPolicy}`, { folder });
  const client = clientOf(t, gateway, await enrol(gateway));
  assert.match((await client.post("good", toolCall("get_pharmacy-records"))).text, /"answer":\[\]/);
  assert.deepEqual(shown, ["Bearer token-9"]);
  const refused = await client.post("old", toolCall("get_pharmacy-records"));
  assert.match(refused.text, /offers TLS 1\.3 with X25519, and this link needs one of/);
  assert.equal(old.asked(), 0);
  const [link] = (await recorded(gateway)).flatMap(({ facts }) => facts["upstream_group"] ?? []);
  assert.equal(link, "X25519MLKEM768");
});

test("the preview shows tools, what is wanted and what was left out, narrowed and as JSON", async (t) => {
  const file = path.join(await withDocument(t), "api/swagger.json");
  const all = await cli(["openapi", "preview", file]);
  assert.equal(all.code, 0, all.stderr);
  assert.match(all.stdout, /^Pharmacy inventory 7 \(OpenAPI 2\.0\)\nat https:\/\/api\.pharmacy\.test\/v1\n/);
  assert.match(all.stdout, /^removeRecord +DELETE \/records\/\{id\}/m);
  const narrow = await cli(["openapi", "preview", file, "--method", "get", "--json"]);
  const { tools, skipped } = JSON.parse(narrow.stdout) as {
    readonly tools: readonly { readonly name: string }[];
    readonly skipped: readonly object[];
  };
  assert.deepEqual(
    [tools.map((tool) => tool.name), skipped],
    [["get_pharmacy-records"], [{ operation: "2 operations", because: "they weren't asked for" }]],
  );
  const wrong = await cli(["openapi", "preview", path.join(path.dirname(file), "nothing.yaml")]);
  assert.deepEqual([wrong.code, /can't be read/.test(wrong.stderr)], [2, true]);
});
