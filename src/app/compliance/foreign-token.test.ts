import assert from "node:assert/strict";
import { once } from "node:events";
import https from "node:https";
import type { AddressInfo } from "node:net";
import { test } from "node:test";

import { atEnd } from "../../../test/support/cleanup.ts";
import { origin, webScene } from "../../../test/support/web-gateway.ts";
import { foreignToken } from "./foreign-token.ts";

test("a listener that refuses a token nobody has signed passes, and one that answers it fails", async (t) => {
  const { gateway, certificate } = await webScene(t);
  const { config, clock } = gateway;
  const [listener] = config.webListeners;
  assert.ok(listener);
  const at = (address: string) =>
    foreignToken({ config: { ...config, webListeners: [{ ...listener, address }] }, clock });
  assert.deepEqual(await at(gateway.webAddresses.get(origin) ?? ""), {
    result: "passed",
    says: "status 401",
  });
  const careless = https.createServer(
    { cert: certificate.certificate, key: certificate.key },
    (_, response) => response.end("{}"),
  );
  atEnd(t, () => careless.close());
  await once(careless.listen(0, "127.0.0.1"), "listening");
  const { port } = careless.address() as AddressInfo;
  assert.deepEqual(await at(`127.0.0.1:${port}`), { result: "failed", says: "status 200" });
  assert.equal((await foreignToken({ config: { ...config, webListeners: [] }, clock })).result, "skipped");
});
