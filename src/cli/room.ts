/**
 * Commands that ask a control room: that of another machine (`--remote`), or of the gateway that runs here; where none
 * runs, they read and change the files it would run on.
 */
import path from "node:path";

import { runningGateway } from "../app/certificate-authority.ts";
import { type Config, loadConfig } from "../app/config.ts";
import { type ControlRoom, openControlRoom } from "../app/control/ask-control.ts";
import { openRemoteRoom, type RemotesPlace } from "../app/control/remote-rooms.ts";
import { sidecarState } from "../app/sidecar-state.ts";
import { systemClock, systemLog } from "../host/system.ts";
import { Refusal } from "../kernel/refusal.ts";
import { type CommandCall, configFile, configOption } from "./command.ts";
import { who } from "./who.ts";

export const remoteOption = {
  remote: {
    type: "string",
    value: "NAME",
    help: "Ask the control room of another machine, which `latticegate remote join` made known; $LATTICEGATE_REMOTE by default.",
  },
} as const;

/** Which one a command asks. */
export const roomPlaceOptions = { ...configOption, ...remoteOption } as const;

export const roomOptions = { ...roomPlaceOptions, json: { type: "boolean", help: "Print JSON." } } as const;

interface Ways<T> {
  readonly asked: (room: ControlRoom) => Promise<T>;
  /** The same without a gateway that runs. */
  readonly here: (config: Config) => T | Promise<T>;
  /** Of this machine's files even while its gateway runs: what must work when that doesn't answer. */
  readonly prefersFiles?: boolean;
}

/** @throws Refusal with what the control room says, if it says no */
export async function ask<T>(call: CommandCall, { asked, here, prefersFiles = false }: Ways<T>): Promise<T> {
  const remote = remoteNamed(call);
  if (remote !== undefined) return await askRemote(remote, asked);
  const config = loadConfig(configFile(call));
  const socket = prefersFiles ? undefined : (await runningGateway(config.state))?.control;
  if (socket === undefined) return await here(config);
  return await within(openControlRoom({ kind: "socket", path: socket, operator: who() }), asked);
}

/**
 * The control room of another machine that a command is to ask, if any: `--remote`, else `$LATTICEGATE_REMOTE` unless
 * an option names something of this machine.
 * @throws Refusal `bad_config` if it is named together with such an option
 */
export function remoteNamed(call: CommandCall): string | undefined {
  const local = localOptions.find((option) => call.text(option) !== undefined);
  const remote = call.text("remote");
  if (remote === undefined)
    return local === undefined ? process.env["LATTICEGATE_REMOTE"] || undefined : undefined;
  if (local === undefined) return remote;
  throw new Refusal("bad_config", `Expected --${local} or --remote, not both.`);
}

const localOptions = ["config", "state", "log", "index", "token-file"] as const;

export async function askRemote<T>(name: string, asked: (room: ControlRoom) => Promise<T>): Promise<T> {
  return await within(await openRemoteRoom(remotesPlace(), name), asked);
}

async function within<T>(room: ControlRoom, asked: (room: ControlRoom) => Promise<T>): Promise<T> {
  try {
    return await asked(room);
  } finally {
    await room.close();
  }
}

/** Where this person's identities for other machines are. */
export function remotesPlace(state?: string): RemotesPlace {
  return {
    folder: path.join(sidecarState(state), "remotes"),
    clock: systemClock,
    log: systemLog({ level: "warn" }),
  };
}

/** What stands in a path for a name. */
export const inPath = encodeURIComponent;
