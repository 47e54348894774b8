/** `latticegate pins list`, `pins approve`, `pins forget`, `pins fingerprint` */
import { loadConfig } from "../app/config.ts";
import { ownFingerprint } from "../app/signatures/message-keys.ts";
import { approvePin, forgetPin, listPins } from "../app/signatures/pin-operations.ts";
import { sidecarState } from "../app/sidecar-state.ts";
import type { Pin } from "../host/store/state-pins.ts";
import { systemClock } from "../host/system.ts";
import { Refusal } from "../kernel/refusal.ts";
import type { Command, CommandCall } from "./command.ts";
import { sidecarStateOption } from "./sidecar-options.ts";

const options = {
  ...sidecarStateOption,
  config: {
    type: "string",
    value: "FILE",
    help: "On the gateway's machine, of the gateway: its config file.",
  },
} as const;

export const pinsList = {
  options: { ...options, json: { type: "boolean", help: "Print JSON." } },
  run: (call) => {
    none(call);
    const { pins, signers } = listPins(stateOf(call));
    if (call.flag("json")) call.out(JSON.stringify({ pins: pins.map(jsonOf), signers }, null, 2));
    else if (pins.length + signers.length === 0) call.out("no message keys are pinned");
    else {
      for (const line of pins.flatMap(linesOf)) call.out(line);
      for (const name of signers) call.out(`signs       ${name}`);
    }
    return Promise.resolve(0);
  },
} as const satisfies Command;

export const pinsApprove = {
  options: {
    ...options,
    for: {
      type: "string",
      value: "TARGET",
      help: "Of a sidecar: that end answers for the server of that name, or at that URL, instead of the one that did.",
    },
  },
  run: async (call) => {
    const [name, fingerprint] = two(call);
    const { before, now } = await approvePin(
      stateOf(call),
      { name, fingerprint, target: call.text("for") },
      systemClock,
    );
    const instead =
      before === undefined || before.fingerprint === fingerprint ? "" : `, instead of ${before.fingerprint}`;
    const unseen = now.keys === undefined ? "; they count when they are seen" : "";
    call.out(`approved: ${fingerprint} of ${name}${instead}${unseen}`);
    return 0;
  },
} as const satisfies Command;

export const pinsForget = {
  options,
  run: (call) => {
    const [name, ...more] = call.positionals;
    if (name === undefined || more.length > 0) throw new Refusal("bad_config", "Expected one SPIFFE ID.");
    const wasThere = forgetPin(stateOf(call), name, systemClock);
    call.out(wasThere ? `forgotten: ${name}` : `nothing to forget: no message keys of ${name} are pinned`);
    return Promise.resolve(wasThere ? 0 : 1);
  },
} as const satisfies Command;

export const pinsFingerprint = {
  options,
  run: async (call) => {
    none(call);
    const config = call.text("config");
    call.out(
      await ownFingerprint(config === undefined ? { state: stateOf(call) } : { config: loadConfig(config) }),
    );
    return 0;
  },
} as const satisfies Command;

function stateOf(call: CommandCall): string {
  const [config, state] = [call.text("config"), call.text("state")];
  if (config === undefined) return sidecarState(state);
  if (state === undefined) return loadConfig(config).state;
  throw new Refusal("bad_config", "Expected --config for the gateway or --state for a sidecar, not both.");
}

function none(call: CommandCall): void {
  if (call.positionals.length > 0) throw new Refusal("bad_config", "Expected no further argument.");
}

function two(call: CommandCall): readonly [string, string] {
  const [name, fingerprint, ...more] = call.positionals;
  if (name !== undefined && fingerprint !== undefined && more.length === 0) return [name, fingerprint];
  throw new Refusal("bad_config", "Expected the SPIFFE ID and the fingerprint of its message keys.");
}

function jsonOf(pin: Pin): object {
  const { name, fingerprint, state, sinceUnixMs, keys, refused, because } = pin;
  return {
    name,
    fingerprint,
    state,
    since: new Date(sinceUnixMs).toISOString(),
    seen: keys !== undefined,
    ...(keys !== undefined && { keys: JSON.parse(keys) as unknown }),
    ...(refused !== undefined && { refused }),
    ...(because !== undefined && { because }),
  };
}

function linesOf({ name, fingerprint, state, sinceUnixMs, keys, refused, because }: Pin): readonly string[] {
  const notes = [
    `since ${new Date(sinceUnixMs).toISOString()}`,
    ...(keys === undefined ? ["not seen yet"] : []),
    ...(because === undefined ? [] : [because]),
  ];
  return [
    `${state.padEnd(11)} ${name}`,
    `            ${fingerprint}  ${notes.join(", ")}`,
    ...(refused === undefined ? [] : [`  refused   ${refused}  which it showed instead`]),
  ];
}
