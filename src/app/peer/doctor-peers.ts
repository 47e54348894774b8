/** What the doctor says of peers: whether this gateway can be met, and how the peers behind it are reached. */
import { isPeerNameText } from "../../identity/peer-name.ts";
import { askGateway } from "../crypto/ask-gateway.ts";
import type { LiveDocument } from "../crypto/live-document.ts";
import type { Config } from "../config.ts";
import type { Finding } from "../doctor.ts";
import { pathInWords } from "../../model/peer-path.ts";

/** Asked after a call on each server was tried, so that links that can be there are there. */
export async function peerFindings(config: Config): Promise<readonly Finding[]> {
  const asked = await askGateway(config);
  if (asked.kind !== "answered") return [];
  const { live } = asked;
  return [...live.rendezvous.map(met), ...live.servers.flatMap((server) => reached(server, config))];
}

function met({ rendezvous, address, seen }: LiveDocument["rendezvous"][number]): Finding {
  const what = "peers";
  if (seen !== null)
    return {
      level: "ok",
      what,
      text: `${rendezvous} at ${address} introduces callers; it sees us at ${seen}`,
    };
  return {
    level: "wrong",
    what,
    text: `${rendezvous} at ${address} isn't there, or doesn't take this gateway: peers can't be introduced by it`,
    remedy: `see that "latticegate relay" runs there and its port is open, and what the log says of peer.refused and peer.rendezvous_unreachable`,
  };
}

function reached({ name, path }: LiveDocument["servers"][number], { servers }: Config): readonly Finding[] {
  const server = servers[name];
  if (server === undefined || !("url" in server) || !isPeerNameText(server.url)) return [];
  const what = `peer ${name}`;
  if (path === null)
    return [
      {
        level: "wrong",
        what,
        text: "there is no link to it now",
        remedy: `see that its "latticegate expose --p2p" runs, by the same rendezvous, and that its --allow and the relay's segments name this gateway`,
      },
    ];
  const text = `reached ${pathInWords(path)}`;
  if (path.kind !== "relayed") return [{ level: "ok", what, text }];
  return [
    {
      level: "warn",
      what,
      text,
      remedy:
        "it works, and the relay reads nothing; docs/guide/peers.md says what makes a direct way possible",
    },
  ];
}
