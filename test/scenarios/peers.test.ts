/** Peers reach a server by its name: introduced by a relay, directly or through it. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { connectHttp, type ConnectOptions } from "../../src/app/connect.ts";
import { atEnd, type Cleanup } from "../support/cleanup.ts";
import { postCall } from "../support/post-call.ts";
import { peersScene, registered } from "../support/peers-scene.ts";

async function connected(t: Cleanup, options: ConnectOptions): Promise<string> {
  const { url, close } = await connectHttp(options, 0);
  atEnd(t, close);
  return url;
}

test("a peer calls a server by its name alone, on one link for all calls", async (t) => {
  const scene = await peersScene(t);
  await registered(scene);
  const url = await connected(t, await scene.caller());
  const answers = await Promise.all(Array.from({ length: 20 }, (_, id) => postCall(url, id)));
  assert.deepEqual(
    answers.map(({ status }) => status),
    answers.map(() => 200),
  );
  assert.equal(scene.stub.seen.length, 20);
});
