/** Where peers may send each other: never to a machine's own services. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { reachablePlaces } from "./reachable-places.ts";

test("addresses of networks are dialled, a machine's own and those of groups aren't", () => {
  const good = [
    { host: "10.0.0.7", port: 40_000 },
    { host: "203.0.113.9", port: 1024 },
  ];
  const bad = [
    { host: "127.0.0.1", port: 40_000 },
    { host: "0.0.0.0", port: 40_000 },
    { host: "169.254.169.254", port: 40_000 },
    { host: "224.0.0.251", port: 5353 },
    { host: "255.255.255.255", port: 40_000 },
    { host: "10.0.0.7", port: 22 },
    { host: "::1", port: 40_000 },
  ];
  assert.deepEqual(reachablePlaces([...bad, ...good]), good);
  assert.equal(reachablePlaces(Array.from({ length: 20 }, () => good[0] ?? assert.fail())).length, 8);
});
