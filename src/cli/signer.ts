/** `latticegate signer` and `latticegate signer init` */
import path from "node:path";

import { loadConfig } from "../app/config.ts";
import { initSigner } from "../app/signer/init-signer.ts";
import { startSigner } from "../app/signer/start-signer.ts";
import { isCredentialName, type SecretSource } from "../host/store/secret-source.ts";
import { systemClock, systemLog } from "../host/system.ts";
import { Refusal } from "../kernel/refusal.ts";
import { type Command, type CommandCall, configFile, configOption, type Option } from "./command.ts";
import { untilStopped } from "./signals.ts";

const signerOptions = {
  state: { type: "string", value: "FOLDER", help: "The signer's own folder of keys." },
  "unlock-file": {
    type: "string",
    value: "FILE",
    help: "What unlocks the keys; unlock.key in its folder by default.",
  },
  "unlock-env": { type: "string", value: "NAME", help: "The same, as an environment variable." },
  "unlock-credential": { type: "string", value: "NAME", help: "The same, as a systemd credential." },
} as const satisfies Record<string, Option>;

export const signer = {
  options: {
    ...signerOptions,
    socket: {
      type: "string",
      value: "PATH",
      help: "Unix socket to serve, in a folder only its user may write to.",
    },
    group: { type: "boolean", help: "Let the signer's group connect, too (socket mode 0660)." },
    verbose: { type: "boolean", help: "Log each certificate, not only what needs attention." },
  },
  run: async (call) => {
    const socket = required(call, "socket", "PATH");
    const stopped = untilStopped();
    const running = await startSigner({
      state: path.resolve(required(call, "state", "FOLDER")),
      socket: path.resolve(socket),
      forGroup: call.flag("group"),
      unlock: unlockOf(call),
      clock: systemClock,
      log: systemLog({ level: call.flag("verbose") ? "info" : "warn" }),
    });
    call.out(`Signer is up at ${socket}`);
    await stopped;
    await running.stop();
    return 0;
  },
} as const satisfies Command;

export const signerInit = {
  options: { ...configOption, ...signerOptions },
  run: async (call) => {
    const config = loadConfig(configFile(call));
    const state = path.resolve(required(call, "state", "FOLDER"));
    const moved = await initSigner(config, { state, unlock: unlockOf(call) });
    for (const name of moved) call.out(`moved ${name}`);
    if (moved.length === 0) call.out("There were no keys to move; the signer makes them when it is asked.");
    call.out(`Start it:  latticegate signer --state ${state} --socket PATH`);
    if (config.signer === undefined) call.out("and name the socket in the config:  signer: { socket: PATH }");
    return 0;
  },
} as const satisfies Command;

function required(call: CommandCall, option: string, value: string): string {
  const text = call.text(option);
  if (text === undefined || text === "") throw new Refusal("bad_config", `Say --${option} ${value}.`);
  return text;
}

function unlockOf(call: CommandCall): SecretSource | undefined {
  const [file, env, credential] = ["unlock-file", "unlock-env", "unlock-credential"].map(call.text);
  const sources: readonly SecretSource[] = [
    ...(file === undefined ? [] : [{ file }]),
    ...(env === undefined ? [] : [{ env }]),
    ...(credential === undefined ? [] : [{ credential }]),
  ];
  if (sources.length > 1)
    throw new Refusal("bad_config", "Name one thing that unlocks the keys, not several.");
  if (credential !== undefined && !isCredentialName(credential)) {
    throw new Refusal("bad_config", `"${credential}" is no name of a systemd credential.`);
  }
  return sources[0];
}
