/** What a running gateway must refuse, tried at its own doors. Nothing here calls a tool that exists. */
import { stat } from "node:fs/promises";
import http from "node:http";

import { generateKeyPair, signingKey } from "../../crypto/keys.ts";
import { join } from "../../host/net/enrol-client.ts";
import { hostAndPort } from "../../host/net/listen.ts";
import { clientTlsOptions } from "../../host/net/tls.ts";
import { createRoot, issueSvid } from "../../identity/authority.ts";
import { spiffeId } from "../../identity/spiffe-id.ts";
import { Refusal, type RefusalCode, refusalRow } from "../../kernel/refusal.ts";
import { revokeCertificates } from "../certificate-authority.ts";
import { classicalVerdict } from "../classical-probe.ts";
import { credentialsOf } from "../credentials.ts";
import { assessPath } from "../doctor-rule.ts";
import { openOperatorTunnel } from "../operator-tunnel.ts";
import { foreignToken } from "./foreign-token.ts";
import { replayedCall } from "./replayed-call.ts";
import { tamperedLog } from "./tampered-log.ts";
import { wideDelegation } from "./wide-delegation.ts";
import {
  ask,
  type Asked,
  failed,
  isRefusal,
  modernCall,
  noSuchTool,
  mustBeCut,
  passed,
  sayOverTls,
  sayPlainly,
  skipped,
  someProcess,
  someServer,
  type TestOutcome,
  type TestScene,
  within,
} from "./test-scene.ts";

type Try = (scene: TestScene) => Promise<TestOutcome>;

const ping = '{"jsonrpc":"2.0","id":1,"method":"ping"}';
const asHttp = `POST /mcp/assess HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\nContent-Length: ${ping.length}\r\n\r\n${ping}`;

const noServer = skipped("the config has no server to ask for");
const noSuchServer = "latticegate-assess-no-such-server";
const deepest = 5000;
/** Longer ones would cost the gateway more than the test is worth. */
const longestTried = 64 * 1024 * 1024;

