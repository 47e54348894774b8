/** Somebody between a client and a server who changes what is said first, and listens to the rest. */
import { once } from "node:events";
import net, { type AddressInfo } from "node:net";

import { atEnd, type Cleanup } from "./cleanup.ts";

export interface TamperingLink {
  /** Where to connect instead. */
  readonly address: string;
  /** What the server sent on the newest connection. */
  readonly fromServer: () => Buffer;
  /** Resolves when both ends of the newest connection are gone. */
  readonly over: () => Promise<void>;
}

/** Changes the first TLS record of each direction. */
type Tampering = Readonly<Partial<Record<"client" | "server", (record: Buffer) => Uint8Array>>>;

const recordHeader = 5;

export async function tamperingLink(
  t: Cleanup,
  address: string,
  tampering: () => Tampering,
): Promise<TamperingLink> {
  const [host, port] = address.split(":");
  const open = new Set<net.Socket>();
  let heard: Buffer[] = [];
  let over = Promise.resolve();
  const server = net.createServer((near) => {
    const far = net.connect(Number(port), host);
    const { client, server: answer } = tampering();
    heard = [];
    const mine = heard;
    forward(near, far, client);
    forward(far, near, answer, (chunk) => mine.push(chunk));
    over = Promise.all([near, far].map((socket) => closed(socket, open))).then(() => undefined);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  atEnd(t, () => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    fromServer: () => Buffer.concat(heard),
    over: () => over,
  };
}

async function closed(socket: net.Socket, open: Set<net.Socket>): Promise<void> {
  open.add(socket);
  socket.on("error", () => undefined);
  await new Promise((resolve) => socket.once("close", resolve));
  open.delete(socket);
}

function forward(
  from: net.Socket,
  to: net.Socket,
  tamper: (record: Buffer) => Uint8Array = (record) => record,
  listen: (chunk: Buffer) => void = () => undefined,
): void {
  let first: Buffer | undefined = Buffer.alloc(0);
  from.on("data", (chunk: Buffer) => {
    listen(chunk);
    if (first === undefined) {
      to.write(chunk);
      return;
    }
    first = Buffer.concat([first, chunk]);
    if (first.length < recordHeader) return;
    const end = recordHeader + first.readUInt16BE(3);
    if (first.length < end) return;
    to.write(Buffer.concat([tamper(first.subarray(0, end)), first.subarray(end)]));
    first = undefined;
  });
  from.on("close", () => to.end());
}
