/** Which headers cross the gateway, and which end at it. */
import { Refusal } from "../../kernel/refusal.ts";
import { type HeaderList, parameterPrefix } from "../../gate/call.ts";

/** W3C Trace Context and Baggage. */
const traceNames: ReadonlySet<string> = new Set(["traceparent", "tracestate", "baggage"]);

/**
 * Request headers that mean something to an MCP server. Everything else ends here: credentials are
 * for us (token passthrough is forbidden, MCP 2026-07-28 authorization), the rest is of this hop.
 */
const forwardedNames: ReadonlySet<string> = new Set([
  "accept",
  "accept-language",
  "content-type",
  "last-event-id",
  "mcp-protocol-version",
  "mcp-method",
  "mcp-name",
  "user-agent",
  ...traceNames,
]);

/** The header of a 408 that says: nothing came of the request this answers (RFC 9110 §15.5.9). */
export const goodbyeHeader = "latticegate-goodbye";

/** The header of an answer that tells the peer of this link to renew its identity now (docs/formats/enrolment.md). */
export const renewHeader = "latticegate-renew";

/** What HTTP/1.1 says of a connection, and HTTP/2 has no place for (RFC 9113 §8.2.2). */
export const connectionNames: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "te",
  "transfer-encoding",
  "upgrade",
]);

/** RFC 9110 §7.6.1, and what the writer of the message sets by itself. */
const hopNames: ReadonlySet<string> = new Set([
  ...connectionNames,
  "proxy-authenticate",
  "proxy-authorization",
  "trailer",
  "content-length",
  // INVARIANT: only the gateway itself says this; from a server it would have its call sent again.
  goodbyeHeader,
  renewHeader,
]);

/** Headers of a request that go on to the upstream, without its session id. */
export function forwardable(raw: HeaderList): string[] {
  const hop = namedByConnection(raw);
  const isMeant = (name: string): boolean => forwardedNames.has(name) || name.startsWith(parameterPrefix);
  return filtered(raw, (name) => isMeant(name) && !hop.has(name));
}

/** Of those, what also goes to a server whose transport has no headers of its own. */
export function traceHeaders(raw: HeaderList): string[] {
  return filtered(raw, (name) => traceNames.has(name));
}

/** Headers that outlive a hop. A name listed in `Connection` doesn't. */
export function endToEnd(raw: HeaderList): string[] {
  const hop = namedByConnection(raw);
  return filtered(raw, (name) => !hopNames.has(name) && !hop.has(name));
}

function namedByConnection(raw: HeaderList): ReadonlySet<string> {
  const hop = new Set<string>();
  for (let i = 0; i + 1 < raw.length; i += 2) {
    if (raw[i]?.toLowerCase() !== "connection") continue;
    for (const name of (raw[i + 1] ?? "").toLowerCase().split(",")) hop.add(name.trim());
  }
  return hop;
}

/** What outlives a hop, and how long the body is if that is known. A 204 has none (RFC 9110 §8.6). */
export function withLength(status: number, raw: HeaderList, bodyBytes: number | undefined): string[] {
  return bodyBytes === undefined || status === 204
    ? endToEnd(raw)
    : [...endToEnd(raw), "content-length", String(bodyBytes)];
}

/** The first value of a header, by its lower-case name. */
export function valueOf(raw: HeaderList, lowerCaseName: string): string | undefined {
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i];
    if (name !== undefined && name.length === lowerCaseName.length && name.toLowerCase() === lowerCaseName) {
      return raw[i + 1];
    }
  }
  return undefined;
}

/** @throws Refusal for headers of which two readers could take two values */
export function checkHeaders({ rawHeaders }: { readonly rawHeaders: HeaderList }): void {
  if (repeatsHeader(rawHeaders)) {
    throw new Refusal(
      "header_mismatch",
      "Expected Content-Type and each Mcp-* and Latticegate-* header once.",
    );
  }
}

/** Whether a header that says how to read the message, or what it is, comes twice: two readers could take two values. */
function repeatsHeader(raw: HeaderList): boolean {
  const seen = new Set<string>();
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i]?.toLowerCase() ?? "";
    if (!/^(mcp-|latticegate-|content-type$)/.test(name)) continue;
    if (seen.has(name)) return true;
    seen.add(name);
  }
  return false;
}

/** Whether a Content-Type names that media type, whatever its case and parameters. */
export function isMediaType(contentType: string | undefined, expected: string): boolean {
  return contentType?.split(";", 1)[0]?.trim().toLowerCase() === expected;
}

/** Whether headers say that events follow. */
export function isEventStream(raw: HeaderList): boolean {
  return isMediaType(valueOf(raw, "content-type"), "text/event-stream");
}

/** Whether a Content-Type says nothing else of its text than UTF-8; `charset` means nothing to JSON (RFC 8259 §11), but some readers heed it. */
export function isUtf8Text(contentType: string): boolean {
  const [, ...parameters] = contentType.toLowerCase().split(";");
  return parameters.every((parameter) => {
    const [name = "", value = ""] = parameter.split("=", 2).map((part) => part.trim());
    return !name.startsWith("charset") || /^"?utf-?8"?$/.test(value);
  });
}

/** The headers whose lower-case name `keep` keeps. */
export function filtered(raw: HeaderList, keep: (lowerCaseName: string) => boolean): string[] {
  const kept: string[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] ?? "";
    if (keep(name.toLowerCase())) kept.push(name, raw[i + 1] ?? "");
  }
  return kept;
}
