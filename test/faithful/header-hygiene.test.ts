/** Class 6: what crosses a hop is listed, by name; the rest is that hop's own. */
import assert from "node:assert/strict";
import { after, test } from "node:test";

import { bytesAnswer, json, legacyCall, modernCall, same, ways } from "../support/ways.ts";

const all = await ways({ after });

/** What our HTTP client writes by itself, for its own hop. */
const ownNames = ["connection", "content-length", "host"];
const passed = {
  Accept: "application/json, text/event-stream",
  "accept-LANGUAGE": "de, en;q=0.5",
  "Content-Type": "Application/JSON; charset=UTF-8",
  "Last-Event-ID": "ev-7",
  "MCP-Protocol-Version": "2025-11-25",
  "mcp-method": "tools/call",
  "MCP-NAME": "a",
  "Mcp-Param-Region": "eu-1",
  "mcp-param-UNKNOWN": "",
  "User-Agent": "faithful/1 (x; y)",
  traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
  tracestate: "a=1,b=2",
  baggage: "k=v",
};
const kept = {
  "accept-encoding": "gzip, br",
  authorization: "Bearer x",
  "cache-control": "no-store",
  cookie: "a=1",
  "expect-ct": "x",
  forwarded: "for=1.2.3.4",
  from: "a@example.com",
  "if-none-match": '"x"',
  "keep-alive": "timeout=5",
  "mcp-unheard-of": "x",
  origin: "http://localhost",
  "proxy-authorization": "Basic x",
  "proxy-connection": "keep-alive",
  range: "bytes=0-1",
  referer: "http://localhost/secret",
  te: "trailers",
  via: "1.1 x",
  "x-api-key": "x",
  "x-forwarded-for": "1.2.3.4",
  "x-forwarded-host": "example.com",
  "x-forwarded-proto": "https",
  "x-real-ip": "1.2.3.4",
  "x-request-id": "1",
  "latticegate-goodbye": "1",
};

test("of a request's headers exactly those on the list reach the server, with their values, whatever their case", async () => {
  all.answering(bytesAnswer("{}"));
  for (const way of all.ours) {
    assert.equal((await way.ask({ headers: { ...passed, ...kept }, body: legacyCall() })).status, 200);
    const headers = all.stub.seen.at(-1)?.headers ?? {};
    const names = Object.keys(passed).map((name) => name.toLowerCase());
    assert.deepEqual(Object.keys(headers).sort(), [...names, ...ownNames].sort(), way.name);
    for (const [name, value] of Object.entries(passed)) {
      assert.equal(headers[name.toLowerCase()], value, `${way.name}: ${name}`);
    }
    assert.equal(headers.host, new URL(all.stub.url).host, "it is the server that is called");
  }
});

test("a request without headers of its own gets none from us", async () => {
  all.answering(bytesAnswer("{}"));
  for (const way of all.ours) {
    await way.ask({ headers: { "content-type": "application/json" }, body: legacyCall() });
    const names = Object.keys(all.stub.seen.at(-1)?.headers ?? {}).sort();
    assert.deepEqual(names, [...ownNames, "content-type"].sort(), way.name);
  }
});

test("a header that Connection names ends at this hop, upwards and downwards", async () => {
  all.answering(
    bytesAnswer("{}", { ...json, connection: "x-hop, X-Other", "x-hop": "1", "X-OTHER": "2", "x-end": "3" }),
  );
  for (const way of all.ours) {
    const headers = {
      ...json,
      connection: "close, Mcp-Param-Hop, BAGGAGE",
      "mcp-param-hop": "1",
      baggage: "k=v",
    };
    const answered = await way.ask({ headers: { ...headers, "mcp-param-end": "2" }, body: legacyCall() });
    const seen = all.stub.seen.at(-1)?.headers ?? {};
    assert.deepEqual(
      [seen["mcp-param-hop"], seen["baggage"], seen["mcp-param-end"]],
      [undefined, undefined, "2"],
    );
    assert.deepEqual(
      [answered.headers["x-hop"], answered.headers["x-other"]],
      [undefined, undefined],
      way.name,
    );
    assert.deepEqual(answered.headers["x-end"], ["3"], way.name);
  }
});

