/** `latticegate tools sign`: what a server really lists, as a manifest with its publisher's signatures (SEP-3140). */
import { toBase64url } from "../../kernel/bytes.ts";
import { randomSecret } from "../../crypto/keys.ts";
import { defaultProfile, resolveProfile } from "../../crypto/suites/profiles.ts";
import { writePrivateFile } from "../../host/store/files.ts";
import type { KeyFolder } from "../../host/store/key-folder.ts";
import { type ManifestEntry, manifestEntry, signManifest } from "../../integrity/tools/manifest.ts";
import { hiddenInDeclaration, revealed } from "../../wire/hidden-text.ts";
import { publisherKeysOf } from "../../integrity/tools/publisher-keys.ts";
import { type Declaration, readToolList } from "../../integrity/tools/tool-list.ts";
import { readTrust } from "../../integrity/tools/trust.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { matcher } from "../../policy/patterns.ts";
import { runningGateway } from "../certificate-authority.ts";
import { type Config, configSchema } from "../config.ts";
import { listTools, type Send } from "../mcp-probe.ts";
import { openOperatorTunnel } from "../operator-tunnel.ts";
import { publisherSigners } from "../publisher-signers.ts";
import { openConfigKeys } from "../signer/gateway-signer.ts";
import { manifestOf, openKeys, statePaths } from "../state-folder.ts";
import { profileOfIdentity, readIdentity } from "../stored-identity.ts";
import { connectServers } from "../upstreams.ts";
import { directSend } from "./direct-send.ts";
import { serverUri } from "./server-tools.ts";

export interface Signing {
  /** Names (`*` stands for any run of characters) of tools that are said to only read. */
  readonly readOnly: readonly string[];
  /** For people: where the publisher says who it is. */
  readonly publisher?: string;
  readonly lifetimeMs: number;
  /** Instead of what the server is called where it is reached. */
  readonly uri?: string;
  /** Instead of the state folder's own. */
  readonly file?: string;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Signed {
  readonly file: string;
  readonly uri: string;
  /** Of the publisher's keys: what gateways name under `publishers`. */
  readonly fingerprint: string;
  readonly tools: readonly string[];
  readonly readOnly: readonly string[];
  readonly expires: string;
}

/** The revision of MCP whose declarations these are. */
const specVersion = "2026-07-28";

/** A server of a gateway, through the running gateway. @throws Refusal that says what keeps it from being signed */
export async function signConfigured(config: Config, name: string, signing: Signing): Promise<Signed> {
  const server = config.servers[name];
  if (server === undefined || "forward" in server) {
    throw new Refusal("bad_config", `There is no server "${name}" with an address of its own.`);
  }
  const running = await runningGateway(config.state);
  if (running === undefined) throw new Refusal("bad_state", 'Start the gateway first: "latticegate up".');
  await using opened = new AsyncDisposableStack();
  const tunnel = await openOperatorTunnel(config, running.listen, signing.clock);
  opened.defer(tunnel.close);
  const { keys, close } = await openConfigKeys(config);
  opened.defer(close);
  const uri = serverUri(config.trust_domain, name, server);
  const where = { file: manifestOf(config.state, name), uri };
  return await signListed(tunnel.to(name), keys, { ...where, ...signing });
}

/**
 * A server with nobody in between, as it is exposed: its command, or its URL.
 * @throws Refusal that says what keeps it from being signed
 */
export async function signExposed(
  state: string,
  server: { readonly command: readonly string[] } | { readonly url: string },
  signing: Signing,
): Promise<Signed> {
  const { clock, log } = signing;
  const identity = await readIdentity(state);
  const uri = signing.uri ?? identity?.spiffe_id;
  if (uri === undefined) {
    throw new Refusal(
      "bad_config",
      `Nobody joined in ${state} yet: expose the server once, or say --for URI.`,
    );
  }
  const { servers, limits } = configSchema.parse({ servers: { signed: server } });
  const connected = connectServers(servers, {
    folder: process.cwd(),
    stderrFolder: statePaths(state).servers,
    limits,
    terms: identity === undefined ? resolveProfile(defaultProfile) : profileOfIdentity(identity),
    clock,
    log,
  });
  try {
    const keys = await openKeys(state, undefined);
    const where = { file: statePaths(state).manifest, ...signing, uri };
    return await signListed(directSend(connected.upstreams, "signed", clock), keys, where);
  } finally {
    await connected.upstreams.close();
  }
}

async function signListed(
  send: Send,
  keys: KeyFolder,
  signing: Signing & Required<Pick<Signing, "file" | "uri">>,
): Promise<Signed> {
  const { clock, file, uri, publisher, lifetimeMs } = signing;
  const declarations = (await listTools(send)).flatMap(declarationsIn);
  const matches = matcher(signing.readOnly);
  const readOnly = declarations.map(({ name }) => name).filter(matches);
  const tools = declarations.map((each) => entryOf(each, matches(each.name)));
  const signers = await publisherSigners(keys, "manifest");
  const issuedAtUnixMs = clock.nowUnixMs();
  const expiresAtUnixMs = issuedAtUnixMs + lifetimeMs;
  const times = { issuedAtUnixMs, expiresAtUnixMs };
  const nonce = toBase64url(randomSecret(16));
  const about = { server: uri, specVersion, nonce, ...(publisher !== undefined && { publisher }) };
  const document = await signManifest({ ...about, ...times, tools, prompts: [], resources: [] }, signers);
  await writePrivateFile(file, document);
  const { fingerprint } = publisherKeysOf(signers);
  const names = tools.map(({ name }) => name);
  return { file, uri, fingerprint, tools: names, readOnly, expires: new Date(expiresAtUnixMs).toISOString() };
}

function entryOf(declaration: Declaration, isReadOnly: boolean): ManifestEntry {
  return manifestEntry(declaration, isReadOnly ? readTrust({ effect: "read-only" }) : undefined);
}

/** @throws Refusal `upstream_failed` for a list, or a tool, that nobody should put their name to */
function declarationsIn(page: Uint8Array): readonly Declaration[] {
  const list = readToolList(page);
  if (list.kind !== "list") {
    const why = list.kind === "unreadable" ? list.why : "it lists no tools";
    throw new Refusal("upstream_failed", `The server's list can't be signed: ${why}.`);
  }
  return list.tools.map((tool) => {
    if (tool.kind === "unreadable") {
      const text = `The tool "${revealed(tool.name ?? "")}" can't be signed: two readers could read it in two ways (${tool.why}).`;
      throw new Refusal("upstream_failed", text);
    }
    const [found] = hiddenInDeclaration(tool.declaration.text).filter(({ severity }) => severity === "hold");
    if (found === undefined) return tool.declaration;
    const text = `The tool "${revealed(tool.declaration.name)}" can't be signed: ${found.pointer} hides text: ${revealed(found.says)}.`;
    throw new Refusal("upstream_failed", text);
  });
}
