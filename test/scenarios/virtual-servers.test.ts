/** One endpoint that joins several servers: real clients of both eras, real servers over HTTP and stdio behind it. */
import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { test, type TestContext } from "node:test";

import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import {
  acceptedContent,
  inputRequired,
  McpServer,
  ResourceTemplate,
  type ServerContext,
} from "@modelcontextprotocol/server";
import { z } from "zod";

import { connectHttp } from "../../src/app/connect.ts";
import { fixtureHttpServer } from "../fixture/http.ts";
import type { Shared } from "../fixture/mcp-server.ts";
import { atEnd } from "../support/cleanup.ts";
import { checkLog, recorded } from "../support/records.ts";
import {
  clientOf,
  enrol,
  eventually,
  openPolicy,
  stubServer,
  type StubServer,
  testGateway,
  type TestGateway,
  toolCall,
} from "../support/gateway.ts";
import { sidecarOf } from "../support/ways.ts";

const eras = ["legacy", { pin: "2026-07-28" }] as const;
const fixtureProgram = path.join(import.meta.dirname, "..", "fixture", "server.ts");
const said = (text: string) => ({ content: [{ type: "text" as const, text }] });

/** Whose tool was told that nobody waits for it. */
const cancelled: string[] = [];

/** Asks as its era asks: by a request of its own, or by an answer that needs input. */
async function whoIsIt(name: string, { mcpReq }: ServerContext) {
  const schema = { type: "object" as const, properties: { name: { type: "string" as const } } };
  if (mcpReq.envelope === undefined) {
    const answer = await mcpReq.elicitInput({ message: "Who?", requestedSchema: schema });
    return said(`${name} heard ${JSON.stringify(answer.content)}`);
  }
  const content = acceptedContent(mcpReq.inputResponses, "who");
  if (content !== undefined) return said(`${name} heard ${JSON.stringify(content)}`);
  return inputRequired({
    inputRequests: { who: inputRequired.elicit({ message: "Who?", requestedSchema: schema }) },
  });
}

/** A server whose tools say who answered. */
function member(name: string, tools: readonly string[]) {
  return ({ changes }: Pick<Shared, "changes">): McpServer => {
    const server = new McpServer(
      { name, version: "1" },
      {
        capabilities: { tools: { listChanged: true }, resources: {}, prompts: {} },
        instructions: `Ask ${name}.`,
      },
    );
    for (const tool of tools) {
      server.registerTool(tool, { description: tool, inputSchema: z.looseObject({}) }, () =>
        said(`${name} did ${tool}`),
      );
    }
    server.registerTool(
      `ask_${name}`,
      { description: "Asks the person" },
      async (context: ServerContext) => await whoIsIt(name, context),
    );
    server.registerTool(
      `wait_${name}`,
      { description: "Waits to be cancelled" },
      async (context: ServerContext) => {
        await once(context.mcpReq.signal, "abort");
        cancelled.push(name);
        return said("cancelled");
      },
    );
    server.registerTool(`change_${name}`, { description: "Changes the list" }, () => {
      if (changes === undefined) server.sendToolListChanged();
      else changes.toolsChanged();
      return said("changed");
    });
    server.registerResource("own", `${name}://own`, {}, (uri) => ({
      contents: [{ uri: uri.href, text: `${name}'s own` }],
    }));
    server.registerResource("shared", "ui://app", {}, (uri) => ({
      contents: [{ uri: uri.href, text: `${name}'s page` }],
    }));
    server.registerResource(
      "items",
      new ResourceTemplate(`${name}://item/{id}`, { list: undefined }),
      {},
      (uri, { id }) => ({ contents: [{ uri: uri.href, text: `${name}'s item ${String(id)}` }] }),
    );
    server.registerPrompt("hello", { description: "Says hello" }, () => ({
      messages: [{ role: "user", content: { type: "text", text: `hello from ${name}` } }],
    }));
    return server;
  };
}

