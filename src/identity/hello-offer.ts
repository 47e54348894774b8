/**
 * What is kept of a ClientHello once its link stands: what it offered, and by what its TLS client is known again.
 * The fingerprint is JA4 (TLS client, https://github.com/FoxIO-LLC/ja4), which leaves groups and key shares out, with
 * a digest of those beside it.
 */
import { sha256Hex } from "../crypto/hash.ts";
import { utf8 } from "../kernel/bytes.ts";
import type { FailedHandshake, Fingerprint, Offer } from "../model/offer.ts";
import type { ClientHello } from "../wire/client-hello.ts";

/** Of each list; a hello has room for thousands, and no client of today sends more than thirty. */
const maxListed = 64;

export function offerOf(hello: ClientHello, follows?: FailedHandshake): Offer {
  const listed = (numbers: readonly number[]): readonly number[] =>
    numbers.filter(isMeant).slice(0, maxListed);
  return {
    versions: listed(hello.versions),
    groups: listed(hello.groups),
    keyShares: listed(hello.keyShares),
    signatureSchemes: listed(hello.signatureSchemes),
    fingerprint: fingerprintOf(hello),
    ...(hello.alpn.length > 0 && { alpn: hello.alpn.slice(0, maxListed) }),
    ...(hello.serverName !== undefined && { serverName: hello.serverName }),
    ...(follows !== undefined && { follows }),
  };
}

export function fingerprintOf(hello: ClientHello): Fingerprint {
  const groups = `${hexList(hello.groups.filter(isMeant))}|${hexList(hello.keyShares.filter(isMeant))}`;
  return { ja4: ja4Of(hello), groups: shortHash(groups) };
}

const versionNames: ReadonlyMap<number, string> = new Map([
  [0x0304, "13"],
  [0x0303, "12"],
  [0x0302, "11"],
  [0x0301, "10"],
  [0x0300, "s3"],
]);
const serverNameExtension = 0;
const alpnExtension = 16;

function ja4Of(hello: ClientHello): string {
  const ciphers = hello.cipherSuites.filter(isMeant);
  const extensions = hello.extensions.filter(isMeant);
  const version = Math.max(0, ...hello.versions.filter(isMeant)) || hello.legacyVersion;
  const named = extensions.includes(serverNameExtension) ? "d" : "i";
  const counts = twoDigits(ciphers.length) + twoDigits(extensions.length);
  // What a server name and ALPN say stands in the first part already, or changes with whom it talks to.
  const hashed = extensions.filter((type) => type !== serverNameExtension && type !== alpnExtension);
  const schemes = hexList(hello.signatureSchemes.filter(isMeant));
  return [
    `t${versionNames.get(version) ?? "00"}${named}${counts}${alpnMark(hello.alpn[0] ?? "")}`,
    shortHash(hexList(ciphers, "sorted")),
    shortHash(hexList(hashed, "sorted") + (schemes === "" ? "" : `_${schemes}`)),
  ].join("_");
}

/** First and last character of the first protocol; of its bytes in hexadecimal where one isn't a letter or digit. */
function alpnMark(protocol: string): string {
  if (protocol === "") return "00";
  const ends = (text: string): string => text.slice(0, 1) + text.slice(-1);
  const mark = ends(protocol);
  return /^[0-9A-Za-z]{2}$/.test(mark) ? mark : ends(Buffer.from(protocol, "utf8").toString("hex"));
}

/** Values that clients mix in so that servers stay tolerant of unknown ones say nothing (RFC 8701). */
function isMeant(value: number): boolean {
  return (value & 0x0f0f) !== 0x0a0a || value >> 8 !== (value & 0xff);
}

function hexList(values: readonly number[], order?: "sorted"): string {
  const digits = values.map((value) => value.toString(16).padStart(4, "0"));
  return (order === "sorted" ? digits.toSorted() : digits).join(",");
}

function shortHash(text: string): string {
  return text === "" ? "0".repeat(12) : sha256Hex(utf8(text)).slice(0, 12);
}

function twoDigits(count: number): string {
  return String(Math.min(count, 99)).padStart(2, "0");
}
