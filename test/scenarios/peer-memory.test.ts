/** What peers were seen to be capable of, over real sockets: who comes with less is refused or flagged at its first handshake. */
import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";

import { acceptPeer, listPeers } from "../../src/app/peer-operations.ts";
import { openState } from "../../src/host/store/state-sqlite.ts";
import { statePaths } from "../../src/app/state-folder.ts";
import { systemClock } from "../../src/host/system.ts";
import { cli } from "../support/cli.ts";
import type { Cleanup } from "../support/cleanup.ts";
import { eventually, type TestGateway } from "../support/gateway.ts";
import { entriesOf, logged, recorded } from "../support/records.ts";
import {
  proofKey,
  type ProofKey,
  webClient,
  webScene,
  type WebScene,
  type WebSceneOptions,
} from "../support/web-gateway.ts";

const day = 86_400_000;
const aliceByApp = "oauth:corp/client/app for oauth:corp/user/alice";

const preferred = `key_exchange: hybrid-preferred
classical_servers: [files]
dpop_nonce: false
sender_constraint: preferred
`;

/** A gateway whose listener takes classical links, and whose clock the test sets. */
async function preferringScene(
  t: Cleanup,
  options: WebSceneOptions = {},
): Promise<WebScene & { readonly key: ProofKey; readonly later: (ms: number) => void }> {
  let shift = 0;
  const clock = { nowUnixMs: () => Date.now() + shift };
  const scene = await webScene(t, { listener: preferred, clock, ...options });
  return { ...scene, key: await proofKey(), later: (ms) => void (shift += ms) };
}

/** One call on a link of its own. */
async function callOver(
  t: Cleanup,
  scene: WebScene & { readonly key: ProofKey },
  ecdhCurve: string,
  { claims = {}, bearer = false }: { readonly claims?: object; readonly bearer?: boolean } = {},
) {
  const client = webClient(t, scene, { ecdhCurve });
  if (bearer)
    return await client({ headers: { authorization: `Bearer ${await scene.token({ ...claims })}` } });
  const token = await scene.token({ cnf: { jkt: scene.key.thumbprint }, ...claims });
  return await client({ headers: await scene.key.headers(token) });
}

for (const regression of ["refuse", "flag"] as const) {
  test(`a peer that connected with the hybrid group yesterday and offers only X25519 today is ${regression === "refuse" ? "refused" : "flagged"} at its first handshake, under hybrid preferred too, and the finding says what changed`, async (t) => {
    const scene = await preferringScene(t, { sections: `crypto: { regression: ${regression} }` });
    assert.equal((await callOver(t, scene, "X25519MLKEM768:X25519")).status, 200);
    const answer = await callOver(t, scene, "X25519");
    const [entry] = await entriesOf(scene.gateway, "link.regressed");
    assert.equal(entry?.principal, aliceByApp);
    assert.equal(entry.outcome, regression === "refuse" ? "denied" : "allowed");
    assert.equal(entry.facts["regressions"], "group_lost:high");
    assert.deepEqual(
      [entry.facts["from"], entry.facts["to"], entry.facts["direction"]],
      ["X25519MLKEM768", "X25519", "incoming"],
    );
    assert.match(
      entry.facts["says"] ?? "",
      /^It used X25519MLKEM768 since 20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ and doesn't any more: this link has X25519, without ML-KEM\.$/,
    );
    if (regression === "flag") {
      assert.equal(answer.status, 200, answer.text);
      const decision = (await recorded(scene.gateway)).findLast(({ event }) => event === "call.decision");
      assert.equal(decision?.facts["link.regression"], "group_lost:high");
      assert.equal(scene.files.seen.length, 2);
      return;
    }
    assert.equal(answer.status, 403);
    assert.match(
      answer.text,
      /It used X25519MLKEM768 since .* update the client .* latticegate crypto peers accept/,
    );
    assert.match(answer.text, /"reason":"link_regressed"/);
    assert.equal(scene.files.seen.length, 1, "nothing of it reached the server");
    assert.equal(logged(scene.gateway, "call.refused").at(-1)?.["code"], "link_regressed");
  });
}
