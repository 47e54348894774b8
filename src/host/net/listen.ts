/** Addresses as `host:port`, and servers bound to them. */
import type net from "node:net";

import { Refusal } from "../../kernel/refusal.ts";
import { boundSocket, numericAddress } from "./segment-size.ts";

/**
 * Binds a server to `host:port` and says where it really listens.
 * @param segmentBytes longest TCP segment of its connections, in both directions; the system's choice by default
 * @throws Refusal `bad_config`
 */
export async function listen(server: net.Server, address: string, segmentBytes?: number): Promise<string> {
  const place = await placeOf(address, segmentBytes);
  return await new Promise((resolve, reject) => {
    server.once("error", (cause) => reject(notListening(address, cause)));
    server.listen(place, () => {
      const bound = server.address();
      const host = address.slice(0, address.lastIndexOf(":"));
      resolve(typeof bound === "object" && bound !== null ? `${host}:${bound.port}` : address);
    });
  });
}

async function placeOf(address: string, segmentBytes: number | undefined): Promise<net.ListenOptions> {
  const { host, port } = hostAndPort(address);
  if (segmentBytes === undefined) return { host, port };
  try {
    const numeric = await numericAddress(host);
    return { handle: await boundSocket({ host: numeric.host, port }, segmentBytes) };
  } catch (cause) {
    throw cause instanceof Refusal ? cause : notListening(address, cause);
  }
}

function notListening(address: string, cause: unknown): Refusal {
  const isTaken = cause instanceof Error && "code" in cause && cause.code === "EADDRINUSE";
  const why = isTaken ? "another program listens there" : cause instanceof Error ? cause.message : "unknown";
  return new Refusal("bad_config", `${address} can't be listened on: ${why}.`, { cause });
}

export function hostAndPort(address: string): { readonly host: string; readonly port: number } {
  const colon = address.lastIndexOf(":");
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ""), port: Number(address.slice(colon + 1)) };
}
