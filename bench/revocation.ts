/**
 * `node bench/revocation.ts [rounds]`: how long after `latticegate ca revoke` has ended an open link is closed, and a
 * call on a fresh one is refused; for a certificate as it was issued, and for one that was renewed meanwhile. The
 * gateway, the command and the client are processes of their own. Reading: docs/guide/bench.md.
 */
import { once } from "node:events";
import tls from "node:tls";

import { credentialsOf } from "../src/app/credentials.ts";
import { certificateFacts, parseCertificate } from "../src/crypto/certificate.ts";
import { generateKeyPair } from "../src/crypto/keys.ts";
import { createSigningRequest } from "../src/crypto/signing-request.ts";
import { resolveProfile } from "../src/crypto/suites/profiles.ts";
import { type EnrolledIdentity, join, renew } from "../src/host/net/enrol-client.ts";
import { clientTlsOptions } from "../src/host/net/tls.ts";
import { readJoinToken } from "../src/identity/join-token.ts";
import { median } from "../src/kernel/statistics.ts";
import { cli } from "../test/support/cli.ts";
import { gatewayProcess, type GatewayProcess } from "../test/support/gateway-process.ts";

const rounds = Number(process.argv[2] ?? 10);
/** Beyond this something is broken, and a figure would hide it. */
const deadlineMs = 10_000;
const profile = resolveProfile("hybrid");

interface Round {
  readonly commandMs: number;
  readonly closedMs: number;
  readonly refusedMs: number;
}

/** The command names the first serial in either case; only the certificate of the link differs. */
async function round(gateway: GatewayProcess, name: string, isRenewed: boolean): Promise<Round> {
  const { configFile, address } = gateway;
  const printed = await cli(["ca", "token", "--config", configFile, "--for", `agent/${name}`]);
  if (printed.code !== 0) throw new Error(printed.stderr);
  const key = generateKeyPair(profile.identity);
  const first = await join(readJoinToken(printed.stdout.trim()), createSigningRequest(key), profile);
  const known = { address, serverRoots: first.server_roots, spiffeId: first.gateway };
  const old = { certificate: first.certificate, csr: createSigningRequest(key) };
  const identity = isRenewed ? await renew(known, profile, old) : first;
  const open = (): tls.TLSSocket => linkTo(address, identity, key);
  const link = open();
  if (!(await isAnswered(link))) throw new Error("the link was cut before anything was revoked");
  let closedAt: number | undefined;
  link.once("close", () => (closedAt = performance.now()));
  const began = performance.now();
  const revoked = await cli(["ca", "revoke", "--config", configFile, serialOf(first)]);
  const ended = performance.now();
  if (revoked.code !== 0) throw new Error(revoked.stdout + revoked.stderr);
  while (await isAnswered(open()))
    if (performance.now() - ended > deadlineMs) throw new Error("never refused");
  const refusedMs = performance.now() - ended;
  if (closedAt === undefined) await once(link, "close", { signal: AbortSignal.timeout(deadlineMs) });
  return { commandMs: ended - began, closedMs: (closedAt ?? performance.now()) - ended, refusedMs };
}

type KeyPair = ReturnType<typeof generateKeyPair>;

function linkTo(address: string, identity: EnrolledIdentity, key: KeyPair): tls.TLSSocket {
  const [host = "", port = ""] = address.split(":");
  const link = tls.connect({
    ...clientTlsOptions({
      profile,
      serverRoots: identity.server_roots,
      peerSpiffeId: identity.gateway,
      credentials: credentialsOf(key, identity.certificate),
    }),
    host,
    port: Number(port),
  });
  return link.on("error", () => undefined);
}

/** Whether a call on the link gets an answer that isn't about who asks. */
async function isAnswered(link: tls.TLSSocket): Promise<boolean> {
  link.write("GET /mcp/none HTTP/1.1\r\nHost: x\r\n\r\n");
  const answer = once(link, "data").then(([bytes]: Buffer[]) => !String(bytes).startsWith("HTTP/1.1 401"));
  return await Promise.race([answer, once(link, "close").then(() => false)]).catch(() => false);
}

function serialOf({ certificate }: EnrolledIdentity): string {
  const parsed = parseCertificate(certificate);
  if (parsed === undefined) throw new Error("the gateway's certificate can't be read");
  return certificateFacts(parsed).serial;
}

function row(name: string, values: readonly number[]): string {
  const figures = [Math.min(...values), median(values), Math.max(...values)];
  return `${name.padEnd(52)}${figures.map((ms) => ms.toFixed(0).padStart(8)).join("")}`;
}

const undo: (() => unknown)[] = [];
try {
  const gateway = await gatewayProcess({ after: (act) => void undo.push(act) }, "servers: {}");
  console.log(`${rounds} rounds, milliseconds after the command's exit${"".padEnd(12)}min  median     max`);
  for (const [what, isRenewed] of [
    ["as issued", false],
    ["renewed", true],
  ] as const) {
    const results: Round[] = [];
    for (let n = 0; n < rounds; n++) results.push(await round(gateway, `${what.slice(0, 2)}${n}`, isRenewed));
    console.log(
      row(
        `${what}: open link closed`,
        results.map(({ closedMs }) => closedMs),
      ),
    );
    console.log(
      row(
        `${what}: call on a fresh link refused`,
        results.map(({ refusedMs }) => refusedMs),
      ),
    );
    console.log(
      row(
        `${what}: the command itself, from its start`,
        results.map(({ commandMs }) => commandMs),
      ),
    );
  }
} finally {
  for (const act of undo.reverse()) await act();
}
