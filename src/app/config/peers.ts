/** `peers` in the config: how the gateway meets peers behind NATs, those it calls and those that call it. */
import { z } from "zod";

import { isPeerNameText } from "../../identity/peer-name.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { ServerConfig } from "../config.ts";

export const peersSchema = z
  .strictObject({
    via: z
      .array(z.string().min(1).max(300))
      .max(8)
      .default([])
      .describe("Relays that introduce peers, as `latticegate relay` prints them: NAME@HOST:PORT each."),
    lan: z
      .boolean()
      .default(false)
      .describe("Whether peers on the same network find each other by themselves (mDNS)."),
    called: z
      .boolean()
      .default(false)
      .describe(
        "Whether peers may call this gateway's servers by its peer id; `latticegate status` shows it.",
      ),
    port: z
      .int()
      .min(1024)
      .max(65_535)
      .optional()
      .describe("The one TCP port on which peers who call the gateway are met; a free one by default."),
    allow: z
      .array(z.string().min(1).max(2048))
      .min(1)
      .max(64)
      .default(["*"])
      .describe(
        'SPIFFE IDs of callers who may be introduced to the gateway, "*" for any run of characters. What they may call is for the policies to say.',
      ),
  })
  .prefault({})
  .describe(
    "Peers behind NATs: servers named `mcp-pqc://…` are reached through these, and so is the gateway.",
  );

export type PeersConfig = z.output<typeof peersSchema>;

/** @throws Refusal `bad_config` where a peer is named, or wants to be called, and nobody could find it */
export function checkPeers(
  { via, lan, called }: PeersConfig,
  servers: Readonly<Record<string, ServerConfig>>,
): void {
  if (via.length > 0 || lan) return;
  const why = "name a relay under `peers.via`, or set `peers.lan` for peers on this network";
  if (called) throw new Refusal("bad_config", `peers.called: nobody could find this gateway; ${why}.`);
  for (const [name, server] of Object.entries(servers)) {
    if ("url" in server && isPeerNameText(server.url))
      throw new Refusal("bad_config", `servers.${name}: nobody could find this peer; ${why}.`);
  }
}
