/** `latticegate doctor`: what works, what doesn't, and what to do about it. */
import { statSync } from "node:fs";

import { certificateFacts, parseCertificate } from "../crypto/certificate.ts";
import { generateKeyPair } from "../crypto/keys.ts";
import { hostAndPort } from "../host/net/listen.ts";
import { readIfThere } from "../host/store/files.ts";
import type { Clock } from "../kernel/clock.ts";
import { Refusal } from "../kernel/refusal.ts";
import { runningGateway } from "./certificate-authority.ts";
import { type Config, fixedServers } from "./config.ts";
import { cryptographyInForce } from "./cryptography.ts";
import { verifyLogFolder } from "./log-verification.ts";
import { probeServer } from "./mcp-probe.ts";
import { outletFindings } from "./outlets/doctor-outlets.ts";
import { pathFactText, readPathFacts } from "./path-facts.ts";
import { openOperatorTunnel } from "./operator-tunnel.ts";
import { classicalVerdict } from "./classical-probe.ts";
import { gateNotes } from "./server-gate.ts";
import { peerFindings } from "./peer/doctor-peers.ts";
import { bundleFindings } from "./policy/doctor-bundle.ts";
import { signatureFindings } from "./signatures/doctor-signatures.ts";
import { signerFindings } from "./signer/doctor-signer.ts";
import { statePaths } from "./state-folder.ts";
import { reportedIncidents } from "./witness-records.ts";

export interface Finding {
  readonly level: "ok" | "warn" | "wrong" | "skipped";
  readonly what: string;
  readonly text: string;
  /** What to do; absent where nothing needs doing. */
  readonly remedy?: string;
}

export interface Examination {
  readonly config: Config;
  readonly clock: Clock;
}

/** Each check on its own: one that fails tells, and doesn't keep the others from being made. */
export async function* examine(examination: Examination): AsyncGenerator<Finding> {
  yield runtime(examination.config);
  yield* await attempt("cryptography", () => cryptographyInForce(examination.config, examination.clock));
  yield stateFolder(examination.config);
  yield* await attempt("certificates", () => certificates(examination));
  yield* await attempt("signer", () => signerFindings(examination.config));
  yield* await attempt("log", () => auditLog(examination));
  yield* await attempt("witnesses", () => witnesses(examination));
  yield* await attempt("policies", () => Promise.resolve(bundleFindings(examination)));
  yield* await attempt("message keys", () => signatureFindings(examination.config.state));
  const running = await runningGateway(examination.config.state);
  if (running === undefined) {
    yield {
      level: "wrong",
      what: "listener",
      text: "the gateway isn't running",
      remedy: 'start it with "latticegate up"',
    };
    return;
  }
  if (running.observes === true) yield observed;
  yield* await attempt("listener", () => listener(running.listen));
  yield* servers(examination, running.listen);
  yield* await attempt("peers", () => peerFindings(examination.config));
  yield* await attempt("paths", () => paths(examination.config));
  yield* await attempt("outlets", () => outletFindings(examination.config));
  for (const text of gateNotes(examination.config)) yield { level: "warn", what: "gate", text };
  for (const part of examination.config.notYet) {
    yield { level: "warn", what: "config", text: `${part.at} isn't carried out: ${part.because}` };
  }
}

const observed: Finding = {
  level: "warn",
  what: "policies",
  text: "no rule is enforced: the gateway was started with --observe",
  remedy: 'draft rules with "latticegate policy suggest", and start it without --observe',
};

async function attempt(what: string, check: () => Promise<readonly Finding[]>): Promise<readonly Finding[]> {
  try {
    return await check();
  } catch (error) {
    return [{ level: "wrong", what, text: error instanceof Error ? error.message : "unknown failure" }];
  }
}

function runtime({ profile }: Config): Finding {
  const { node, openssl } = process.versions;
  try {
    generateKeyPair(profile.identity);
  } catch {
    return {
      level: "wrong",
      what: "runtime",
      text: `Node ${node} with OpenSSL ${openssl} has no ML-DSA`,
      remedy: "run the Node that comes with this package (npm install), 26 or newer",
    };
  }
  return {
    level: "ok",
    what: "runtime",
    text: `Node ${node}, OpenSSL ${openssl}: ML-KEM and ML-DSA work`,
  };
}

/** What sidecars found when they looked at the log, and nobody accepted there. */
async function witnesses({ config: { state } }: Examination): Promise<readonly Finding[]> {
  return (await reportedIncidents(state)).map(({ kind, says, spiffe_id: by, at }) => ({
    level: "wrong",
    what: "witnesses",
    text: `${by} reported ${kind} at ${at}: ${says}`,
    remedy: 'see docs/guide/witnesses.md; once that is understood, "latticegate audit witness accept" there',
  }));
}

/** A path that needs a detour works, and costs a round trip or long packets; whoever runs it can repair it. */
async function paths({ state }: Config): Promise<readonly Finding[]> {
  return (await readPathFacts(state)).map((fact) => ({
    level: "warn",
    what: "path",
    text: pathFactText(fact),
    remedy: "see docs/guide/paths.md for what on the path does that",
  }));
}