/** In this order: the last one ends the identity that the others use. */
export const refusalTests = {
  "plain-http": async ({ run }) => mustBeCut(await sayPlainly(run.listen, asHttp)),
  "tls-1.2": async ({ run }) => {
    const options = { minVersion: "TLSv1.2", maxVersion: "TLSv1.2", rejectUnauthorized: false } as const;
    return mustBeCut(await sayOverTls(run.listen, options, asHttp));
  },
  "classical-only": async ({ run }) => {
    const verdict = await classicalVerdict(hostAndPort(run.listen));
    if (verdict === "refused") return passed("a fatal alert");
    return verdict.startsWith("takes") ? failed(verdict) : skipped(verdict);
  },
  "no-certificate": async ({ run, identity: { tls } }) => {
    const { credentials: _, ...nobody } = tls;
    const options = clientTlsOptions({ ...nobody, alpn: "http/1.1" });
    return mustBeCut(await sayOverTls(run.listen, options, asHttp));
  },
  "foreign-certificate": async ({ run, identity: { tls }, config, clock }) => {
    const credentials = await foreignCredentials(
      config.trust_domain,
      tls.profile.identities[0],
      clock.nowUnixMs(),
    );
    return mustBeCut(await sayOverTls(run.listen, clientTlsOptions({ ...tls, credentials }), asHttp));
  },
  "join-token-twice": async ({ identity: { token, csr, terms } }) => {
    const again = await join(token, csr, terms).catch((error: unknown) => error);
    if (!isRefusal(again))
      return again instanceof Error ? skipped(again.message) : failed("it was taken again");
    return again.code === "bad_join_token" ? passed(again.message) : skipped(again.message);
  },
  "unknown-server": async (scene) => refusedAs("no_such_server", await ask(scene, noSuchServer, ping)),
  "tool-without-rule": async (scene) => {
    const server = someServer(scene.config);
    if (server === undefined) return noServer;
    const { body, headers } = modernCall("tools/call", { name: noSuchTool, arguments: {} });
    const asked = await ask(scene, server, body, headers).catch((error: unknown) => error);
    // Whatever else became of it was after it had been let through.
    if (asked instanceof Error) return failed(`it went on to the server: ${asked.message}`);
    const { status, denial, message } = asked as Asked;
    const isDenied = status === 200 && denial === "insufficient_authorization";
    return isDenied ? passed(message) : failed(`status ${status}: ${message}`);
  },
  "wide-delegation": wideDelegation,
  "foreign-token": foreignToken,
  "malformed-json": async (scene) => await refusedBody(scene, '{"jsonrpc":"2.0","id":1,'),
  "deep-json": async (scene) => {
    const depths = `${"[".repeat(deepest)}${"]".repeat(deepest)}`;
    return await refusedBody(scene, `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"deep":${depths}}}`);
  },
  "long-request": async (scene) => {
    const server = someServer(scene.config);
    if (server === undefined) return noServer;
    const bytes = scene.config.limits.request + 1;
    if (bytes > longestTried) return skipped(`the config allows ${bytes - 1} bytes, more than is tried`);
    const body = Buffer.alloc(bytes, 0x20);
    return await ask(scene, server, body).then(
      (asked) => refusedAs("too_large", asked),
      // Whoever refuses by the length needn't read on.
      (error: unknown) => (isRefusal(error) ? passed("the connection was closed") : Promise.reject(error)),
    );
  },
  "header-mismatch": async (scene) => {
    const { body, headers } = modernCall("tools/list", {});
    const other = headers.map((text) => (text === "tools/list" ? "prompts/list" : text));
    return await refusedCall(scene, "header_mismatch", { body, headers: other });
  },
  "old-version": async ({ config, run, clock }) => {
    const { body, headers } = modernCall("tools/list", {});
    const older = (text: string): string => text.replaceAll("2026-07-28", "1999-12-31");
    // Whoever may nothing is refused for that; the doctor may list.
    const tunnel = await openOperatorTunnel(config, run.listen, clock);
    try {
      const call = { body: older(body), headers: headers.map(older) };
      const outcome = await refusedCall({ config, tunnel }, "unsupported_version", call);
      if (outcome.result !== "failed") return outcome;
      return failed(`${outcome.says}; protocol.minimum in the config says which versions may be spoken`);
    } finally {
      await tunnel.close();
    }
  },
  "invented-session": async (scene) => {
    const server = someProcess(scene.config);
    if (server === undefined) return skipped("no server has sessions that the gateway gives out");
    const session = [
      "mcp-session-id",
      "00000000-0000-4000-8000-000000000000",
      "mcp-protocol-version",
      "2025-11-25",
    ];
    const body = '{"jsonrpc":"2.0","id":1,"method":"tools/list"}';
    return refusedAs("no_such_session", await ask(scene, server, body, session));
  },
  "forged-signature": async (scene) => {
    const jws = { protected: "eyJhbGciOiJNTC1EU0EtNjUifQ", payload: "e30", signature: "AAAA" };
    const call = modernCall("tools/list", { _meta: { "dev.latticegate/sig": { v: 1, jws } } });
    const server = someServer(scene.config);
    if (server === undefined) return noServer;
    const { denial, message, status } = await ask(scene, server, call.body, call.headers);
    return denial === "signature_refused" ? passed(message) : failed(`status ${status}: ${message}`);
  },
  "replayed-call": replayedCall,
  "page-without-login": async (scene) => {
    const page = pageOf(scene);
    if (page === undefined) return await socketOnly(scene);
    return refusedAll([await askPage(page, {}), await askPage(page, {}, "POST")], 401);
  },
  "page-from-elsewhere": async (scene) => {
    const page = pageOf(scene);
    if (page === undefined) return await socketOnly(scene);
    const from = { "sec-fetch-site": "cross-site", origin: "https://evil.example" };
    return refusedAll(
      [
        await askPage(page, { host: "evil.example" }),
        await askPage(page, { origin: "https://evil.example" }),
        await askPage(page, from, "POST"),
        await askPage(page, { "sec-fetch-site": "cross-site" }, "POST"),
      ],
      403,
    );
  },
  "tampered-log": ({ config }) => tamperedLog(config.state),
  "revoked-identity": async ({ config, clock, identity: { tls }, run }) => {
    const options = clientTlsOptions(tls);
    const before = await sayOverTls(run.listen, options, asHttp);
    if (before.kind !== "answered") return skipped(`it wasn't let in before either: ${before.why}`);
    const id = spiffeId(config.trust_domain, assessPath);
    if (revokeCertificates(config, id, clock) === undefined) return skipped("there was nothing to revoke");
    const isOut = async (): Promise<boolean> =>
      (await sayOverTls(run.listen, options, asHttp)).kind === "cut";
    return (await within(isOut)) ? passed("its new links are refused") : failed("it was let in");
  },
} as const satisfies Readonly<Record<string, Try>>;

