/**
 * The client suites with the gateway as the protected resource: for each scenario a gateway with a web listener before
 * the scenario's server, whose issuer is the scenario's authorization server. The client knows the gateway's URL alone.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import http from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { atEnd, type Cleanup } from "../support/cleanup.ts";
import { freePort } from "../support/free-port.ts";
import { temporaryFolder, testGateway } from "../support/gateway.ts";
import { recorded } from "../support/records.ts";
import { tokenIssuer } from "../support/token-issuer.ts";
import { webCertificate } from "../support/web-certificate.ts";
import { writeCertificate } from "../support/web-gateway.ts";
import { askServer, type GivenToken, introspection, type Wanted } from "./scenario-operator.ts";

const here = (file: string): string => fileURLToPath(new URL(file, import.meta.url));

/** More only wait for the processor, while scenarios measure time. */
const maxAtOnce = 4;

/** What no server says to somebody without a token: its documentation does. Narrow ones first. */
const documentedScopes: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "auth/scope-step-up": { "mcp:basic": "suite/", "mcp:write": "suite/*" },
};

interface Asked {
  /** The scenario's server. */
  readonly url: string;
  readonly environment: Readonly<Record<string, string>>;
}

interface Ended {
  readonly code: number;
  readonly stderr: string;
}

export interface ResourceWay {
  /** For `--command` of the suites. */
  readonly command: string;
  /** How many audit entries the gateways have written. */
  readonly entries: () => number;
}

export async function resourceWay(t: Cleanup): Promise<ResourceWay> {
  let entries = 0;
  const run = atMost(maxAtOnce, async (asked: Asked) => {
    const undo: (() => unknown)[] = [];
    try {
      return await runScenario({ after: (step) => void undo.push(step) }, asked, (n) => (entries += n));
    } finally {
      for (const step of undo.reverse()) await step();
    }
  });
  const server = http.createServer((request, response) => {
    void bodyOf(request)
      .then((body) => run(JSON.parse(body) as Asked))
      .catch((error: unknown): Ended => ({ code: 70, stderr: `The harness failed: ${String(error)}\n` }))
      .then((ended) => response.end(JSON.stringify(ended)));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  atEnd(t, () => {
    server.closeAllConnections();
    server.close();
  });
  const harness = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    command: `${process.execPath} ${here("resource-client.ts")} ${harness}`,
    entries: () => entries,
  };
}

async function runScenario(
  t: Cleanup,
  { url, environment }: Asked,
  count: (entries: number) => void,
): Promise<Ended> {
  const scenario = environment["MCP_CONFORMANCE_SCENARIO"] ?? "";
  const wanted: Wanted = scenario.startsWith("auth/") ? await askServer(url) : { scopes: [] };
  const folder = await temporaryFolder(t);
  const origin = `https://localhost:${await freePort()}`;
  const resource = `${origin}/mcp/suite`;
  const credential = path.join(folder, "credential");
  const certificate = webCertificate("ecdsa", "localhost");
  await writeCertificate(folder, 0, certificate);
  await writeFile(path.join(folder, "secret"), "secret");
  await writeFile(credential, "none-was-given-out");
  const introspects = await introspection(t, { audience: resource, credential });
  const tests = await tokenIssuer(t);
  const scopes = documentedScopes[scenario] ?? Object.fromEntries(wanted.scopes.map((s) => [s, "suite/*"]));
  const gateway = await testGateway(
    t,
    `
issuers:
  corp: { issuer: "${wanted.issuer ?? tests.url}", introspection: { url: "${introspects.url}", client_id: gateway, client_secret: { file: secret } } }
servers:
  suite: { url: "${url}"${wanted.issuer === undefined ? "" : ", auth: { kind: bearer, token: { file: credential } }"} }
policies:
  - name: clients
    callers: ["oauth:corp/client/*"]
    tools: ["*"]
    resources: ["*"]
    prompts: ["*"]
    effect: allow
    because: The suite's clients may use the suite's server.
`,
    { folder, listen: listenWith(origin, scopes) },
  );
  const token = { aud: resource, client_id: "client", sub: "client", jti: crypto.randomUUID() };
  const ended = await runClient({
    url: resource,
    given: introspects.given,
    environment: {
      ...environment,
      NODE_EXTRA_CA_CERTS: path.join(folder, "web0.pem"),
      ...(wanted.issuer === undefined && { FIXTURE_TOKEN: await tests.token(token, { typ: "at+jwt" }) }),
    },
  });
  await gateway.stop();
  count((await recorded(gateway)).length);
  return ended;
}

function listenWith(origin: string, scopes: Readonly<Record<string, string>>): string {
  const { port } = new URL(origin);
  const named = Object.entries(scopes).map(([scope, target]) => `"${scope}": ["${target}"]`);
  return `
  - 127.0.0.1:0
  - address: 127.0.0.1:${port}
    authentication: web-certificate
    url: ${origin}
    certificates: [{ certificate: web0.pem, key: web0.key }]
    issuers: [corp]
    sender_constraint: preferred
    ${named.length === 0 ? "" : `scopes: { ${named.join(", ")} }`}
`;
}

interface ClientRun {
  readonly url: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly given: (token: GivenToken) => void;
}

async function runClient({ url, environment, given }: ClientRun): Promise<Ended> {
  const child = fork(here("../fixture/client.ts"), [url], {
    execArgv: ["--import", here("report-tokens.ts")],
    env: { PATH: process.env["PATH"], ...environment },
    silent: true,
  });
  child.on("message", (token) => given(token as GivenToken));
  let stderr = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  child.stdout?.resume();
  const [code] = (await once(child, "close")) as [number | null];
  return { code: code ?? 70, stderr };
}

async function bodyOf(request: http.IncomingMessage): Promise<string> {
  return Buffer.concat(await Array.fromAsync(request as AsyncIterable<Buffer>)).toString();
}

/** Runs `work` for as many callers at once; the others wait for their turn. */
function atMost<A, R>(limit: number, work: (asked: A) => Promise<R>): (asked: A) => Promise<R> {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (asked) => {
    if (running >= limit) await new Promise<void>((resolve) => waiting.push(resolve));
    else running += 1;
    try {
      return await work(asked);
    } finally {
      const next = waiting.shift();
      if (next === undefined) running -= 1;
      else next();
    }
  };
}
