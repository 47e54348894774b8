/** An MCP server as an OAuth protected resource: its names (RFC 8707, RFC 9728) and how it asks for a token (RFC 6750, RFC 9449). */

/** Path under which the gateway serves its upstreams: `/mcp/<server>`. */
export const mcpPath = "/mcp/";

/** RFC 9728 §3. The path of a resource is put behind it. */
export const metadataPath = "/.well-known/oauth-protected-resource";

/** The canonical URI of a server: the audience of its tokens. */
export function resourceUri(origin: string, server: string): string {
  return `${origin}${mcpPath}${server}`;
}

export function metadataUri(origin: string, server: string): string {
  return `${origin}${metadataPath}${mcpPath}${server}`;
}

export interface Challenge {
  readonly resourceMetadata: string;
  readonly scopes: readonly string[];
  /** JOSE names of the algorithms a proof of possession may have; empty where none is taken. */
  readonly proofAlgorithms: readonly string[];
  /** Absent where nothing was presented (RFC 6750 §3). */
  readonly problem?: {
    readonly scheme: "Bearer" | "DPoP";
    readonly error: string;
    readonly description: string;
  };
}

/**
 * The WWW-Authenticate headers, names and values in turn. `Bearer` stands first and alone in its header: clients of
 * MCP look for it, and many take no second challenge.
 */
export function challengeHeaders({
  resourceMetadata,
  scopes,
  proofAlgorithms,
  problem,
}: Challenge): readonly string[] {
  const common = {
    resource_metadata: resourceMetadata,
    ...(scopes.length > 0 && { scope: scopes.join(" ") }),
  };
  const said = (scheme: "Bearer" | "DPoP"): Readonly<Record<string, string>> =>
    problem?.scheme === scheme ? { error: problem.error, error_description: problem.description } : {};
  const bearer = challenge("Bearer", { ...said("Bearer"), ...common });
  if (proofAlgorithms.length === 0) return ["www-authenticate", bearer];
  const dpop = challenge("DPoP", { ...said("DPoP"), algs: proofAlgorithms.join(" ") });
  return ["www-authenticate", bearer, "www-authenticate", dpop];
}

function challenge(scheme: string, parameters: Readonly<Record<string, string>>): string {
  const parts = Object.entries(parameters).map(([name, value]) => `${name}="${quotable(value)}"`);
  return `${scheme} ${parts.join(", ")}`;
}

/** RFC 6750 §3: no quote, no backslash, nothing beyond visible ASCII. */
function quotable(text: string): string {
  return text.replace(/["\\]/g, "'").replace(/[^\x20-\x7e]/g, "?");
}
