/** Peers reach a server by its name: introduced by a relay, directly or through it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { openPeerLink } from "../../src/app/peer/peer-link.ts";
import { peerSettings } from "../../src/app/peer/peer-places.ts";
import { openSidecarIdentity } from "../../src/app/sidecar-identity.ts";
import { readPeerName } from "../../src/identity/peer-name.ts";
import { systemClock, systemLog } from "../../src/host/system.ts";
import { peersScene } from "../support/peers-scene.ts";
import { eventually } from "../support/gateway.ts";

test("by hand", async (t) => {
  const log = systemLog({ level: "debug" });
  const scene = await peersScene(t, { log });
  await eventually("registered", () => scene.relay.peers().length === 1);
  const options = await scene.caller();
  const identity = await openSidecarIdentity({ ...options, joinToken: options.joinToken });
  const peer = readPeerName(options.target);
  assert.ok(peer);
  const link = await openPeerLink({
    peer,
    spiffeId: scene.exposed.spiffeId,
    settings: peerSettings(options.peers!, identity.trustDomain),
    identity,
    clock: systemClock,
    log,
  });
  const at = performance.now();
  const tls = await link.connect();
  console.log(link.path(), performance.now() - at, tls.alpnProtocol);
  tls.destroy();
  link.stop();
  await identity.stop();
});
