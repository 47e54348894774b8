/** Offers go along with their links, once; failed hybrid handshakes are known for a short while. */
import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import type net from "node:net";
import { test } from "node:test";

import type { ClientHello } from "../../wire/client-hello.ts";
import { arrivals } from "./arrivals.ts";

const hello: ClientHello = {
  legacyVersion: 0x0303,
  versions: [0x0304],
  groups: [0x11ec, 0x001d],
  keyShares: [0x11ec],
  signatureSchemes: [],
  cipherSuites: [0x1302],
  extensions: [],
  alpn: [],
  bytes: 100,
};
const classical: ClientHello = { ...hello, groups: [0x001d], keyShares: [0x001d] };

/** Enough of a socket: where it is from, and that it closes. */
function socketFrom(remoteAddress: string): net.Socket {
  return Object.assign(new EventEmitter(), { remoteAddress }) as unknown as net.Socket;
}

function scene() {
  let now = 1000;
  const coming = arrivals(() => now);
  let port = 0;
  return {
    coming,
    pass: (ms: number) => void (now += ms),
    /** @returns what is known of the link once its handshake is done */
    link: (address: string, what: ClientHello) => {
      const socket = socketFrom(address);
      const remote = `${address}:${(port += 1)}`;
      coming.came(socket, remote, what);
      return { remote, socket, done: () => coming.arrived(remote), fail: () => void socket.emit("close") };
    },
  };
}

test("an offer is handed out once, to the link it came on", () => {
  const { link } = scene();
  const one = link("192.0.2.1", hello);
  const other = link("192.0.2.1", classical);
  assert.deepEqual(one.done()?.groups, [0x11ec, 0x001d]);
  assert.equal(one.done(), undefined);
  assert.deepEqual(other.done()?.groups, [0x001d]);
});

test("a classical hello follows a failed hybrid handshake from its address, for half a minute", () => {
  const { link, pass } = scene();
  link("192.0.2.1", hello).fail();
  pass(2000);
  assert.deepEqual(link("192.0.2.1", classical).done()?.follows, { groupId: 0x11ec, agoMs: 2000 });
  assert.equal(link("192.0.2.2", classical).done()?.follows, undefined);
  assert.equal(link("192.0.2.1", hello).done()?.follows, undefined, "it offers what failed again");
  pass(28_000);
  assert.equal(link("192.0.2.1", classical).done()?.follows, undefined);
});

test("a link that ends after its handshake, or a classical one that fails, is no failed hybrid handshake", () => {
  const { link } = scene();
  const good = link("192.0.2.1", hello);
  good.done();
  good.fail();
  link("192.0.2.1", classical).fail();
  assert.equal(link("192.0.2.1", classical).done()?.follows, undefined);
});

test("addresses are bounded: the longest ago make way", () => {
  const { link } = scene();
  const address = (i: number): string => `198.51.${i >> 8}.${i & 255}`;
  for (let i = 0; i <= 1024; i++) link(address(i), hello).fail();
  assert.equal(link(address(0), classical).done()?.follows, undefined);
  assert.notEqual(link(address(1), classical).done()?.follows, undefined);
});
