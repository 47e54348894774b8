/** `latticegate relay` */
import { startRelay } from "../app/peer/relay.ts";
import { keepRelayStatus, readRelayStatus, type RelayStatus } from "../app/peer/relay-status.ts";
import { everybody, followSegments } from "../app/peer/segments-file.ts";
import { sidecarState } from "../app/sidecar-state.ts";
import { systemClock, systemLog } from "../host/system.ts";
import { Refusal } from "../kernel/refusal.ts";
import { parseSizeBytes } from "../kernel/units.ts";
import type { Command, CommandCall } from "./command.ts";
import { jsonText, shown } from "./tools-text.ts";
import { identityOptions, identitySource, sidecarStateOption } from "./sidecar-options.ts";
import { untilStopped } from "./signals.ts";

const defaultListen = "0.0.0.0:8445";

export const relay = {
  options: {
    ...identityOptions,
    ...sidecarStateOption,
    listen: {
      type: "string",
      value: "HOST:PORT",
      help: `Where to listen; ${defaultListen} by default. The next port tells peers what their NAT shows to others.`,
    },
    segments: {
      type: "string",
      value: "FILE",
      help: "Rules, in YAML: who may be introduced to whom. By default the peers that are called decide alone.",
    },
    "max-streams": {
      type: "string",
      value: "COUNT",
      help: "Relayed streams at once, 1024 by default; one identity has at most 16 of them.",
    },
    "max-rate": {
      type: "string",
      value: "SIZE",
      help: "Bytes a second of one relayed stream, 64MiB by default.",
    },
    verbose: { type: "boolean", help: "Log each introduction and stream to stderr." },
  },
  run: async (call) => {
    const stopped = untilStopped();
    const log = systemLog({ level: call.flag("verbose") ? "debug" : "warn" });
    let changed = (): void => {};
    const file = call.text("segments");
    const rules = file === undefined ? undefined : followSegments(file, log, () => changed());
    const running = await startRelay({
      listen: call.text("listen") ?? defaultListen,
      segments: () => rules?.current() ?? everybody,
      limits: limitsOf(call),
      state: sidecarState(call.text("state")),
      clock: systemClock,
      log,
      ...identitySource(call),
    });
    changed = running.refresh;
    const state = sidecarState(call.text("state"));
    const endStatus = await keepRelayStatus(state, running, { clock: systemClock, log, pid: process.pid });
    const port = running.address.slice(running.address.lastIndexOf(":") + 1);
    call.out(`Relay ${running.name} listens on ${running.address} as ${running.spiffeId}`);
    call.out(
      `Peers name it with --via ${running.name}@HOST:${port}, HOST being how they reach this machine.`,
    );
    await stopped;
    rules?.stop();
    await endStatus();
    await running.stop();
    return 0;
  },
} as const satisfies Command;

export const relayStatus = {
  options: { ...sidecarStateOption, json: { type: "boolean", help: "Print JSON." } },
  run: async (call) => {
    if (call.positionals.length > 0) throw new Refusal("bad_config", "Expected no further argument.");
    const status = await readRelayStatus(sidecarState(call.text("state")), systemClock.nowUnixMs());
    if (call.flag("json")) call.out(jsonText(status));
    else for (const line of statusLines(status)) call.out(line);
    return 0;
  },
} as const satisfies Command;

const nats = {
  same: "its NAT keeps its port: others can meet it",
  differs: "its NAT shows each destination another port: symmetric",
  unknown: "nothing is known of its NAT",
} as const;

function statusLines({
  name,
  listen,
  started,
  peers,
  streams,
  totals,
  findings,
}: RelayStatus): readonly string[] {
  const passed = (up: number, down: number): string => `${up} bytes to the peer, ${down} back`;
  return [
    `Relay ${name} runs at ${listen} since ${started}`,
    `Carried   ${totals.streams} streams, ${passed(totals.bytes_to_peer, totals.bytes_to_caller)}`,
    ...peers.map(
      ({ peer, servers, spiffe_id: id, seen, nat }) =>
        `Peer      ${peer} (${shown(servers.join(", "))}) of ${id} at ${seen}; ${nats[nat]}`,
    ),
    ...streams.map(
      ({ caller, peer, server, since, bytes_to_peer: up, bytes_to_caller: down }) =>
        `Stream    ${caller} to ${shown(server)} of ${peer} since ${since}: ${passed(up, down)}`,
    ),
    ...findings.map(
      ({ at, flow, severity, says }) => `Finding   ${at} ${severity}: ${shown(flow)}: ${shown(says)}`,
    ),
  ];
}

/** @throws Refusal `bad_config` */
function limitsOf(call: CommandCall): { readonly streams?: number; readonly bytesPerSecond?: number } {
  const [streams, rate] = [call.text("max-streams"), call.text("max-rate")];
  const bytesPerSecond = rate === undefined ? undefined : parseSizeBytes(rate);
  if (streams !== undefined && !/^[1-9]\d{0,5}$/.test(streams))
    throw new Refusal("bad_config", `--max-streams takes a count, found "${streams}".`);
  if (rate !== undefined && (bytesPerSecond ?? 0) < 1)
    throw new Refusal("bad_config", `--max-rate takes a size such as 16MiB, found "${rate}".`);
  return {
    ...(streams !== undefined && { streams: Number(streams) }),
    ...(bytesPerSecond !== undefined && { bytesPerSecond }),
  };
}
