/** What an end does about signatures in calls to each of its servers, from its settings. */
import type { SignatureTerms } from "../../gate/world.ts";
import { gatewayIdOf } from "../../identity/spiffe-id.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { Config } from "../config.ts";
import type { SignatureSettings } from "../config/signatures.ts";

/**
 * The gateway serves what isn't behind `expose`, and what joins several servers; it stands between callers and what is.
 * A forward server's calls are its clients' own affair.
 */
export function gatewaySignatures(config: Config): Readonly<Record<string, SignatureTerms>> {
  const { use, mode } = config.signatures;
  const id = gatewayIdOf(config.trust_domain);
  const common = { mode, relays: [], acceptsChanges: false } as const;
  const served = (name: string) => ({ end: "serving", audience: audienceAt(id, name) }) as const;
  const terms = Object.entries(config.servers).flatMap(([name, server]) => {
    if ("forward" in server) return [];
    // What is translated can't bear its client's signature to the other end.
    const peer = "url" in server && server.bridge === "off" ? server.peer : undefined;
    const end = peer === undefined ? served(name) : ({ end: "between", audience: peer, peer } as const);
    const used = server.signatures ?? use;
    return [
      [
        name,
        { ...common, ...end, ...signedOf(name, server, used), use: used, readOnly: server.read_only },
      ] as const,
    ];
  });
  const virtual = Object.keys(config.virtual_servers).map(
    (name) => [name, { ...common, ...served(name), use, readOnly: [] }] as const,
  );
  return Object.fromEntries([...terms, ...virtual]);
}

/** @throws Refusal `bad_config` where signatures are asked for and switched off */
function signedOf(
  name: string,
  server: Config["servers"][string],
  use: SignatureSettings["use"],
): { readonly signed?: readonly string[] } {
  const endpoints = "openapi" in server ? (server.endpoints ?? []) : [];
  const signed = endpoints.flatMap((tool) => (tool.pqc_signing === undefined ? [] : [tool.name]));
  if (signed.length === 0) return {};
  if (use !== "off") return { signed };
  throw new Refusal(
    "bad_config",
    `servers.${name}: pqc_signing needs signatures, which are off for this server.`,
  );
}

/** Who calls to a server of a gateway's are for, as their signatures say it. */
function audienceAt(gatewayId: string, server: string): string {
  return `${gatewayId}?server=${server}`;
}

/** Of a server behind `expose`, which its gateway may bring what others signed. */
export function exposedSignatures(
  { use, mode, acceptsChanges }: SignatureSettings,
  end: { readonly spiffeId: string; readonly gatewayId: string; readonly readOnly: readonly string[] },
): SignatureTerms {
  const { spiffeId: audience, gatewayId, readOnly } = end;
  return { use, mode, acceptsChanges, end: "serving", audience, relays: [gatewayId], readOnly };
}
