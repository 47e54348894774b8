/** Who is measured, and how each is started: in front of the same stub, over HTTP or as its stdio child. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import net from "node:net";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { createSigningRequest } from "../src/crypto/signing-request.ts";
import { generateKeyPair } from "../src/crypto/keys.ts";
import { resolveProfile } from "../src/crypto/suites/profiles.ts";
import { signatureSuite } from "../src/crypto/suites/signatures.ts";
import { credentialsOf } from "../src/app/credentials.ts";
import { join } from "../src/host/net/enrol-client.ts";
import { readJoinToken } from "../src/identity/join-token.ts";
import { atEnd, type Cleanup } from "../test/support/cleanup.ts";
import { cli, latticegate, startProcess } from "../test/support/cli.ts";
import type { Target } from "./load.ts";
import { childrenOf } from "./machine.ts";

export interface Contestant {
  readonly name: string;
  readonly target: Target;
  /** The processes whose CPU time and memory count. */
  readonly pids: readonly number[];
}

export interface Setting {
  readonly t: Cleanup;
  readonly folder: string;
  readonly stubUrl: string;
  readonly stubPid: number;
}

const root = fileURLToPath(new URL("..", import.meta.url));
const here = (file: string): string => path.join(root, "bench", file);
const bin = (...parts: string[]): string => path.join(root, "node_modules", ...parts);
const node = process.execPath;
const stubCommand = [node, here("stub.ts"), "--stdio"] as const;

/** What is measured runs on one core, the load and the stub on the other. */
export const onLoadCore = pinned("0");
export const onMeasuredCore = pinned("1");

function pinned(core: string): readonly string[] {
  return spawnSync("taskset", ["-c", core, "true"]).status === 0 ? ["taskset", "-c", core] : [];
}

export async function startPinned(
  t: Cleanup,
  core: readonly string[],
  command: readonly string[],
  ready: RegExp = /^ready$/,
): ReturnType<typeof startProcess> {
  const [program = "", ...args] = [...core, ...command];
  return await startProcess(t, [program, ...args], ready);
}

export function direct({ stubUrl, stubPid }: Setting): Contestant {
  return { name: "the server itself, direct", target: { url: stubUrl }, pids: [stubPid] };
}

export async function pipe({ t, stubUrl }: Setting): Promise<Contestant> {
  const port = await freePort();
  const upstream = new URL(stubUrl).port;
  const started = await startPinned(t, onMeasuredCore, [node, here("pipe.ts"), String(port), upstream]);
  return {
    name: "a pipe of bytes, no TLS",
    target: { url: `http://127.0.0.1:${port}/mcp` },
    pids: [started.process.pid ?? 0],
  };
}

export async function nginx(setting: Setting, withTls: boolean): Promise<Contestant> {
  const { t, folder, stubUrl } = setting;
  const port = await freePort();
  const certificate = withTls ? await classicalCertificate(folder) : undefined;
  const place = path.join(folder, `nginx-${port}`);
  await mkdir(place);
  const listen = certificate
    ? `listen 127.0.0.1:${port} ssl; ssl_certificate ${certificate.cert}; ssl_certificate_key ${certificate.key};
       ssl_protocols TLSv1.3; ssl_ecdh_curve X25519;`
    : `listen 127.0.0.1:${port};`;
  await writeFile(
    path.join(place, "nginx.conf"),
    `worker_processes 1; pid ${place}/pid; error_log ${place}/error.log; daemon off;
events { worker_connections 256; }
http {
  access_log off; client_body_temp_path ${place}; proxy_temp_path ${place}; fastcgi_temp_path ${place};
  uwsgi_temp_path ${place}; scgi_temp_path ${place}; keepalive_requests 1000000;
  upstream stub { server ${new URL(stubUrl).host}; keepalive 64; keepalive_requests 1000000; }
  server { ${listen} location / { proxy_pass http://stub; proxy_http_version 1.1; proxy_set_header Connection ""; } }
}
`,
  );
  const command = [...onMeasuredCore, "nginx", "-c", path.join(place, "nginx.conf")];
  const started = await startListening(t, command, port);
  const scheme = withTls ? "https" : "http";
  return {
    name: withTls ? "nginx, classical TLS 1.3" : "nginx, no TLS",
    target: {
      url: `${scheme}://127.0.0.1:${port}/mcp`,
      ...(certificate && { tls: { ca: await readFile(certificate.cert, "utf8"), group: "X25519" } }),
    },
    pids: [started, ...childrenOf(started)],
  };
}

/** @param upstream how the gateway reaches the stub */
export async function gateway(
  setting: Setting,
  upstream: "http" | "stdio",
  options: {
    readonly nodeFlags?: readonly string[];
    /** What the config says beyond the rest, and of the server beyond its place. */
    readonly config?: object;
    readonly server?: object;
    readonly core?: readonly string[];
    /** Told the state folder before the gateway starts. */
    readonly prepare?: (state: string) => void;
  } = {},
): Promise<
  Contestant & { readonly configFile: string; readonly address: string; readonly stop: () => Promise<number> }