async function refusedBody(scene: TestScene, body: string): Promise<TestOutcome> {
  const server = someServer(scene.config);
  if (server === undefined) return noServer;
  const { status, code } = await ask(scene, server, body);
  const isRefused = status >= 400 && status < 500 && code !== undefined;
  return isRefused ? passed(`status ${status}`) : failed(`status ${status}`);
}

async function refusedCall(
  scene: Pick<TestScene, "config" | "tunnel">,
  code: RefusalCode,
  { body, headers }: ReturnType<typeof modernCall>,
): Promise<TestOutcome> {
  const server = someServer(scene.config);
  return server === undefined ? noServer : refusedAs(code, await ask(scene, server, body, headers));
}

function refusedAs(code: RefusalCode, { status, code: found, message }: Asked): TestOutcome {
  const { rpc, http } = refusalRow(code);
  const saw = `status ${status}${message === "" ? "" : `: ${message}`}`;
  return found === rpc && (status === http || status === 200) ? passed(saw) : failed(saw);
}

/** A certificate in a good name, of an authority that nobody here knows, though its root is called like ours. */
async function foreignCredentials(
  trustDomain: string,
  suite: Parameters<typeof generateKeyPair>[0] | undefined,
  nowUnixMs: number,
): Promise<ReturnType<typeof credentialsOf>> {
  if (suite === undefined) throw new Refusal("bad_state", "The profile has no algorithm for identities.");
  const [rootKey, key] = [signingKey(generateKeyPair(suite)), generateKeyPair(suite)];
  const certificate = await createRoot(trustDomain, { purpose: "client", generation: 1 }, rootKey, nowUnixMs);
  const root = { generation: 1, certificate, key: rootKey, issuesFromUnixMs: 0 };
  const authority = { trustDomain, roots: { server: [root], client: [root] } } as const;
  const named = {
    spiffeId: spiffeId(trustDomain, assessPath),
    purpose: "client",
    publicKey: key.publicKey,
  } as const;
  return credentialsOf(key, (await issueSvid(authority, named, nowUnixMs, root)).certificate);
}

interface Page {
  readonly host: string;
  readonly port: string;
}

/** Undefined where the config wants none. */
function pageOf({ config, run }: TestScene): Page | undefined {
  const link = URL.parse(run.dashboard ?? "");
  if (config.dashboard === "off" || link === null) return undefined;
  return { host: hostAndPort(config.dashboard).host, port: link.port };
}

/** What isn't on the network can't be asked from there. */
async function socketOnly({ run }: TestScene): Promise<TestOutcome> {
  if (run.control === undefined) return skipped("the gateway doesn't say where it can be asked");
  const { mode } = await stat(run.control);
  return (mode & 0o077) === 0
    ? passed("there is no page, and the API's socket is its owner's alone")
    : failed("the API's socket is open to others");
}

/** Its status; undefined where nobody answers. */
function askPage(
  page: Page,
  headers: Readonly<Record<string, string>>,
  method: "GET" | "POST" = "GET",
): Promise<number | undefined> {
  const path = method === "GET" ? "/api/v1/status" : "/api/v1/kill";
  const host = `localhost:${page.port}`;
  return new Promise((resolve) => {
    const options = { ...page, path, method, headers: { host, ...headers }, timeout: 5000 };
    const request = http.request(options, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    request.once("timeout", () => request.destroy());
    request.once("error", () => resolve(undefined));
    request.end();
  });
}

function refusedAll(statuses: readonly (number | undefined)[], expected: number): TestOutcome {
  if (statuses.includes(undefined)) return skipped("the page doesn't answer");
  const told = `status ${statuses.join(", ")}`;
  return statuses.every((status) => status === expected) ? passed(told) : failed(told);
}
