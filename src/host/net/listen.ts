/** Addresses as `host:port`, and servers bound to them. */
import type net from "node:net";

import { Refusal } from "../../kernel/refusal.ts";

/** Binds a server to `host:port` and says where it really listens. */
export function listen(server: net.Server, address: string): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause) => {
      const why =
        "code" in cause && cause.code === "EADDRINUSE" ? "another program listens there" : cause.message;
      reject(new Refusal("bad_config", `${address} can't be listened on: ${why}.`, { cause }));
    });
    server.listen(hostAndPort(address), () => {
      const bound = server.address();
      const host = address.slice(0, address.lastIndexOf(":"));
      resolve(typeof bound === "object" && bound !== null ? `${host}:${bound.port}` : address);
    });
  });
}

export function hostAndPort(address: string): { readonly host: string; readonly port: number } {
  const colon = address.lastIndexOf(":");
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ""), port: Number(address.slice(colon + 1)) };
}
