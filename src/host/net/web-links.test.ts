/** Links to https servers while the profile changes: what is new counts for new links at once, what isn't taken any more ends. */
import assert from "node:assert/strict";
import type http from "node:http";
import { test } from "node:test";

import { outsideAuthority } from "../../../test/support/certificates.ts";
import { httpsServer, publicAuthority } from "../../../test/support/https-server.ts";
import { helloOf } from "../../../test/support/hello.ts";
import { resolveProfile } from "../../crypto/suites/profiles.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { peekClientHello } from "../../wire/client-hello.ts";
import { exchange, type HttpRequest } from "./http-exchange.ts";
import { endLinksBeyond, webConnections, type WebLinks, webTlsOptions } from "./web-links.ts";
import type { DoorTerms } from "./web-tls.ts";

const transition: DoorTerms = resolveProfile("transition");
const hybrid: DoorTerms = resolveProfile("hybrid");
const cnsa: DoorTerms = resolveProfile("cnsa-2.0");
const limits = { answerTimeoutMs: 5000, answerBytes: 1_000_000 };
const ask: HttpRequest = { method: "POST", path: "/mcp", headers: [], body: Buffer.from('{"id":1}') };

for (const [terms, keyExchange, groups] of [
  [hybrid, "hybrid-required", [0x11ec, 0x11ed, 0x11eb]],
  [transition, "hybrid-required", [0x11ec, 0x11ed, 0x11eb]],
  [transition, "hybrid-preferred", [0x11ec, 0x11ed, 0x11eb, 0x1d, 0x17]],
  [cnsa, "hybrid-required", [0x11ed]],
] as const) {
  test(`under ${terms.name}, ${keyExchange}: hybrid groups come first, the best with the only key share`, async () => {
    const bytes = await helloOf(webTlsOptions({ terms: () => terms, keyExchange }));
    const peek = peekClientHello(bytes, bytes.length);
    assert.equal(peek.kind, "hello");
    if (peek.kind !== "hello") return;
    assert.deepEqual(peek.hello.groups, groups);
    assert.deepEqual(peek.hello.keyShares, groups.slice(0, 1));
    assert.deepEqual(peek.hello.versions, [0x0304]);
  });
}

test("a profile that loses its classical groups counts for new links at once, and old ones can be ended", async (t) => {
  const { certificate: cert, key } = publicAuthority(t).issue("server");
  const under: http.ServerResponse[] = [];
  const server = await httpsServer(t, { cert, key, ecdhCurve: "X25519" }, (request, response) => {
    if (request.url === "/stream")
      under.push(response.writeHead(200, { "content-type": "text/event-stream" }));
    else response.end("{}");
    response.flushHeaders();
  });
  let terms = transition;
  const links: WebLinks = new Map();
  const options = { terms: () => terms, keyExchange: "hybrid-preferred", links } as const;
  const connections = webConnections(new URL(server.url), options);
  const answer = await exchange(connections.dispatcher(), ask, limits);
  assert.equal(answer.link?.kind === "tls" ? answer.link.group : "", "X25519");
  const stream = await exchange(connections.dispatcher(), { ...ask, path: "/stream" }, limits);
  assert.ok(stream.kind === "stream");

  terms = hybrid;
  await assert.rejects(
    exchange(connections.dispatcher(), ask, limits),
    (error: unknown) => error instanceof Refusal && /offers TLS 1\.3 with X25519/.test(error.message),
  );
  endLinksBeyond(links, transition);
  under[0]?.write("data: 1\n\n");
  const chunks = stream.chunks[Symbol.asyncIterator]();
  assert.match(String((await chunks.next()).value), /data: 1/, "what is under way goes on");
  endLinksBeyond(links, hybrid);
  await assert.rejects(
    chunks.next(),
    (error: unknown) => error instanceof Refusal && /used X25519/.test(error.message),
  );
  await connections.close();
});

test("a link that is judged and refused isn't noted as one that was used", async (t) => {
  const { certificate: cert, key } = publicAuthority(t).issue("server");
  const server = await httpsServer(t, { cert, key, ecdhCurve: "X25519MLKEM768" });
  const noted: string[] = [];
  let isRefused = true;
  const connections = webConnections(new URL(server.url), {
    terms: () => hybrid,
    keyExchange: "hybrid-required",
    links: new Map(),
    seen: () => {
      if (isRefused) throw new Refusal("upstream_failed", "less than before");
    },
    onLink: (link) => void noted.push(String(link.getProtocol())),
  });
  t.after(connections.close);
  await assert.rejects(exchange(connections.dispatcher(), ask, limits), /less than before/);
  assert.deepEqual(noted, []);
  isRefused = false;
  await exchange(connections.dispatcher(), ask, limits);
  assert.deepEqual(noted, ["TLSv1.3"]);
});

test("each answer says which link it came on, though those of one server differ", async (t) => {
  const { certificate: cert, key } = publicAuthority(t).issue("server");
  const held: http.ServerResponse[] = [];
  const server = await httpsServer(t, { cert, key, ecdhCurve: "X25519MLKEM768" }, (_request, response) => {
    held.push(response);
  });
  const links: WebLinks = new Map();
  const options = { terms: () => transition, keyExchange: "hybrid-preferred", links } as const;
  const connections = webConnections(new URL(server.url), options);
  const first = exchange(connections.dispatcher(), ask, limits);
  while (held.length < 1) await new Promise((resolve) => setImmediate(resolve));
  server.offer({ cert, key, ecdhCurve: "X25519" });
  const second = exchange(connections.dispatcher(), ask, limits);
  while (held.length < 2) await new Promise((resolve) => setImmediate(resolve));
  for (const response of held) response.end("{}");
  const groups = [await first, await second].map(({ link }) => (link?.kind === "tls" ? link.group : ""));
  assert.deepEqual(groups, ["X25519MLKEM768", "X25519"]);
  await connections.close();
});

test("a server that turns handshakes down is asked once what it offers, however many calls there are", async (t) => {
  const { certificate: cert, key } = outsideAuthority("any").issue("server");
  const server = await httpsServer(t, { cert, key, ecdhCurve: "X25519" });
  const options = { terms: () => hybrid, keyExchange: "hybrid-required", links: new Map() } as const;
  const connections = webConnections(new URL(server.url), options);
  const failures = await Promise.allSettled(
    Array.from({ length: 5 }, () => exchange(connections.dispatcher(), ask, limits)),
  );
  for (const failure of failures) {
    assert.equal(failure.status, "rejected");
    if (failure.status === "rejected") assert.match(String(failure.reason), /offers TLS 1\.3 with X25519/);
  }
  assert.equal(server.connections(), 6, "one for each call, and one that asks");
  assert.equal(server.asked(), 0);
  await connections.close();
});
