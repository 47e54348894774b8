/** A real syslog server, rsyslog from Debian, over TLS on loopback with a configuration and a file of its own. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import tls from "node:tls";

import type { OutletTls } from "../../src/host/outlets/outlet-tls.ts";
import { outsideAuthority } from "./certificates.ts";
import { atEnd, type Cleanup } from "./cleanup.ts";
import { installed } from "./debian.ts";
import { freePort } from "./free-port.ts";

export interface Rsyslog {
  readonly port: number;
  /** What a client needs: the server's authority, and a certificate of its own, which is asked for. */
  readonly tls: OutletTls;
  /** Resolves when it takes connections. */
  readonly start: () => Promise<void>;
  /** At once, with whatever it holds. */
  readonly kill: () => Promise<void>;
  /** The messages in its file. */
  readonly lines: () => readonly string[];
}

/** @returns why it can't be had */
export function whyNoRsyslog(): string | undefined {
  return installed("rsyslogd", "rsyslog") ?? whyNoTls();
}

function whyNoTls(): string | undefined {
  const driver = "/usr/lib/x86_64-linux-gnu/rsyslog/lmnsd_ossl.so";
  const other = driver.replace("x86_64", "aarch64");
  // What is asked for isn't a program, so the package's own name finds none.
  if (!existsSync(driver) && !existsSync(other)) installed("rsyslog-openssl", "rsyslog-openssl");
  return existsSync(driver) || existsSync(other) ? undefined : "rsyslog-openssl can't be installed";
}

export async function rsyslog(t: Cleanup): Promise<Rsyslog> {
  const folder = mkdtempSync(path.join(tmpdir(), "latticegate-rsyslog-"));
  const port = await freePort();
  const authority = outsideAuthority("Acme SIEM");
  const server = authority.issue("siem");
  const client = authority.issue("gateway");
  const write = (name: string, text: string): string => {
    const file = path.join(folder, name);
    writeFileSync(file, text, { mode: 0o600 });
    return file;
  };
  const file = path.join(folder, "received");
  const config = write(
    "rsyslog.conf",
    `global(
      workDirectory="${folder}" defaultNetstreamDriver="ossl"
      defaultNetstreamDriverCAFile="${write("ca.pem", authority.certificate)}"
      defaultNetstreamDriverCertFile="${write("cert.pem", server.certificate)}"
      defaultNetstreamDriverKeyFile="${write("key.pem", server.key)}"
    )
    main_queue(queue.type="Direct")
    module(load="imtcp" streamDriver.name="ossl" streamDriver.mode="1" streamDriver.authMode="x509/certvalid")
    input(type="imtcp" address="127.0.0.1" port="${port}")
    template(name="bare" type="string" string="%msg:::drop-last-lf%\\n")
    action(type="omfile" file="${file}" template="bare")
    `,
  );
  let child: ChildProcess | undefined;
  const kill = async (): Promise<void> => {
    const dying = child;
    child = undefined;
    if (dying === undefined || dying.exitCode !== null) return;
    dying.kill("SIGKILL");
    await once(dying, "exit");
  };
  atEnd(t, kill);
  const secure = { ca: authority.certificate, certificate: client.certificate, key: client.key };
  const start = async (): Promise<void> => {
    const PATH = `${process.env["PATH"] ?? ""}:/usr/sbin`;
    child = spawn("rsyslogd", ["-n", "-f", config, "-iNONE"], {
      stdio: "ignore",
      env: { ...process.env, PATH },
    });
    for (let tries = 0; tries < 200; tries++) {
      if (await takesLinks(port, secure)) return;
      await pause(50);
    }
    throw new Error("rsyslog doesn't take connections");
  };
  const lines = (): readonly string[] =>
    existsSync(file) ? readFileSync(file, "utf8").split("\n").slice(0, -1) : [];
  return { port, tls: secure, start, kill, lines };
}

function takesLinks(port: number, { ca, certificate, key }: OutletTls): Promise<boolean> {
  return new Promise((resolve) => {
    const own = { ...(ca && { ca }), ...(certificate && { cert: certificate }), ...(key && { key }) };
    const socket = tls.connect({ host: "127.0.0.1", port, ...own }, () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}