test("what a server's answer says end to end comes down, each value by itself, and nothing of its hop", async () => {
  const endToEnd = {
    "x-accel-buffering": "no",
    "cache-control": "no-cache, no-transform",
    link: ["<https://a>; rel=x", "<https://b>; rel=y"],
    "set-cookie": ["a=1; Path=/", "b=2"],
    "retry-after": "7",
    "X-Vendor": "\u00e9",
    date: "Mon, 01 Jan 2024 00:00:00 GMT",
  };
  const hop = {
    "keep-alive": "timeout=9",
    "proxy-authenticate": "Basic",
    "proxy-connection": "x",
    trailer: "x-t",
    upgrade: "h2c",
    "latticegate-goodbye": "1",
  };
  all.answering(bytesAnswer("{}", { "content-type": "application/json", ...endToEnd, ...hop }));
  const names = Object.keys(endToEnd).map((name) => name.toLowerCase());
  await same(all, { body: legacyCall() }, ["content-type", ...names]);
  for (const way of all.ours) {
    const { headers } = await way.ask({ body: legacyCall() });
    assert.deepEqual(headers["link"], endToEnd.link);
    for (const name of Object.keys(hop)) {
      if (name !== "keep-alive") assert.equal(headers[name], undefined, `${way.name}: ${name}`);
    }
    assert.notDeepEqual(headers["keep-alive"], ["timeout=9"], way.name);
  }
});

test("the session id a client holds is never the server's own, and the server never sees the client's", async () => {
  all.answering(bytesAnswer("{}", { ...json, "Mcp-Session-Id": "upstream-1" }));
  for (const way of all.ours) {
    const sealed = (await way.ask({ body: legacyCall() })).headers["mcp-session-id"]?.[0] ?? "";
    assert.notEqual(sealed, "upstream-1", way.name);
    const headers = { ...json, "MCP-SESSION-ID": sealed };
    const requests = [
      { headers, body: legacyCall() },
      { method: "GET", headers: { accept: "text/event-stream", "mcp-session-id": sealed } },
      { method: "DELETE", headers: { "mcp-session-id": sealed } },
    ];
    for (const asked of requests) {
      await way.ask(asked);
      const seen = all.stub.seen.at(-1);
      assert.equal(seen?.headers["mcp-session-id"], "upstream-1", `${way.name}: ${asked.method ?? "POST"}`);
      assert.ok(!JSON.stringify(seen).includes(sealed), way.name);
    }
    const modern = modernCall("a");
    await way.ask({ ...modern, headers: { ...modern.headers, "mcp-session-id": sealed } });
    assert.equal(
      all.stub.seen.at(-1)?.headers["mcp-session-id"],
      undefined,
      "a modern request has no session",
    );
    const notification =
      '{"jsonrpc":"2.0","method":"notifications/x","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}';
    const before = all.stub.seen.length;
    await way.ask({ headers: { ...json, "mcp-session-id": "nobody's" }, body: notification });
    assert.equal(all.stub.seen.length, before + 1, "nor has a modern notification, whatever its header says");
  }
});

test("a server that says its session id twice is bound twice: neither comes down as it is", async () => {
  all.answering(bytesAnswer("{}", { ...json, "mcp-session-id": ["upstream-1", "upstream-2"] }));
  for (const way of all.ours) {
    const { headers } = await way.ask({ body: legacyCall() });
    for (const id of headers["mcp-session-id"] ?? []) assert.match(id, /^upstream-[12]\.[\w-]{22}$/);
    assert.equal(headers["mcp-session-id"]?.length, 2, way.name);
  }
});

test("a header that says what a message is may come once: Content-Type and each Mcp-* header, in any case", async () => {
  const before = all.stub.seen.length;
  for (const [name, values] of [
    ["content-type", ["application/json", "text/plain"]],
    ["Mcp-Method", ["tools/call", "tools/list"]],
    ["mcp-name", ["a", "a"]],
    ["Mcp-Param-X", ["1", "2"]],
    ["MCP-Protocol-Version", ["2025-11-25", "2025-06-18"]],
    ["Mcp-Session-Id", ["a.b", "c.d"]],
  ] as const) {
    // A name as one list of values goes out as one header a value.
    const headers = { ...json, [name]: [...values] };
    const { status } = await all.gateway.ask({ headers, body: legacyCall() });
    assert.equal(status, 400, name);
  }
  assert.equal(all.stub.seen.length, before);
});

test("a server can't have its call sent again by speaking like a gateway that stops", async () => {
  all.answering(bytesAnswer("", { "latticegate-goodbye": "1", "content-length": "0" }, 408));
  const before = all.stub.seen.length;
  for (const way of all.ours) {
    const { status, headers } = await way.ask({ body: legacyCall() });
    assert.deepEqual([status, headers["latticegate-goodbye"]], [408, undefined], way.name);
  }
  assert.equal(all.stub.seen.length, before + 2);
});
