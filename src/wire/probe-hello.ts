/**
 * A ClientHello that only asks (RFC 8446 §4.1.2): its key shares are empty, so that a server of TLS 1.3 that is willing says
 * which group it wants instead of going on. No secret is made, and groups that nobody here implements can be asked for.
 */
import { concat, utf8 } from "../kernel/bytes.ts";
import { oldCiphers } from "./tls-names.ts";

export interface ProbeHello {
  /** The newest version that is offered: 0x0301 to 0x0304. */
  readonly version: number;
  readonly groups: readonly number[];
  /** 32 bytes each; nobody computes with them. */
  readonly random: Uint8Array;
  readonly sessionId: Uint8Array;
  readonly serverName?: string;
  /** The whole is made at least so long (RFC 7685). */
  readonly atLeastBytes?: number;
}

/** ML-DSA, ECDSA, EdDSA, RSA-PSS, RSA PKCS #1, and SHA-1 of both for what is old. */
const schemes = [
  0x0904, 0x0905, 0x0906, 0x0403, 0x0503, 0x0603, 0x0807, 0x0808, 0x0804, 0x0805, 0x0806, 0x0809, 0x080a,
  0x080b, 0x0401, 0x0501, 0x0601, 0x0203, 0x0201,
];

/** @returns the record, as it goes over the wire */
export function probeHello({ version, groups, random, sessionId, ...rest }: ProbeHello): Uint8Array {
  const isNew = version === 0x0304;
  const ciphers = isNew ? [0x1302, 0x1301, 0x1303] : oldCiphers;
  const extensions = [
    ...(rest.serverName === undefined ? [] : [serverNameExtension(rest.serverName)]),
    extension(10, list(groups)),
    extension(13, list(schemes)),
    ...(isNew
      ? [extension(43, Uint8Array.of(2, 3, 4)), extension(51, uint16(0)), extension(45, Uint8Array.of(1, 1))]
      : [
          extension(11, Uint8Array.of(1, 0)),
          extension(0xff01, Uint8Array.of(0)),
          extension(23, new Uint8Array()),
        ]),
  ];
  const head = concat([
    uint16(Math.min(version, 0x0303)),
    random,
    Uint8Array.of(sessionId.length),
    sessionId,
    list(ciphers),
    Uint8Array.of(1, 0),
  ]);
  const have = head.length + 2 + extensions.reduce((sum, each) => sum + each.length, 0) + 9;
  const missing = (rest.atLeastBytes ?? 0) - have - 4;
  if (missing > 0) extensions.push(extension(21, new Uint8Array(missing)));
  const body = concat([head, block(concat(extensions))]);
  const handshake = concat([Uint8Array.of(1, 0), uint16(body.length), body]);
  return concat([Uint8Array.of(22, 3, 1), uint16(handshake.length), handshake]);
}

function serverNameExtension(name: string): Uint8Array {
  return extension(0, block(concat([Uint8Array.of(0), block(utf8(name))])));
}

function extension(type: number, data: Uint8Array): Uint8Array {
  return concat([uint16(type), block(data)]);
}

function list(codes: readonly number[]): Uint8Array {
  return block(concat(codes.map(uint16)));
}

function block(data: Uint8Array): Uint8Array {
  return concat([uint16(data.length), data]);
}

function uint16(value: number): Uint8Array {
  return Uint8Array.of(value >> 8, value & 255);
}
