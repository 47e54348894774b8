/** What a look at a network is pointed at: hosts, addresses, networks and URLs with ports, as somebody typed them; bounded before anything is asked. */
import { type Address, holds, type Network, parseAddress, parseNetwork } from "../expr/network.ts";
import { printable } from "../kernel/printable.ts";
import { Refusal } from "../kernel/refusal.ts";

/** One port of one host. */
export interface Target {
  /** A name, or an address without brackets. */
  readonly host: string;
  readonly port: number;
  /** Of a URL: asked before all others. */
  readonly path?: string;
}

export interface TargetBounds {
  /** Addresses of the Internet, too. */
  readonly isPublic: boolean;
  /** Hosts times ports. */
  readonly maxTargets: number;
}

/**
 * Where servers of MCP and the frameworks they are made with listen unless told otherwise: web servers in front (80, 443,
 * 8443), the TypeScript SDK's examples (3000), the reference servers (3001), ASP.NET (5000), the inspector's proxy (6277),
 * FastMCP and uvicorn (8000), Go and Spring (8080), workers under development (8787).
 */
export const defaultPorts: readonly number[] = [80, 443, 3000, 3001, 5000, 6277, 8000, 8080, 8443, 8787];

/** A /16 with one port, or 6,553 hosts with the default ones. */
export const defaultMaxTargets = 65_536;
const maxSpecs = 1024;
const maxSpecChars = 2048;

/** Never asked, whatever is allowed: nobody listens there, everybody would, or a cloud hands out credentials. */
const never: readonly (readonly [Network, string])[] = [
  [network("0.0.0.0/8"), "no host's address"],
  [network("169.254.0.0/16"), "link-local, where clouds keep their metadata"],
  [network("224.0.0.0/4"), "multicast"],
  [network("240.0.0.0/4"), "reserved or broadcast"],
  [network("::/128"), "no host's address"],
  [network("fe80::/10"), "link-local"],
  [network("ff00::/8"), "multicast"],
];

/** RFC 1918, RFC 6598, RFC 4193 and loopback. */
const own: readonly Network[] = [
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "172.16.0.0/12",
  "192.168.0.0/16",
  "::1/128",
  "fc00::/7",
].map(network);

/**
 * Each host and port once, in the order they were named. Names are taken as they are: `whyNotAsked` judges what they lead to.
 * @param specs `host`, `host:ports`, `address/prefix`, `address/prefix:ports`, `[v6]:ports`, `http(s)://host:port/path`
 * @param ports for those that name none
 * @throws Refusal `bad_config` that says which one can't be asked, and why
 */
export function parseTargets(
  specs: readonly string[],
  ports: readonly number[],
  bounds: TargetBounds,
): readonly Target[] {
  if (specs.length > maxSpecs) throw wrong(`more than ${maxSpecs} targets are named`);
  const parsed = specs.map((text) => parseSpec(text, ports));
  let pairs = 0n;
  for (const { text, hosts, ports: asked } of parsed) {
    if (typeof hosts !== "string") checkNetwork(text, hosts, bounds);
    pairs += (typeof hosts === "string" ? 1n : sizeOf(hosts)) * BigInt(asked.length);
  }
  if (pairs > BigInt(bounds.maxTargets)) {
    throw wrong(`${pairs} addresses and ports are more than the ${bounds.maxTargets} that are asked at most`);
  }
  const targets = new Map<string, Target>();
  for (const { hosts, ports: asked, path } of parsed) {
    for (const host of typeof hosts === "string" ? [hosts] : addressesOf(hosts)) {
      for (const port of asked) {
        const key = `${host} ${port} ${path ?? ""}`;
        if (!targets.has(key)) targets.set(key, { host, port, ...(path !== undefined && { path }) });
      }
    }
  }
  return [...targets.values()];
}

/** @param text such as `80,443,8000-8010` @throws Refusal `bad_config` */
export function parsePorts(text: string): readonly number[] {
  const ports = new Set<number>();
  for (const part of text.slice(0, maxSpecChars).split(",")) {
    const range = /^([1-9]\d{0,4})(?:-([1-9]\d{0,4}))?$/.exec(part.trim());
    const [from, to] = [Number(range?.[1]), Number(range?.[2] ?? range?.[1])];
    if (range === null || to > 65_535 || from > to)
      throw wrong(`"${printable(part, 64)}" is no port from 1 to 65535, and no range of them`);
    for (let port = from; port <= to; port++) ports.add(port);
  }
  return [...ports];
}

