/** The options of commands that meet peers, the same wherever they stand. */
import type { AskedPeers } from "../app/peer/peer-places.ts";
import { peerNameOf } from "../identity/peer-name.ts";
import { Refusal } from "../kernel/refusal.ts";
import type { CommandCall, Option } from "./command.ts";

export const peerOptions = {
  via: {
    type: "string",
    multiple: true,
    value: "NAME@HOST:PORT",
    help: "A relay that introduces peers, as `latticegate relay` prints it; several are used at once. Or $LATTICEGATE_VIA.",
  },
  lan: {
    type: "boolean",
    help: "Peers on the same network find each other by themselves (mDNS).",
  },
} as const satisfies Record<string, Option>;

export const peerPortOption = {
  "p2p-port": {
    type: "string",
    value: "PORT",
    help: "The one TCP port of all connections with peers; a free one by default.",
  },
} as const satisfies Record<string, Option>;

/** @throws Refusal `bad_config` */
export function askedPeers(call: CommandCall): AskedPeers {
  const given = call.texts("via");
  const fromEnvironment = (process.env["LATTICEGATE_VIA"] ?? "").split(",").filter((each) => each !== "");
  return { via: given.length > 0 ? given : fromEnvironment, isLocal: call.flag("lan"), ...peerPort(call) };
}

/** How peers call a gateway's servers. */
export function peerLine(peerId: string): string {
  return `Peers     ${peerNameOf({ peerId, server: "SERVER" })}`;
}

function peerPort(call: CommandCall): { readonly port?: number } {
  const text = call.text("p2p-port");
  if (text === undefined) return {};
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port >= 1024 && port <= 65_535) return { port };
  throw new Refusal("bad_config", `--p2p-port takes a port from 1024 to 65535, found "${text}".`);
}
