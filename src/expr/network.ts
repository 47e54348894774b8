/** IP addresses and CIDR networks, IPv4 and IPv6; an IPv4-mapped IPv6 address (RFC 4291 §2.5.5.2) is the IPv4 one. */

export interface Address {
  readonly version: 4 | 6;
  readonly bits: bigint;
}

export interface Network {
  readonly base: Address;
  readonly prefixBits: number;
}

/** @returns undefined if `text` is no address; a zone (`fe80::1%eth0`) is left out */
export function parseAddress(text: string): Address | undefined {
  if (text.length > 64) return undefined;
  if (!text.includes(":")) {
    const bits = parseIpv4(text);
    return bits === undefined ? undefined : { version: 4, bits };
  }
  const bits = parseIpv6(text.replace(/%[A-Za-z0-9._~-]{1,32}$/, ""));
  if (bits === undefined) return undefined;
  return bits >> 32n === mappedPrefix ? { version: 4, bits: bits & 0xffff_ffffn } : { version: 6, bits };
}

/** @returns undefined if `text` is no `address/prefix`, or has bits set behind the prefix */
export function parseNetwork(text: string): Network | undefined {
  const [address = "", prefix, ...more] = text.split("/");
  const base = parseAddress(address);
  if (base === undefined || more.length > 0) return undefined;
  if (prefix === undefined) return { base, prefixBits: widthOf(base) };
  if (!/^(?:0|[1-9]\d{0,2})$/.test(prefix)) return undefined;
  const mapped = base.version === 4 && address.includes(":");
  const prefixBits = Number(prefix) - (mapped ? 96 : 0);
  if (prefixBits < 0 || prefixBits > widthOf(base)) return undefined;
  const behind = BigInt(widthOf(base) - prefixBits);
  return (base.bits >> behind) << behind === base.bits ? { base, prefixBits } : undefined;
}

export function holds(network: Network, address: Address): boolean {
  if (network.base.version !== address.version) return false;
  const behind = BigInt(widthOf(address) - network.prefixBits);
  return network.base.bits >> behind === address.bits >> behind;
}

/** ::ffff:0:0/96 */
const mappedPrefix = 0xffffn;

function widthOf(address: Address): number {
  return address.version === 4 ? 32 : 128;
}

/** Four decimal parts; leading zeros are refused, as they mean octal to some readers. */
function parseIpv4(text: string): bigint | undefined {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256)) {
    return undefined;
  }
  return parts.reduce((bits, part) => (bits << 8n) | BigInt(part), 0n);
}

function parseIpv6(text: string): bigint | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const [head, tail] = [groupsOf(halves[0] ?? "", halves.length === 1), groupsOf(halves[1] ?? "", true)];
  if (head === undefined || tail === undefined) return undefined;
  const zeros = 8 - head.length - tail.length;
  if (halves.length === 1 ? zeros !== 0 : zeros < 1) return undefined;
  const groups = [...head, ...Array.from({ length: zeros }, () => 0n), ...tail];
  return groups.reduce((bits, group) => (bits << 16n) | group, 0n);
}

/** Groups of 16 bits; the last may be written as an IPv4 address. */
function groupsOf(text: string, last: boolean): readonly bigint[] | undefined {
  if (text === "") return [];
  const groups: bigint[] = [];
  const parts = text.split(":");
  for (const [at, part] of parts.entries()) {
    if (last && at === parts.length - 1 && part.includes(".")) {
      const bits = parseIpv4(part);
      if (bits === undefined) return undefined;
      groups.push(bits >> 16n, bits & 0xffffn);
    } else {
      if (!/^[0-9A-Fa-f]{1,4}$/.test(part)) return undefined;
      groups.push(BigInt(`0x${part}`));
    }
  }
  return groups.length > 8 ? undefined : groups;
}
