/** `latticegate crypto peers`, `crypto peers accept` */
import { loadConfig } from "../app/config.ts";
import { acceptPeer, listPeers, type PeerReport } from "../app/peer-operations.ts";
import { type Direction, directions } from "../host/store/state-peers.ts";
import { systemClock } from "../host/system.ts";
import { Refusal } from "../kernel/refusal.ts";
import { type Command, type CommandCall, configFile, configOption } from "./command.ts";

const options = {
  ...configOption,
  json: { type: "boolean", help: "Print JSON." },
} as const;

export const cryptoPeers = {
  options,
  run: (call) => {
    if (call.positionals.length > 0) {
      throw new Refusal("bad_config", "Expected no name; `latticegate crypto peers accept PEER` takes one.");
    }
    const peers = listPeers(loadConfig(configFile(call)));
    if (call.flag("json")) call.out(JSON.stringify(peers, null, 2));
    else if (peers.length === 0) call.out("no peer is remembered");
    else for (const line of peers.flatMap(linesOf)) call.out(line);
    return Promise.resolve(0);
  },
} as const satisfies Command;

export const cryptoPeersAccept = {
  options: {
    ...options,
    direction: {
      type: "string",
      value: directions.join("|"),
      help: "Which, where a peer calls and is called.",
    },
  },
  run: (call) => {
    // Some names have spaces: a client and for whom it acts, a server and its origin.
    const peer = call.positionals.join(" ");
    if (peer === "") {
      throw new Refusal("bad_config", "Name the peer as `latticegate crypto peers` lists it.");
    }
    const done = acceptPeer(loadConfig(configFile(call)), peer, directionIn(call), systemClock);
    if (call.flag("json"))
      call.out(JSON.stringify({ accepted: done !== undefined, ...(done && { peer: done }) }));
    else if (done === undefined) call.out(`nothing to accept: ${peer} shows what it was seen with before`);
    else call.out(`accepted ${peer}: ${done.best}`);
    return Promise.resolve(done === undefined ? 1 : 0);
  },
} as const satisfies Command;

function directionIn(call: CommandCall): Direction | undefined {
  const text = call.text("direction");
  const direction = directions.find((each) => each === text);
  if (text === undefined || direction !== undefined) return direction;
  throw new Refusal("bad_config", `--direction takes ${directions.join(" or ")}, found "${text}".`);
}

function linesOf(peer: PeerReport): readonly string[] {
  return [
    `${peer.direction}  ${peer.peer}`,
    `  best         ${peer.best}, since ${peer.since}, ${peer.expires === "off" ? "not judged" : `until ${peer.expires}`}`,
    `  last         ${peer.last}, ${peer.lastSeen}, ${peer.links} link${peer.links === 1 ? "" : "s"} since ${peer.firstSeen}`,
    ...peer.regressions.map(
      ({ kind, confidence, verdict, says }) =>
        `  ${verdict === "refuse" ? "refused" : "flagged"}      ${kind} (${confidence}): ${says}`,
    ),
  ];
}
