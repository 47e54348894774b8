/** Where a server wants to go: `host:port` as a proxy is asked for it (RFC 9112 §3.2.3), and patterns of that. */
import { type Address, parseAddress } from "../../expr/network.ts";

export interface Destination {
  /** In lower case, without a dot at its end; an IPv6 address without brackets. */
  readonly host: string;
  readonly port: number;
  /** Of a host that is an IP address. */
  readonly literal?: Address;
}

export type ReadDestination =
  | ({ readonly kind: "destination" } & Destination)
  | { readonly kind: "wrong"; readonly why: string };

/** @param defaultPort of an authority that names none; without it, one has to be named */
export function readDestination(authority: string, defaultPort?: number): ReadDestination {
  const match =
    /^(?:\[(?<v6>[0-9A-Fa-f:.]{2,45})\]|(?<name>[^[\]:/@?#\s]{1,254}))(?::(?<port>\d{1,5}))?$/.exec(
      authority,
    );
  const { v6, name, port: digits } = match?.groups ?? {};
  const port = digits === undefined ? defaultPort : Number(digits);
  if (match === null || port === undefined) return wrong("expected HOST:PORT, an IPv6 address in brackets");
  if (port < 1 || port > 65_535) return wrong("expected a port from 1 to 65535");
  if (v6 !== undefined) {
    const literal = parseAddress(v6);
    if (literal === undefined) return wrong("expected an IPv6 address between the brackets");
    return { kind: "destination", host: v6.toLowerCase(), port, literal };
  }
  return ofName((name ?? "").toLowerCase().replace(/\.$/, ""), port);
}

/** As it is written in rules, records and commands: `host:port`. */
export function destinationText({ host, port }: Pick<Destination, "host" | "port">): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

const label = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;

function ofName(host: string, port: number): ReadDestination {
  const literal = parseAddress(host);
  if (literal !== undefined) return { kind: "destination", host, port, literal };
  const labels = host.split(".");
  if (host.length > 253 || !labels.every((each) => label.test(each)))
    return wrong("expected a host name of letters, digits, dashes and dots");
  // "127.1" and "0x7f000001" are addresses to some resolvers, and names to whoever reads the rules.
  if (/^(?:\d+|0x[0-9a-f]*)$/.test(labels.at(-1) ?? ""))
    return wrong("expected an IP address in full, or a name whose last part isn't a number");
  return { kind: "destination", host, port };
}

function wrong(why: string): ReadDestination {
  return { kind: "wrong", why };
}

export type DestinationMatcher = (destination: Destination) => boolean;

/**
 * `HOST[:PORT]`: a name, an IP address, or a name whose parts may be `*` (one part each) and whose first may be `**`
 * (one or more); `*` alone is any host, addresses too.
 * @returns undefined if it is none
 */
export function destinationMatcher(pattern: string): DestinationMatcher | undefined {
  const match = /^(?<host>\[[^\]]{2,45}\]|[^[\]:]{1,253})(?::(?<port>\d{1,5}|\*))?$/.exec(pattern);
  const { host, port = "*" } = match?.groups ?? {};
  if (host === undefined || (port !== "*" && (Number(port) < 1 || Number(port) > 65_535))) return undefined;
  const isPort = (asked: number): boolean => port === "*" || Number(port) === asked;
  if (host === "*") return (asked) => isPort(asked.port);
  const own = readDestination(`${host.replaceAll("*", "w")}:1`);
  if (own.kind === "wrong") return undefined;
  if (!host.includes("*")) {
    return (asked) => isPort(asked.port) && isSameHost(own, asked);
  }
  const parts = host.toLowerCase().split(".");
  const isWhole = parts.every(
    (part, at) => !part.includes("*") || part === "*" || (at === 0 && part === "**"),
  );
  if (!isWhole) return undefined;
  return (asked) =>
    isPort(asked.port) && asked.literal === undefined && matchesLabels(parts, asked.host.split("."));
}

/** Whether the pattern names just this host: whoever wrote it knew where that is. */
export function isNamedBy(pattern: string, destination: Destination): boolean {
  if (pattern.replace(/:\*$/, "").includes("*")) return false;
  return destinationMatcher(pattern)?.(destination) === true;
}

function isSameHost(own: Destination, asked: Destination): boolean {
  if (own.literal === undefined || asked.literal === undefined) return own.host === asked.host;
  return own.literal.version === asked.literal.version && own.literal.bits === asked.literal.bits;
}

function matchesLabels(parts: readonly string[], labels: readonly string[]): boolean {
  const isAnyDepth = parts[0] === "**";
  const fixed = isAnyDepth ? parts.slice(1) : parts;
  if (isAnyDepth ? labels.length <= fixed.length : labels.length !== fixed.length) return false;
  const tail = labels.slice(labels.length - fixed.length);
  return fixed.every((part, at) => part === "*" || part === tail[at]);
}
