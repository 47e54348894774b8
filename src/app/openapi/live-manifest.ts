/** The signed manifest of a server's own tools (SEP-3140), for whoever asks: those that `pqc_signing` names. */
import { randomSecret } from "../../crypto/keys.ts";
import type { KeyFolder } from "../../host/store/key-folder.ts";
import { manifestEntry, signManifest } from "../../integrity/tools/manifest.ts";
import { readDeclaration } from "../../integrity/tools/tool-list.ts";
import { toBase64url, utf8 } from "../../kernel/bytes.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Config } from "../config.ts";
import { publisherSigners } from "../publisher-signers.ts";
import { serverUri } from "../tools/server-tools.ts";

/** Signs what the declarations of a server say now, by its name. */
type SignDeclarations = (name: string, declarations: readonly object[]) => Promise<string>;

/** The revision of MCP whose declarations these are. */
const specVersion = "2026-07-28";
const lifetimeMs = 24 * 3600_000;
/** A signed one is given out again that long, as long as nothing changed. */
const freshMs = 3600_000;

/** With the keys with which this gateway publishes manifests. */
export function manifestSigning(
  { servers, trust_domain: domain }: Pick<Config, "servers" | "trust_domain">,
  keys: KeyFolder,
  clock: Clock,
): SignDeclarations {
  const known = new Map<string, { readonly of: string; readonly text: string; readonly atUnixMs: number }>();
  return async (name, declarations) => {
    const config = servers[name];
    if (config === undefined) throw new Error(`there is no server ${name}`);
    const of = JSON.stringify(declarations);
    const now = clock.nowUnixMs();
    const last = known.get(name);
    if (last?.of === of && now - last.atUnixMs < freshMs) return last.text;
    const tools = declarations.flatMap((each) => {
      const declaration = readDeclaration(utf8(JSON.stringify(each)));
      return declaration === undefined ? [] : [manifestEntry(declaration)];
    });
    const times = { issuedAtUnixMs: now, expiresAtUnixMs: now + lifetimeMs };
    const server = serverUri(domain, name, config);
    const about = { server, specVersion, nonce: toBase64url(randomSecret(16)) };
    const text = await signManifest(
      { ...about, ...times, tools, prompts: [], resources: [] },
      await publisherSigners(keys, "manifest"),
    );
    known.set(name, { of, text, atUnixMs: now });
    return text;
  };
}