async function listening(t: TestContext, server: http.Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  atEnd(t, () => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`;
}

interface Joined {
  readonly gateway: TestGateway;
  readonly open: (mode: Mode) => Promise<Client>;
  /** The tools, each time a client was told that they are others. */
  readonly heard: readonly (readonly string[])[];
}

type Mode = (typeof eras)[number] | "auto";

/** @param parts servers: lines of `servers:` in the config, beside the two that are always there */
async function joined(
  t: TestContext,
  parts: {
    readonly servers?: string;
    readonly join?: string;
    readonly policy?: string;
    readonly patience?: string;
  } = {},
): Promise<Joined> {
  const { servers = "", join = "alpha, beta", policy = openPolicy, patience = "500ms" } = parts;
  const alpha = await listening(t, fixtureHttpServer(member("alpha", ["search", "read"])));
  const beta = await listening(t, fixtureHttpServer(member("beta", ["search", "write"])));
  const gateway = await testGateway(
    t,
    `servers:\n  alpha: { url: "${alpha}" }\n  beta: { url: "${beta}" }\n${servers}
virtual_servers: { all: { servers: [${join}], patience: ${patience} } }\n${policy}`,
  );
  const connection = await connectHttp(await sidecarOf(t, gateway, "all"), 0);
  atEnd(t, connection.close);
  const heard: (readonly string[])[] = [];
  return {
    gateway,
    heard,
    open: async (mode) => {
      const onChanged = (_error: unknown, tools: readonly { readonly name: string }[] | null): void =>
        void heard.push(tools?.map(({ name }) => name) ?? []);
      const client = new Client(
        { name: "test", version: "1" },
        {
          versionNegotiation: { mode },
          capabilities: { elicitation: {} },
          listChanged: { tools: { onChanged, debounceMs: 0 } },
        },
      );
      client.setRequestHandler("elicitation/create", ({ params }) => {
        assert.equal(params.message, "Who?");
        return { action: "accept" as const, content: { name: "ada" } };
      });
      await client.connect(new StreamableHTTPClientTransport(new URL(connection.url)));
      atEnd(t, () => client.close());
      return client;
    },
  };
}

const nameOf = (mode: (typeof eras)[number]): string => (mode === "legacy" ? "legacy" : "modern");
const textOf = (result: { readonly content: readonly unknown[] }): unknown =>
  (result.content[0] as { readonly text?: unknown }).text;

for (const mode of eras) {
  test(`a ${nameOf(mode)} client sees the tools of all, and only what clashes bears a server's name`, async (t) => {
    const { open } = await joined(t);
    const client = await open(mode);
    const { tools } = await client.listTools();
    assert.deepEqual(tools.map(({ name }) => name).toSorted(), [
      "alpha_search",
      "ask_alpha",
      "ask_beta",
      "beta_search",
      "change_alpha",
      "change_beta",
      "read",
      "wait_alpha",
      "wait_beta",
      "write",
    ]);
    const call = async (name: string) => textOf(await client.callTool({ name, arguments: {} }));
    assert.equal(await call("read"), "alpha did read");
    assert.equal(await call("write"), "beta did write");
    assert.equal(await call("alpha_search"), "alpha did search");
    assert.equal(await call("beta_search"), "beta did search");
    assert.equal(await call("beta_write"), "beta did write");
    await assert.rejects(call("search"), /alpha_search, beta_search/);
    await assert.rejects(call("nothing"), /No server here has this tool/);
  });

  test(`a ${nameOf(mode)} client reads resources by their own addresses, and prompts by name`, async (t) => {
    const { open } = await joined(t);
    const client = await open(mode);
    const { resources } = await client.listResources();
    assert.deepEqual(resources.map(({ uri }) => uri).toSorted(), [
      "alpha+ui://app",
      "alpha://own",
      "beta+ui://app",
      "beta://own",
    ]);
    const { resourceTemplates } = await client.listResourceTemplates();
    assert.deepEqual(resourceTemplates.map(({ uriTemplate }) => uriTemplate).toSorted(), [
      "alpha://item/{id}",
      "beta://item/{id}",
    ]);
    const read = async (uri: string) =>
      ((await client.readResource({ uri })).contents[0] as { text?: string }).text;
    assert.equal(await read("beta://own"), "beta's own");
    assert.equal(await read("alpha+ui://app"), "alpha's page");
    assert.equal(await read("beta+ui://app"), "beta's page");
    assert.equal(await read("beta://item/7"), "beta's item 7");
    await assert.rejects(read("ui://app"), /alpha\+ui:/);
    await assert.rejects(read("gamma://own"), /No server here has this resource/);
    const { prompts } = await client.listPrompts();
    assert.deepEqual(prompts.map(({ name }) => name).toSorted(), ["alpha_hello", "beta_hello"]);
    const { messages } = await client.getPrompt({ name: "beta_hello" });
    assert.deepEqual(messages[0]?.content, { type: "text", text: "hello from beta" });
  });

  test(`a ${nameOf(mode)} client that lists nothing first finds the tool all the same`, async (t) => {
    const { open } = await joined(t);
    const client = await open(mode);
    assert.equal(textOf(await client.callTool({ name: "write", arguments: {} })), "beta did write");
  });

  test(`a ${nameOf(mode)} client is told by the server's name what it may not use, and doesn't see it listed`, async (t) => {
    const { open, gateway } = await joined(t, {
      policy: `${openPolicy}
  - { name: no-search-in-beta, callers: ["*"], tools: ["beta/search", "*/ask*", "*/wait*", "*/change*"], effect: deny, because: "Not that one." }`,
    });
    const client = await open(mode);
    const { tools } = await client.listTools();
    assert.deepEqual(tools.map(({ name }) => name).toSorted(), ["alpha_search", "read", "write"]);
    const refused = await client.callTool({ name: "beta_search", arguments: {} });
    assert.equal(refused.isError, true);
    assert.match(String(textOf(refused)), /Not that one/);
    const entries = await recorded(gateway);
    const denied = entries.find(({ event, outcome }) => event === "call.decision" && outcome === "denied");
    assert.deepEqual(
      [denied?.tool, denied?.facts["server"], denied?.facts["via"], denied?.facts["rule"]],
      ["beta/search", "beta", "all", "no-search-in-beta"],
    );
  });

  test(`a dead server is left out for a ${nameOf(mode)} client, and named; the others answer`, async (t) => {
    const gone = await listening(t, http.createServer());
    const { open, gateway } = await joined(t, {
      servers: `  dead: { url: "${gone.replace(/:\d+/, ":1")}" }\n`,
      join: "alpha, dead, beta",
    });
    const client = await open(mode);
    const listed = await client.listTools();
    assert.equal(listed.tools.length, 10);
    assert.deepEqual(listed._meta?.["dev.latticegate/unavailable"], ["dead"]);
    assert.equal(textOf(await client.callTool({ name: "write", arguments: {} })), "beta did write");
    await assert.rejects(client.callTool({ name: "nothing", arguments: {} }), /not answering: dead/);
    assert.match(gateway.log.join(""), /"member.unavailable".*"dead"/);
  });
}

