import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { test } from "node:test";

import { Refusal } from "../../kernel/refusal.ts";
import { patientDial } from "./patient-dial.ts";

const never = new AbortController().signal;

async function dial(port: number): Promise<net.Socket> {
  const socket = net.connect({ host: "127.0.0.1", port });
  await once(socket, "connect");
  return socket;
}

test("it dials until somebody is there", async (t) => {
  const server = net.createServer();
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  let dials = 0;
  const link = await patientDial(
    () => {
      if (++dials === 3) server.listen(port, "127.0.0.1");
      return dial(port);
    },
    10_000,
    never,
  );
  t.after(() => server.close());
  link.destroy();
  assert.ok(dials >= 3, `${dials}`);
});

test("what doesn't pass by waiting is said at once", async () => {
  const reasons = [
    new Error("The certificate isn't trusted."),
    Object.assign(new Error("reset"), { code: "ECONNRESET" }),
    new Refusal("upstream_failed", "The other end is somebody else.", { facts: { sent: false } }),
  ];
  for (const reason of reasons) {
    let dials = 0;
    const dialling = patientDial(
      () => {
        dials += 1;
        return Promise.reject(reason);
      },
      10_000,
      never,
    );
    await assert.rejects(dialling, reason);
    assert.equal(dials, 1);
  }
});

test("its patience ends with the time given, or with the pool", async () => {
  const away = (): Promise<never> =>
    Promise.reject(Object.assign(new Error("nobody is there"), { code: "ECONNREFUSED" }));
  await assert.rejects(patientDial(away, 0, never), /nobody/);
  await assert.rejects(patientDial(away, 120, never), /nobody/);
  const ended = new AbortController();
  const dialling = patientDial(away, 600_000, ended.signal);
  ended.abort();
  await assert.rejects(dialling, /nobody/);
});
