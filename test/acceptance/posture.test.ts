/** Servers of all ages are probed, and judged as the table beside them says by hand. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { probePosture } from "../../src/app/scan/probe-posture.ts";
import { postureServers } from "../support/posture-servers.ts";

test("no server is misjudged against what is written beside it by hand", async (t) => {
  const servers = await postureServers(t, () => (_request, response) => void response.end());
  for (const { name, port, truth } of servers) {
    const posture = await probePosture({
      host: "127.0.0.1",
      port,
      clock: { nowUnixMs: Date.now },
      signal: AbortSignal.timeout(60_000),
      timeoutMs: 10_000,
    });
    assert.ok(posture !== undefined, name);
    const tls = posture.link.kind === "tls" ? posture.link.tls : undefined;
    const { keyExchange, authentication, groups, versions, profiles } = truth;
    assert.deepEqual(
      {
        name,
        keyExchange: posture.keyExchange.verdict,
        authentication: posture.authentication.verdict,
        ...(groups && { groups: tls?.groups }),
        ...(versions && { versions: tls?.versions }),
        ...(profiles && { profiles: posture.profiles }),
      },
      {
        name,
        keyExchange,
        authentication,
        ...(groups && { groups }),
        ...(versions && { versions }),
        ...(profiles && { profiles }),
      },
      JSON.stringify(posture, null, 1),
    );
    if (tls !== undefined) assert.deepEqual([tls.takesBigHello, tls.takesSplitHello], [true, true], name);
    assert.equal(tls?.asksForClientCertificate ?? false, name === "client-certificate", name);
  }
});