/** Of an address, or of one that a name leads to. @returns undefined if it may be asked */
export function whyNotAsked(text: string, { isPublic }: Pick<TargetBounds, "isPublic">): string | undefined {
  const address = parseAddress(text);
  if (address === undefined) return "it is no address";
  const reason = never.find(([net]) => holds(net, address))?.[1];
  if (reason !== undefined) return `${text} isn't asked: ${reason}`;
  return isPublic || own.some((net) => holds(net, address)) ? undefined : publicReason(text);
}

function publicReason(text: string): string {
  return `${text} is on the public Internet, which is asked only if that is said (--public)`;
}

interface Spec {
  readonly text: string;
  /** A name, or a network. */
  readonly hosts: string | Network;
  readonly ports: readonly number[];
  readonly path?: string;
}

function parseSpec(text: string, ports: readonly number[]): Spec {
  const shown = printable(text, 128);
  if (text.length > maxSpecChars) throw wrong(`"${shown}" is too long`);
  if (/^https?:\/\//i.test(text)) return { text: shown, ...parseUrl(text, shown) };
  const bracketed = /^\[([^\]]*)\](\/\d{1,3})?(?::(.*))?$/.exec(text);
  const isBareV6 = bracketed === null && text.indexOf(":") !== text.lastIndexOf(":");
  const [, inside = "", prefix = "", listed] = bracketed ?? [];
  const at = bracketed !== null || isBareV6 ? -1 : text.indexOf(":");
  const host = bracketed === null ? (at < 0 ? text : text.slice(0, at)) : inside + prefix;
  const asked = bracketed === null ? (at < 0 ? undefined : text.slice(at + 1)) : listed;
  return {
    text: shown,
    hosts: hostOf(host, shown),
    ports: asked === undefined ? ports : parsePorts(asked),
  };
}

function parseUrl(text: string, shown: string): Omit<Spec, "text"> {
  const url = URL.parse(text);
  if (url === null) throw wrong(`"${shown}" is no URL`);
  if (url.username !== "" || url.password !== "")
    throw wrong("a URL has a user or a password in it, which are sent nowhere; leave them out");
  const usual = url.protocol === "https:" ? 443 : 80;
  return {
    hosts: hostOf(url.hostname.replaceAll(/[[\]]/g, ""), shown),
    ports: [url.port === "" ? usual : Number(url.port)],
    path: url.pathname,
  };
}

function hostOf(host: string, shown: string): string | Network {
  const net = parseNetwork(host);
  if (net !== undefined) return net;
  if (/^[\d.]+\/|^[\da-f:.]+\/\d+$/i.test(host))
    throw wrong(`"${shown}" is no network, or has bits set behind its prefix`);
  // What only looks like an address would be resolved as one by some systems (0x7f.1, 010.0.0.1).
  const isName = /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,62})(?:\.[a-z0-9_-]{1,63}){0,32}\.?$/i.test(host);
  const last = host.replace(/\.$/, "").split(".").at(-1) ?? "";
  if (!isName || /^(?:\d+|0x[\da-f]*)$/i.test(last)) throw wrong(`"${shown}" is no host, address or network`);
  return host.toLowerCase();
}

function checkNetwork(text: string, net: Network, { isPublic }: TargetBounds): void {
  const reason = never.find(([other]) => overlaps(net, other))?.[1];
  if (reason !== undefined) throw wrong(`${text} isn't asked: ${reason}`);
  if (!isPublic && !own.some((other) => other.prefixBits <= net.prefixBits && holds(other, net.base)))
    throw wrong(publicReason(text));
}

function overlaps(one: Network, other: Network): boolean {
  return holds(one, other.base) || holds(other, one.base);
}

function sizeOf({ base, prefixBits }: Network): bigint {
  return 1n << BigInt((base.version === 4 ? 32 : 128) - prefixBits);
}

function* addressesOf(net: Network): Generator<string> {
  const size = sizeOf(net);
  for (let at = 0n; at < size; at++) yield textOf({ ...net.base, bits: net.base.bits + at });
}

/** IPv6 without the shortest form's rules but for those of `URL`, so that it is written as in a URL. */
function textOf({ version, bits }: Address): string {
  const [count, width, radix] = version === 4 ? [4, 8n, 10] : [8, 16n, 16];
  const parts = Array.from({ length: count }, (_, at) =>
    ((bits >> (BigInt(count - 1 - at) * width)) & ((1n << width) - 1n)).toString(radix),
  );
  return version === 4 ? parts.join(".") : new URL(`http://[${parts.join(":")}]`).hostname.slice(1, -1);
}

function network(text: string): Network {
  const net = parseNetwork(text);
  if (net === undefined) throw new Error(`${text} is a network.`);
  return net;
}

function wrong(why: string): Refusal {
  return new Refusal("bad_config", `${why}.`);
}
