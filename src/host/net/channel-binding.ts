/** What only the two ends of one TLS link know: `tls-exporter` (RFC 9266). Who relays between two links has two of them. */
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";

export function channelBinding(socket: Socket): Uint8Array {
  if (!(socket instanceof TLSSocket)) throw new Error("a link without TLS has no channel binding");
  return socket.exportKeyingMaterial(32, "EXPORTER-Channel-Binding", Buffer.alloc(0));
}