for (const mode of eras) {
  test(`a ${nameOf(mode)} client reaches a stdio server beside the others`, async (t) => {
    const command = JSON.stringify([process.execPath, fixtureProgram, "--stdio"]);
    const { open } = await joined(t, {
      servers: `  pipe: { command: ${command} }\n`,
      join: "alpha, pipe",
      patience: "10s",
    });
    const client = await open(mode);
    const listed = await client.listTools();
    assert.equal(listed._meta?.["dev.latticegate/unavailable"], undefined);
    const names = listed.tools.map(({ name }) => name);
    for (const name of ["read", "test_simple_text"]) assert.ok(names.includes(name), name);
    const answer = await client.callTool({ name: "test_simple_text", arguments: {} });
    assert.equal(textOf(answer), "This is a simple text response for testing.");
    assert.equal(textOf(await client.callTool({ name: "read", arguments: {} })), "alpha did read");
  });

  test(`servers that ask a ${nameOf(mode)} client at once each get their own answer`, async (t) => {
    const { open } = await joined(t);
    const client = await open(mode);
    const answers = await Promise.all(
      ["alpha", "beta", "alpha", "beta"].map(async (name) =>
        textOf(await client.callTool({ name: `ask_${name}`, arguments: {} })),
      ),
    );
    assert.deepEqual(
      answers,
      ["alpha", "beta", "alpha", "beta"].map((name) => `${name} heard {"name":"ada"}`),
    );
  });

  test(`what a ${nameOf(mode)} client cancels is cancelled where it runs, and nowhere else`, async (t) => {
    const { open } = await joined(t);
    const client = await open(mode);
    const abort = new AbortController();
    const before = cancelled.length;
    const waiting = client.callTool({ name: "wait_beta", arguments: {} }, { signal: abort.signal });
    const other = client.callTool({ name: "ask_alpha", arguments: {} });
    assert.equal(textOf(await other), 'alpha heard {"name":"ada"}');
    abort.abort("enough");
    await assert.rejects(waiting);
    await eventually("beta is told", () => cancelled.length > before);
    assert.deepEqual(cancelled.slice(before), ["beta"]);
  });

  test(`a ${nameOf(mode)} client hears that any of the servers has other tools`, async (t) => {
    const { open, heard } = await joined(t);
    const client = await open(mode);
    for (const name of ["alpha", "beta"]) {
      const before = heard.length;
      await eventually("the change is heard", async () => {
        await client.callTool({ name: `change_${name}`, arguments: {} });
        return heard.length > before;
      });
      assert.ok(heard.at(-1)?.includes("alpha_search"), "and gets the joined list");
    }
  });
}

