/** Which addresses an API may be at: judged all, connected to the one that was judged. */
import assert from "node:assert/strict";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";

import { atEnd } from "../../../test/support/cleanup.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { resolveProfile } from "../../crypto/suites/profiles.ts";
import { webConnections } from "../net/web-links.ts";
import { networksOf, reachable } from "./reachable.ts";

const isRefused = (error: unknown): boolean => error instanceof Refusal && error.code === "target_refused";

for (const address of [
  "0.0.0.0",
  "10.1.2.3",
  "100.100.100.200",
  "127.0.0.1",
  "169.254.169.254",
  "172.31.0.1",
  "192.0.0.192",
  "192.168.0.1",
  "198.18.0.1",
  "224.0.0.1",
  "255.255.255.255",
  "::",
  "::1",
  "::ffff:169.254.169.254",
  "64:ff9b::a9fe:a9fe",
  "2002:a9fe:a9fe::1",
  "2001:db8::1",
  "fd00:ec2::254",
  "fe80::1",
  "ff02::1",
]) {
  test(`${address} isn't an address that a document, or a name, may lead to`, async () => {
    await assert.rejects(reachable([])(address), isRefused);
    await assert.rejects(reachable([], () => Promise.resolve([address]))("api.test"), isRefused);
    await assert.rejects(
      reachable([], () => Promise.resolve(["93.184.215.14", address]))("api.test"),
      isRefused,
    );
  });
}

test("public addresses, and those of networks that the operator names, may be connected to", async () => {
  assert.equal(await reachable([])("93.184.215.14"), "93.184.215.14");
  assert.equal(await reachable([])("[2606:4700::1111]"), "2606:4700::1111");
  const named = networksOf("https://api.internal", ["10.2.0.0/16"]);
  const resolve = (address: string): Promise<string> =>
    reachable(named, () => Promise.resolve([address]))("api.internal");
  assert.equal(await resolve("10.2.3.4"), "10.2.3.4");
  await assert.rejects(resolve("10.3.0.1"), isRefused);
});

test("an address in the operator's own URL is where it says, and its neighbours aren't", async () => {
  assert.equal(await reachable(networksOf("http://10.0.0.5:80", []))("10.0.0.5"), "10.0.0.5");
  await assert.rejects(reachable(networksOf("http://10.0.0.5:80", []))("10.0.0.6"), isRefused);
  const local = reachable(networksOf("http://localhost:80", []), () => Promise.resolve(["127.0.0.1"]));
  assert.equal(await local("localhost"), "127.0.0.1");
});

test("a name that has no address is a failure, told by its code", async () => {
  const asked = reachable([], () => Promise.reject(Object.assign(new Error("no"), { code: "ENOTFOUND" })));
  await assert.rejects(
    asked("nowhere.test"),
    (error: unknown) => error instanceof Refusal && /ENOTFOUND/.test(error.message),
  );
});

test("the address that was judged is connected to, whatever the name leads to a moment later", async (t) => {
  const server = http.createServer((request, response) => response.end(request.headers.host));
  await new Promise<void>((listening) => void server.listen(0, "127.0.0.1", listening));
  atEnd(t, () => void server.close());
  const { port } = server.address() as AddressInfo;
  const asked: string[] = [];
  const { dispatcher, close } = webConnections(new URL(`http://rebinding.invalid:${port}`), {
    terms: () => ({ ...resolveProfile("hybrid"), name: "hybrid" }),
    keyExchange: "hybrid-required",
    links: new Map(),
    resolve: (host) => {
      asked.push(host);
      return Promise.resolve("127.0.0.1");
    },
  });
  atEnd(t, close);
  const { statusCode, body } = await dispatcher().request({ method: "GET", path: "/" });
  // By its name there is no such host: only what was judged can have been reached.
  assert.deepEqual(
    [statusCode, await body.text(), asked],
    [200, `rebinding.invalid:${port}`, ["rebinding.invalid"]],
  );
});
