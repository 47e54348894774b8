/** IPv4 packets (RFC 791) with TCP segments (RFC 9293): as much of them as a lab's wire reads and makes. */

export interface Packet {
  readonly bytes: Buffer;
  /** Both addresses and ports, from who sends to who receives. */
  readonly flow: string;
  /** The first of a connection: SYN without ACK. */
  readonly isOpening: boolean;
  readonly payload: Buffer;
}

const [icmp, tcp] = [1, 6];
const router = [10, 99, 0, 1] as const;
const flags = { syn: 0x02, reset: 0x04, ack: 0x10 } as const;

/** @returns undefined for what isn't IPv4 */
export function readPacket(bytes: Buffer): Packet | undefined {
  if (bytes.length < 20 || bytes.readUInt8(0) >> 4 !== 4) return undefined;
  const at = headerBytes(bytes);
  if (bytes.readUInt8(9) !== tcp || bytes.length < at + 20) {
    return { bytes, flow: "", isOpening: false, payload: Buffer.alloc(0) };
  }
  const flag = bytes.readUInt8(at + 13);
  return {
    bytes,
    flow: `${bytes.toString("hex", 12, 20)}${bytes.toString("hex", at, at + 4)}`,
    isOpening: (flag & (flags.syn | flags.ack)) === flags.syn,
    payload: bytes.subarray(at + (bytes.readUInt8(at + 12) >> 4) * 4),
  };
}

/** Dotted. */
export function destinationOf({ bytes }: Packet): string {
  return bytes.subarray(16, 20).join(".");
}

/** ICMP's "fragmentation needed" (RFC 1191 §4), from a router in between. */
export function packetTooBig({ bytes }: Packet, mtu: number): Buffer {
  const quoted = bytes.subarray(0, headerBytes(bytes) + 8);
  const message = Buffer.alloc(8 + quoted.length);
  message.writeUInt8(3, 0);
  message.writeUInt8(4, 1);
  message.writeUInt16BE(mtu, 6);
  quoted.copy(message, 8);
  message.writeUInt16BE(checksum([message]), 2);
  return header(icmp, Buffer.from(router), bytes.subarray(12, 16), message);
}

/** Resets for both ends of a segment's connection, each as if by the other. */
export function resetOf({ bytes }: Packet): { readonly toSender: Buffer; readonly toReceiver: Buffer } {
  const at = headerBytes(bytes);
  const [from, to] = [bytes.subarray(12, 16), bytes.subarray(16, 20)];
  const [fromPort, toPort] = [bytes.subarray(at, at + 2), bytes.subarray(at + 2, at + 4)];
  const [sequence, acknowledged] = [bytes.readUInt32BE(at + 4), bytes.readUInt32BE(at + 8)];
  return {
    toSender: header(tcp, to, from, resetSegment(toPort, fromPort, acknowledged)),
    toReceiver: header(tcp, from, to, resetSegment(fromPort, toPort, sequence)),
  };
}

/** With the checksum of a TCP segment right: senders may leave it to a card that there isn't. */
export function checksummed(bytes: Buffer): Buffer {
  const at = headerBytes(bytes);
  if (bytes.readUInt8(9) !== tcp || bytes.length < at + 20) return bytes;
  const segment = bytes.subarray(at);
  segment.writeUInt16BE(0, 16);
  const pseudo = Buffer.alloc(12);
  bytes.copy(pseudo, 0, 12, 20);
  pseudo.writeUInt8(tcp, 9);
  pseudo.writeUInt16BE(segment.length, 10);
  segment.writeUInt16BE(checksum([pseudo, segment]), 16);
  return bytes;
}

function resetSegment(from: Buffer, to: Buffer, sequence: number): Buffer {
  const segment = Buffer.alloc(20);
  from.copy(segment, 0);
  to.copy(segment, 2);
  segment.writeUInt32BE(sequence, 4);
  segment.writeUInt8(5 << 4, 12);
  segment.writeUInt8(flags.reset, 13);
  return segment;
}

function header(protocol: number, from: Buffer, to: Buffer, body: Buffer): Buffer {
  const head = Buffer.alloc(20);
  head.writeUInt8(0x45, 0);
  head.writeUInt16BE(head.length + body.length, 2);
  head.writeUInt8(64, 8);
  head.writeUInt8(protocol, 9);
  from.copy(head, 12);
  to.copy(head, 16);
  head.writeUInt16BE(checksum([head]), 10);
  return Buffer.concat([head, body]);
}

function headerBytes(bytes: Buffer): number {
  return (bytes.readUInt8(0) & 0x0f) * 4;
}

/** RFC 1071. Each part but the last is of an even length. */
function checksum(parts: readonly Buffer[]): number {
  let sum = 0;
  for (const part of parts) {
    for (let at = 0; at + 1 < part.length; at += 2) sum += part.readUInt16BE(at);
    if (part.length % 2 === 1) sum += part.readUInt8(part.length - 1) << 8;
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
