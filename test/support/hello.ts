/** ClientHellos taken from a real client and changed, for doors that have to withstand them (RFC 8446 §4.1.2, §4.2.8). */
import net from "node:net";
import tls from "node:tls";

/** The ClientHello a TLS client with these options sends. */
export function helloOf(options: tls.ConnectionOptions): Promise<Buffer> {
  return new Promise((resolve) => {
    const server = net.createServer((socket) => {
      socket.once("data", (hello: Buffer) => {
        resolve(hello);
        socket.destroy();
        server.close();
      });
      socket.on("error", () => {});
    });
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as net.AddressInfo;
      const client = tls.connect({ host: "127.0.0.1", port, ...options });
      client.on("error", () => {});
    });
  });
}

/** One entry of the key_share extension. */
export interface KeyShare {
  readonly groupId: number;
  readonly key: Buffer;
}

const keyShareExtension = 51;
const recordHeader = 5;
/** Where the session id stands in a ClientHello or ServerHello: behind two headers, the version and the random. */
const sessionIdAt = recordHeader + 4 + 2 + 32;

export function keySharesOf(hello: Buffer): readonly KeyShare[] {
  const shares: KeyShare[] = [];
  const { start, end } = keySharesIn(hello);
  for (let at = start + 2; at < end;) {
    const next = at + 4 + hello.readUInt16BE(at + 2);
    shares.push({ groupId: hello.readUInt16BE(at), key: hello.subarray(at + 4, next) });
    at = next;
  }
  return shares;
}

/** The same hello with other shares; all lengths around them are set right. */
export function withKeyShares(hello: Buffer, shares: readonly KeyShare[]): Buffer {
  const list = shares.map(({ groupId, key }) => Buffer.concat([uint16(groupId), uint16(key.length), key]));
  const data = vector(Buffer.concat(list));
  const { start, end, extensions } = keySharesIn(hello);
  const grown = data.length - (end - start);
  const changed = Buffer.concat([
    hello.subarray(recordHeader, start - 2),
    uint16(data.length),
    data,
    hello.subarray(end),
  ]);
  changed.writeUIntBE(changed.length - 4, 1, 3);
  changed.writeUInt16BE(hello.readUInt16BE(extensions) + grown, extensions - recordHeader);
  return records(changed);
}

/** Where a client's shares stand in the bytes of its hello: `start` is the length of the list. */
function keySharesIn(hello: Buffer): {
  readonly start: number;
  readonly end: number;
  readonly extensions: number;
} {
  const ciphers = sessionIdAt + 1 + hello.readUInt8(sessionIdAt);
  const compression = ciphers + 2 + hello.readUInt16BE(ciphers);
  const extensions = compression + 1 + hello.readUInt8(compression);
  for (let at = extensions + 2; at < hello.length; at += 4 + hello.readUInt16BE(at + 2)) {
    if (hello.readUInt16BE(at) !== keyShareExtension) continue;
    return { start: at + 4, end: at + 4 + hello.readUInt16BE(at + 2), extensions };
  }
  throw new Error("a hello without key shares");
}

/** Where the server's share begins and ends in the bytes of its ServerHello; undefined in a HelloRetryRequest. */
export function serverShareIn(hello: Buffer): { readonly start: number; readonly end: number } | undefined {
  const extensions = sessionIdAt + 1 + hello.readUInt8(sessionIdAt) + 3;
  const end = extensions + 2 + hello.readUInt16BE(extensions);
  for (let at = extensions + 2; at < end; at += 4 + hello.readUInt16BE(at + 2)) {
    const length = hello.readUInt16BE(at + 2);
    if (hello.readUInt16BE(at) === keyShareExtension && length > 2)
      return { start: at + 8, end: at + 4 + length };
  }
  return undefined;
}

/** Where the first share's bytes begin and end in a client's hello. */
export function clientShareIn(hello: Buffer): { readonly start: number; readonly end: number } {
  const { start } = keySharesIn(hello);
  return { start: start + 6, end: start + 6 + hello.readUInt16BE(start + 4) };
}

/** A handshake message in records of at most 2^14 bytes (RFC 8446 §5.1). */
function records(message: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < message.length; at += 16_384) {
    const part = message.subarray(at, at + 16_384);
    parts.push(Buffer.from([22, 3, 1]), uint16(part.length), part);
  }
  return Buffer.concat(parts);
}

function vector(bytes: Buffer): Buffer {
  return Buffer.concat([uint16(bytes.length), bytes]);
}

function uint16(value: number): Buffer {
  return Buffer.from([value >> 8, value & 0xff]);
}
