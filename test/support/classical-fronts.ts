/** nginx and caddy as Debian has them, in front of an HTTP server on loopback, with configurations and certificates of their own. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";

import { outsideAuthority } from "./certificates.ts";
import { atEnd, type Cleanup } from "./cleanup.ts";
import { installed } from "./debian.ts";
import { freePort } from "./free-port.ts";

export const frontPrograms = ["nginx", "caddy"] as const;
type Front = (typeof frontPrograms)[number];

/** @returns why it can't be had */
export function whyNoFront(program: Front): string | undefined {
  return installed(program, program);
}

/** @returns the port it listens on, once it does */
export async function classicalFront(t: Cleanup, program: Front, behind: number): Promise<number> {
  const folder = mkdtempSync(path.join(tmpdir(), `latticegate-${program}-`));
  const port = await freePort();
  const issued = outsideAuthority("Acme Fronts").issue(program, "rsa-2048");
  const write = (name: string, text: string): string => {
    const file = path.join(folder, name);
    writeFileSync(file, text, { mode: 0o600 });
    return file;
  };
  const files = {
    folder,
    port,
    behind,
    certificate: write("cert.pem", issued.certificate),
    key: write("key.pem", issued.key),
  };
  const args =
    program === "nginx"
      ? ["-p", folder, "-c", write("nginx.conf", nginxConfig(files)), "-g", "daemon off;"]
      : ["run", "--adapter", "caddyfile", "--config", write("Caddyfile", caddyConfig(files))];
  const child = spawn(program, args, {
    stdio: "ignore",
    env: { PATH: `${process.env["PATH"] ?? ""}:/usr/sbin`, HOME: folder, XDG_DATA_HOME: folder },
  });
  atEnd(t, async () => {
    if (child.exitCode === null) {
      child.kill("SIGTERM");
      await once(child, "exit");
    }
    rmSync(folder, { recursive: true, force: true });
  });
  while (!(await isListening(port))) {
    if (child.exitCode !== null) throw new Error(`${program} ended with ${child.exitCode}`);
    await pause(50);
  }
  return port;
}

interface Files {
  readonly folder: string;
  readonly port: number;
  readonly behind: number;
  readonly certificate: string;
  readonly key: string;
}

function nginxConfig({ folder, port, behind, certificate, key }: Files): string {
  return `
    pid ${folder}/nginx.pid; error_log /dev/null; worker_processes 1;
    events { worker_connections 64; }
    http {
      access_log off; client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy;
      fastcgi_temp_path ${folder}/fastcgi; uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;
      server {
        listen 127.0.0.1:${port} ssl;
        ssl_certificate ${certificate}; ssl_certificate_key ${key};
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_ciphers ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-AES128-GCM-SHA256;
        location / { proxy_pass http://127.0.0.1:${behind}; }
      }
    }
  `;
}

function caddyConfig({ port, behind, certificate, key }: Files): string {
  return `{
    admin off
    auto_https off
    log {
        output discard
    }
    default_sni 127.0.0.1
}
https://127.0.0.1:${port} {
    bind 127.0.0.1
    tls ${certificate} ${key}
    reverse_proxy 127.0.0.1:${behind}
}
`;
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1");
    const settle = (is: boolean) => (): void => {
      socket.destroy();
      resolve(is);
    };
    socket.once("connect", settle(true));
    socket.once("error", settle(false));
  });
}