function stateFolder(config: Config): Finding {
  const stat = statSync(config.state, { throwIfNoEntry: false });
  const what = "state";
  if (stat === undefined) {
    return {
      level: "wrong",
      what,
      text: `${config.state} isn't there`,
      remedy: 'make it with "latticegate up"',
    };
  }
  if ((stat.mode & 0o077) !== 0) {
    return {
      level: "wrong",
      what,
      text: `${config.state} is open to others`,
      remedy: `chmod 700 ${config.state}`,
    };
  }
  return { level: "ok", what, text: `${config.state}, mode 0700` };
}

async function certificates({ config, clock }: Examination): Promise<readonly Finding[]> {
  const paths = statePaths(config.state);
  const now = clock.nowUnixMs();
  const findings: Finding[] = [];
  for (const [what, file] of [
    ["server root", paths.serverRoot],
    ["client root", paths.clientRoot],
  ] as const) {
    const certificate = parseCertificate((await readIfThere(file)) ?? "");
    if (certificate === undefined) {
      findings.push({
        level: "wrong",
        what,
        text: `${file} is missing or unreadable`,
        remedy: "restore it from a backup",
      });
      continue;
    }
    const { notBeforeUnixMs, notAfterUnixMs, keyAlgorithm } = certificateFacts(certificate);
    const until = new Date(notAfterUnixMs).toISOString().slice(0, 10);
    if (now < notBeforeUnixMs) {
      findings.push({
        level: "wrong",
        what: "clock",
        text: `this machine's clock is before the ${what} was made`,
        remedy: "set the clock",
      });
    } else if (now > notAfterUnixMs) {
      findings.push({
        level: "wrong",
        what,
        text: `it ended on ${until}`,
        remedy: "start with a new state folder and join the sidecars again",
      });
    } else {
      findings.push({ level: "ok", what, text: `${keyAlgorithm}, until ${until}` });
    }
  }
  return findings;
}

const survived = { process: "the death of the gateway", power: "a loss of power" } as const;

async function auditLog({ config, clock }: Examination): Promise<readonly Finding[]> {
  const paths = statePaths(config.state);
  const verdict = await verifyLogFolder({ folder: paths.log, key: paths.logKey });
  if (verdict.kind === "broken") {
    return verdict.findings.map(({ what, text }) => ({
      level: "wrong",
      what: "log",
      text: `${what}: ${text}`,
      remedy: "keep the folder as evidence and compare it with an off-site copy",
    }));
  }
  const ok: Finding = {
    level: "ok",
    what: "log",
    text: `${verdict.size} entries, whole; last head ${verdict.headAt}; entries survive ${survived[config.audit.durability]}`,
  };
  if ((verdict.headAtUnixMs ?? 0) <= clock.nowUnixMs() + 60_000) return [ok];
  return [
    ok,
    {
      level: "wrong",
      what: "clock",
      text: "the last head of the log lies in the future",
      remedy: "set the clock",
    },
  ];
}

async function listener(address: string): Promise<readonly Finding[]> {
  const verdict = await classicalVerdict(hostAndPort(address));
  return verdict === "refused"
    ? [{ level: "ok", what: "listener", text: `${address} refuses classical key exchange` }]
    : [
        {
          level: "wrong",
          what: "listener",
          text: `${address} ${verdict}`,
          remedy: "find out what listens there",
        },
      ];
}

/** The handshake and a real call to each server, by the same way every client takes. */
async function* servers({ config, clock }: Examination, address: string): AsyncGenerator<Finding> {
  const tunnel = await openOperatorTunnel(config, address, clock).catch((error: unknown) => error);
  if (!isTunnel(tunnel)) {
    const text = tunnel instanceof Error ? tunnel.message : "unknown failure";
    yield { level: "wrong", what: "handshake", text, remedy: "look at the gateway's log" };
    return;
  }
  yield { level: "ok", what: "handshake", text: `post-quantum link to ${address}, identity issued` };
  for (const [what, server] of Object.entries(config.servers)) {
    if (!("forward" in server)) continue;
    yield { level: "skipped", what, text: "clients name where they go, so there is nothing to call" };
  }
  for (const [name, server] of fixedServers(config.servers)) {
    yield await probeServer(tunnel.to(name), server.probe).then(
      (result): Finding =>
        result.toolWorked === false
          ? { level: "wrong", what: name, text: `${server.probe?.tool ?? ""} answered with an error` }
          : {
              level: "ok",
              what: name,
              text: `${result.serverName}, ${result.tools} tools${result.toolWorked === true ? `, ${server.probe?.tool ?? ""} called` : ""}`,
            },
      (error: unknown): Finding => ({
        level: "wrong",
        what: name,
        text: error instanceof Refusal ? error.message : String(error),
        remedy: remedyOf(name, config),
      }),
    );
  }
  await tunnel.close();
}

/** Only a process of the gateway's own has a file for what it says beside its answers. */
function remedyOf(name: string, { servers, state }: Config): string {
  const server = servers[name];
  return server !== undefined && "command" in server
    ? `look at ${statePaths(state).servers}/${name}.stderr.log, or start the server by hand`
    : "see that the server runs, and that this machine reaches it";
}

type Tunnel = Awaited<ReturnType<typeof openOperatorTunnel>>;

function isTunnel(value: unknown): value is Tunnel {
  return typeof value === "object" && value !== null && "to" in value;
}