> {
  const { t } = setting;
  const folder = path.join(setting.folder, `gateway-${upstream}-${await freePort()}`);
  await mkdir(folder);
  const configFile = path.join(folder, "latticegate.yaml");
  const place = upstream === "http" ? { url: setting.stubUrl } : { command: stubCommand };
  const server = { ...place, ...options.server };
  const more = Object.entries(options.config ?? {}).map(
    ([key, value]) => `${key}: ${JSON.stringify(value)}\n`,
  );
  await writeFile(
    configFile,
    `state: ./state
listen: 127.0.0.1:0
dashboard: "off"
servers: { stub: ${JSON.stringify(server)} }
${more.join("")}policies:
  - name: bench
    callers: ["spiffe://latticegate.local/agent/*"]
    tools: ["stub/*"]
    effect: allow
    because: The load may call the stub.
`,
  );
  if (options.prepare !== undefined) {
    const state = path.join(folder, "state");
    await mkdir(state, { mode: 0o700 });
    options.prepare(state);
  }
  const command = [node, ...(options.nodeFlags ?? []), ...latticegate(["up", "--config", configFile])];
  const core = options.core ?? onMeasuredCore;
  const started = await startPinned(t, core, command, /^Latticegate is up at (\S+)$/);
  const address = started.groups[0] ?? "";
  const token = await joinToken(configFile, "agent/load");
  const key = generateKeyPair(signatureSuite("ML-DSA-65"));
  const identity = await join(readJoinToken(token), createSigningRequest(key), resolveProfile("hybrid"));
  const { certificate, privateKey } = credentialsOf(key, identity.certificate);
  return {
    name: `Latticegate${upstream === "stdio" ? " → stdio" : ""}: hybrid TLS, ML-DSA, policy, audit log`,
    target: {
      url: `https://${address}/mcp/stub`,
      tls: {
        ca: identity.server_roots.join(""),
        group: "X25519MLKEM768",
        certificate,
        key: privateKey,
        peer: identity.gateway,
      },
    },
    pids: [started.process.pid ?? 0],
    configFile,
    address,
    stop: () => started.stop(),
  };
}

/** The way a client without TLS takes: sidecar, tunnel, gateway; both processes count. */
export async function sidecar(setting: Setting): Promise<Contestant> {
  const behind = await gateway(setting, "http");
  const token = await joinToken(behind.configFile, "agent/sidecar");
  const state = path.join(path.dirname(behind.configFile), "sidecar");
  const command = [
    node,
    ...latticegate(["connect", "stub", "--join", token, "--state", state, "--http", "0"]),
  ];
  const started = await startPinned(setting.t, onMeasuredCore, command, / is at (http:\S+)$/);
  return {
    name: "Latticegate, with a sidecar in front",
    target: { url: started.groups[0] ?? "" },
    pids: [started.process.pid ?? 0, ...behind.pids],
  };
}

export async function mcpProxy({ t }: Setting): Promise<Contestant> {
  const port = await freePort();
  const program = bin("mcp-proxy", "dist", "bin", "mcp-proxy.mjs");
  const options = ["--host", "127.0.0.1", "--port", String(port), "--server", "stream", "--"];
  const pid = await startListening(t, [...onMeasuredCore, node, program, ...options, ...stubCommand], port);
  return { name: "mcp-proxy → stdio", target: { url: `http://127.0.0.1:${port}/mcp` }, pids: [pid] };
}

export async function supergateway({ t }: Setting): Promise<Contestant> {
  const port = await freePort();
  const program = bin("supergateway", "dist", "index.js");
  const options = ["--stdio", stubCommand.join(" "), "--outputTransport", "streamableHttp", "--stateful"];
  const rest = ["--port", String(port), "--logLevel", "none"];
  const pid = await startListening(t, [...onMeasuredCore, node, program, ...options, ...rest], port);
  return { name: "supergateway → stdio", target: { url: `http://127.0.0.1:${port}/mcp` }, pids: [pid] };
}

export async function classicalTls({ t, folder }: Setting): Promise<Contestant> {
  const port = await freePort();
  const { cert, key } = await classicalCertificate(folder);
  const started = await startPinned(t, onMeasuredCore, [
    node,
    here("classical-tls.ts"),
    String(port),
    cert,
    key,
  ]);
  const pem = await readFile(cert, "utf8");
  return {
    name: "node:tls: X25519, ECDSA P-256, mutual",
    target: {
      url: `https://127.0.0.1:${port}`,
      tls: { ca: pem, group: "X25519", certificate: pem, key: await readFile(key, "utf8") },
    },
    pids: [started.process.pid ?? 0],
  };
}

export async function joinToken(configFile: string, name: string): Promise<string> {
  const made = await cli(["ca", "token", "--config", configFile, "--for", name]);
  if (made.code !== 0) throw new Error(made.stderr);
  return made.stdout.trim();
}

/** ECDSA P-256, self-signed, for localhost and 127.0.0.1. */
async function classicalCertificate(
  folder: string,
): Promise<{ readonly cert: string; readonly key: string }> {
  const [cert, key] = [path.join(folder, "classical.pem"), path.join(folder, "classical.key")];
  if (!existsSync(cert)) {
    const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    const names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
    const made = spawnSync("openssl", ["req", "-x509", ...curve, ...names, "-keyout", key, "-out", cert]);
    if (made.status !== 0) throw new Error(`openssl: ${String(made.stderr)}`);
  }
  return { cert, key };
}

export async function freePort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** Starts a program that doesn't say when it is ready: its port does. @returns its pid */
async function startListening(t: Cleanup, command: readonly string[], port: number): Promise<number> {
  // The shell's one line makes it ready at once; `exec` keeps the pid.
  const line = ["sh", "-c", 'echo ready; exec "$@"', "sh", ...command] as const;
  const started = await startProcess(t, line, /^ready$/);
  atEnd(t, () => started.stop()); // Asked first, so that its own children end too.
  for (let tries = 0; tries < 200; tries++) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = net.connect(port, "127.0.0.1");
      socket.once("connect", () => (socket.destroy(), resolve(true)));
      socket.once("error", () => resolve(false));
    });
    if (isOpen) return started.process.pid ?? 0;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${command.join(" ")} never listened: ${started.stderr()}`);
}