test("every call that reaches a server through a virtual one has its decision and its outcome", async (t) => {
  const { open, gateway } = await joined(t);
  for (const mode of eras) {
    const client = await open(mode);
    await client.listTools();
    await client.callTool({ name: "write", arguments: {} });
    await client.close();
  }
  await eventually("all calls are over", async () => {
    const entries = await recorded(gateway);
    const count = (event: string) =>
      new Set(entries.filter((entry) => entry.event === event).map(({ callId }) => callId)).size;
    return count("call.decision") === count("call.outcome");
  });
  const entries = await checkLog(gateway);
  const calls = entries.filter(({ event, tool }) => event === "call.decision" && tool !== null);
  assert.deepEqual(new Set(calls.map(({ tool }) => tool)), new Set(["beta/write"]));
});

interface Result {
  readonly [member: string]: unknown;
  /** Of the session it opens. */
  readonly session?: string;
}

/** A server that speaks the older protocol only: answers with what `respond` gives, 404 for undefined. */
async function oldServer(
  t: TestContext,
  tool: string,
  respond: (method: string, session: string | undefined) => Result | undefined | Promise<Result | undefined>,
): Promise<StubServer> {
  return await stubServer(t, (request, response, body) => {
    const { id, method = "" } = JSON.parse(body || "{}") as {
      readonly id?: unknown;
      readonly method?: string;
    };
    const session = request.headers["mcp-session-id"];
    const send = (result: Result | undefined): void => {
      const headers = {
        "content-type": "application/json",
        "mcp-session-id": result?.session ?? "s",
      };
      if (result === undefined) response.writeHead(404).end();
      else response.writeHead(200, headers).end(JSON.stringify({ jsonrpc: "2.0", id, result }));
    };
    if (request.method === "GET") response.writeHead(405).end();
    else if (method === "server/discover") response.writeHead(400).end('{"error":"what?"}');
    else if (request.method === "POST" && id === undefined) response.writeHead(202).end();
    else if (method === "tools/list") {
      void Promise.resolve(respond(method, session as string)).then((known) =>
        send(known && { tools: [{ name: tool, inputSchema: { type: "object" } }] }),
      );
    } else void Promise.resolve(respond(method, session as string)).then(send);
  });
}

const oldGreeting = {
  protocolVersion: "2025-06-18",
  capabilities: { tools: {} },
  serverInfo: { name: "old", version: "1" },
};

