/** The doors of a listener with a web certificate while the profile changes under them. */
import assert from "node:assert/strict";
import type net from "node:net";
import { once } from "node:events";
import { test, type TestContext } from "node:test";
import tls from "node:tls";

import { atEnd } from "../../../test/support/cleanup.ts";
import { knock } from "../../../test/support/knock.ts";
import { webCertificate } from "../../../test/support/web-certificate.ts";
import { resolveProfile } from "../../crypto/suites/profiles.ts";
import type { Channel } from "../../model/channel.ts";
import { systemClock, systemLog } from "../system.ts";
import { frontDoor } from "./front-door.ts";
import { openWebDoors, type WebDoors } from "./web-tls.ts";

interface Scene {
  readonly doors: WebDoors;
  readonly address: net.AddressInfo;
  readonly channels: readonly Channel[];
  readonly log: readonly string[];
  /** The group a client that offers these ends on; or how it ended otherwise. */
  readonly offering: (ecdhCurve: string) => Promise<string>;
}

async function scene(t: TestContext): Promise<Scene> {
  const { certificate, key: privateKey } = webCertificate("ecdsa");
  const channels: Channel[] = [];
  const log: string[] = [];
  const doors = openWebDoors({
    terms: resolveProfile("transition"),
    credentials: [{ certificate, privateKey }],
    allowsClassical: true,
    asksCertificates: false,
    log: systemLog({
      level: "debug",
      clock: systemClock,
      form: "json",
      write: (line) => void log.push(line),
    }),
    onLink: (socket, channel) => {
      channels.push(channel);
      socket.write("HTTP/1.1 204 No Content\r\n\r\n");
    },
  });
  const { server } = frontDoor({
    doors: doors.doors,
    log: systemLog({
      level: "debug",
      clock: systemClock,
      form: "json",
      write: (line) => void log.push(line),
    }),
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  server.on("connection", (socket) => atEnd(t, () => void socket.destroy()));
  atEnd(t, () => void server.close());
  const address = server.address() as net.AddressInfo;
  const to = {
    host: "127.0.0.1",
    port: address.port,
    rejectUnauthorized: false,
    minVersion: "TLSv1.3",
  } as const;
  return {
    doors,
    address,
    channels,
    log,
    offering: async (ecdhCurve) => {
      const how = await knock({ ...to, ecdhCurve }, "/");
      return how.kind === "answered" ? (channels.at(-1)?.group ?? "?") : JSON.stringify(how);
    },
  };
}

const refused = JSON.stringify({ kind: "alert", alert: 40 });

test("a profile that loses its classical groups shuts their doors at once; links that are open go on", async (t) => {
  const { doors, address, offering, log, channels } = await scene(t);
  const open = tls.connect({
    host: "127.0.0.1",
    port: address.port,
    rejectUnauthorized: false,
    ecdhCurve: "X25519",
  });
  await once(open, "data");
  assert.equal(await offering("P-256"), "P-256");

  doors.setTerms(resolveProfile("hybrid"));
  assert.equal(await offering("X25519"), refused);
  assert.equal(await offering("P-256"), refused);
  assert.equal(await offering("X25519:X25519MLKEM768"), "X25519MLKEM768");
  assert.match(log.at(-1) ?? "", /no post-quantum group offered \(P-256\)/);
  assert.deepEqual(
    [channels[0]?.profile, channels.at(-1)?.profile],
    ["transition", "hybrid"],
    "a link says what was in force when it was let in",
  );
  assert.equal(open.destroyed, false);
  open.destroy();
});

test("a profile that gains groups, or other ones, opens doors for them and shuts the others", async (t) => {
  const { doors, offering } = await scene(t);
  doors.setTerms(resolveProfile("cnsa-2.0"));
  assert.equal(await offering("X25519MLKEM768:X25519"), refused);
  assert.equal(await offering("X25519MLKEM768:SecP384r1MLKEM1024"), "SecP384r1MLKEM1024");
  doors.setTerms(resolveProfile("transition"));
  assert.equal(await offering("X25519MLKEM768:X25519"), "X25519MLKEM768");
  assert.equal(await offering("X25519"), "X25519");
});

test("certificates that are renewed after a change of profile are shown by the new doors", async (t) => {
  const { doors, address } = await scene(t);
  doors.setTerms(resolveProfile("hybrid"));
  const next = webCertificate("ecdsa");
  doors.renew([{ certificate: next.certificate, privateKey: next.key }]);
  doors.setTerms(resolveProfile("cnsa-2.0"));
  const link = tls.connect({
    host: "127.0.0.1",
    port: address.port,
    rejectUnauthorized: false,
    ecdhCurve: "SecP384r1MLKEM1024",
  });
  await once(link, "secureConnect");
  assert.equal(link.getPeerX509Certificate()?.fingerprint256, next.fingerprint);
  link.destroy();
});