test("where one server speaks only the older protocol, a client that speaks both reaches all in it", async (t) => {
  const old = await oldServer(t, "old_tool", (method) =>
    method === "initialize" ? oldGreeting : said("old did it"),
  );
  const { open } = await joined(t, { servers: `  old: { url: "${old.url}" }\n`, join: "alpha, old, beta" });
  const client = await open("auto");
  assert.equal(client.getProtocolEra(), "legacy");
  assert.equal(textOf(await client.callTool({ name: "old_tool", arguments: {} })), "old did it");
  assert.equal(textOf(await client.callTool({ name: "write", arguments: {} })), "beta did write");
  const versions = old.seen.map(({ headers }) => headers["mcp-protocol-version"]);
  assert.equal(versions.at(-1), "2025-06-18", "each server hears the version it agreed to");
});

test("a slow server keeps nobody waiting, and its tools come when it does", async (t) => {
  const ready = Promise.withResolvers<void>();
  const slow = await oldServer(t, "slow_tool", async () => {
    await ready.promise;
    return oldGreeting;
  });
  const { open, heard } = await joined(t, {
    servers: `  slow: { url: "${slow.url}" }\n`,
    join: "alpha, slow, beta",
  });
  const client = await open("legacy");
  const listed = await client.listTools();
  assert.deepEqual(listed._meta?.["dev.latticegate/unavailable"], ["slow"]);
  assert.equal(textOf(await client.callTool({ name: "write", arguments: {} })), "beta did write");
  ready.resolve();
  await eventually("the client hears of the tools", () => heard.at(-1)?.includes("slow_tool") === true);
});

test("a server that lost its sessions gets a new one, and the call is carried out once", async (t) => {
  let sessions = 0;
  let calls = 0;
  let alive: string | undefined;
  const forgetful = await oldServer(t, "count", (method, session) => {
    if (method === "initialize") {
      alive = `session-${(sessions += 1)}`;
      return { ...oldGreeting, session: alive };
    }
    if (session !== alive) return undefined;
    return method === "tools/call" ? said(`call ${(calls += 1)}`) : {};
  });
  const { open } = await joined(t, {
    servers: `  forgetful: { url: "${forgetful.url}" }\n`,
    join: "alpha, forgetful",
  });
  const client = await open("legacy");
  assert.equal(textOf(await client.callTool({ name: "count", arguments: {} })), "call 1");
  alive = "another";
  assert.equal(textOf(await client.callTool({ name: "count", arguments: {} })), "call 2");
  assert.equal(sessions, 2);
  assert.equal(textOf(await client.callTool({ name: "read", arguments: {} })), "alpha did read");
  alive = "yet another";
  const listed = await client.listTools();
  assert.deepEqual([listed._meta, sessions], [undefined, 3], "a list opens it again too");
});

test("the end of the session ends it at every server", async (t) => {
  const respond = (method: string): Result => (method === "initialize" ? oldGreeting : {});
  const [a, b] = [await oldServer(t, "x", respond), await oldServer(t, "y", respond)];
  const gateway = await testGateway(
    t,
    `servers: { a: { url: "${a.url}" }, b: { url: "${b.url}" } }
virtual_servers: { all: { servers: [a, b] } }\n${openPolicy}`,
  );
  const client = clientOf(t, gateway, await enrol(gateway));
  const initialize = {
    jsonrpc: "2.0",
    id: 1,
    method: "initialize",
    params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "c", version: "1" } },
  };
  const opened = await client.post("all", initialize);
  const session = { "mcp-session-id": String(opened.headers["mcp-session-id"]) };
  assert.equal((await client.request("all", { method: "DELETE", headers: session })).status, 200);
  for (const { seen } of [a, b]) {
    const { method, headers } = seen.at(-1) ?? {};
    assert.deepEqual([method, headers?.["mcp-session-id"]], ["DELETE", "s"]);
  }
  assert.equal((await client.post("all", toolCall("x"), session)).status, 404);
});

test("a list two readers could read in two ways isn't joined, and its server is named", async (t) => {
  const hostile = await stubServer(t, (_request, response, body) => {
    const { id, method } = JSON.parse(body) as { readonly id: unknown; readonly method: string };
    const tools = `{"name":"good","name":"read","inputSchema":{"type":"object"}}`;
    response.writeHead(200, { "content-type": "application/json" });
    response.end(
      method === "tools/list"
        ? `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":{"resultType":"complete","tools":[${tools}]}}`
        : JSON.stringify({ jsonrpc: "2.0", id, result: {} }),
    );
  });
  const { open } = await joined(t, {
    servers: `  hostile: { url: "${hostile.url}" }\n`,
    join: "hostile, alpha",
  });
  const client = await open({ pin: "2026-07-28" });
  assert.equal(textOf(await client.callTool({ name: "read", arguments: {} })), "alpha did read");
});

test("a server that offers a version nobody knows turns no client away from the others", async (t) => {
  const odd = await oldServer(t, "odd_tool", () => ({ ...oldGreeting, protocolVersion: "1999-01-01" }));
  const { open } = await joined(t, { servers: `  odd: { url: "${odd.url}" }\n`, join: "odd, alpha" });
  const client = await open("legacy");
  const listed = await client.listTools();
  assert.deepEqual(listed._meta?.["dev.latticegate/unavailable"], ["odd"]);
  assert.equal(textOf(await client.callTool({ name: "read", arguments: {} })), "alpha did read");
});

test("a list that never ends is given up at the bound for answers, and its server named", async (t) => {
  let pages = 0;
  const endless = await stubServer(t, (_request, response, body) => {
    const { id, method } = JSON.parse(body || "{}") as { readonly id?: unknown; readonly method?: string };
    if (method === "tools/list") pages += 1;
    const tools = [{ name: `t${pages}`, description: "d".repeat(20_000) }];
    const result = method === "initialize" ? oldGreeting : { tools, nextCursor: `c${pages}` };
    response.writeHead(id === undefined ? 202 : 200, { "content-type": "application/json" });
    response.end(id === undefined ? "" : JSON.stringify({ jsonrpc: "2.0", id, result }));
  });
  const { open } = await joined(t, {
    servers: `  endless: { url: "${endless.url}" }\n`,
    join: "endless, alpha",
    policy: `${openPolicy}limits: { answer: 256KiB }\n`,
  });
  const client = await open("legacy");
  const listed = await client.listTools();
  assert.deepEqual(listed._meta?.["dev.latticegate/unavailable"], ["endless"]);
  assert.ok(pages < 20, String(pages));
});

test("a list and an answer of several mebibytes come through whole", async (t) => {
  const long = "x".repeat(3 * 1024 * 1024);
  const big = await stubServer(t, (_request, response, body) => {
    const { id, method } = JSON.parse(body) as { readonly id: unknown; readonly method: string };
    const tools = Array.from({ length: 3000 }, (_, n) => ({
      name: `big-${n}`,
      description: "d".repeat(600),
      inputSchema: { type: "object" },
    }));
    const result = method === "tools/list" ? { tools, resultType: "complete" } : said(long);
    response.writeHead(200, { "content-type": "application/json" });
    response.end(
      JSON.stringify({ jsonrpc: "2.0", id, result: { ...result, ttlMs: 0, cacheScope: "private" } }),
    );
  });
  const gateway = await testGateway(
    t,
    `servers: { big: { url: "${big.url}" } }\nvirtual_servers: { all: { servers: [big] } }\n${openPolicy}`,
  );
  const client = clientOf(t, gateway, await enrol(gateway));
  const modern = async (method: string, params: object, headers: Record<string, string> = {}) => {
    const _meta = {
      "io.modelcontextprotocol/protocolVersion": "2026-07-28",
      "io.modelcontextprotocol/clientCapabilities": {},
    };
    const message = { jsonrpc: "2.0", id: 1, method, params: { ...params, _meta } };
    const standard = { "mcp-protocol-version": "2026-07-28", "mcp-method": method };
    return (await client.post("all", message, { ...standard, ...headers })).text;
  };
  const { result } = JSON.parse(await modern("tools/list", {})) as {
    readonly result: { readonly tools: readonly unknown[] };
  };
  assert.equal(result.tools.length, 3000);
  const answer = await modern("tools/call", { name: "big-7", arguments: {} }, { "mcp-name": "big-7" });
  assert.ok(answer.includes(long));
});
