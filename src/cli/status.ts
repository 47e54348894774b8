/** `latticegate status` */
import { runningGateway } from "../app/certificate-authority.ts";
import { type Config, loadConfig } from "../app/config.ts";
import type { ControlRoom } from "../app/control/ask-control.ts";
import { statusAnswer } from "../app/control/status-routes.ts";
import { peerFindings } from "../app/peer/doctor-peers.ts";
import { outletFindings } from "../app/outlets/doctor-outlets.ts";
import { pathFactText, readPathFacts } from "../app/path-facts.ts";
import { bundleFindings } from "../app/policy/doctor-bundle.ts";
import { signerHealth } from "../app/signer/gateway-signer.ts";
import { killFileOf, killsStanding } from "../app/respond/kill-operations.ts";
import { reportedIncidents } from "../app/witness-records.ts";
import { systemClock } from "../host/system.ts";
import { stoppedLines } from "./kill.ts";
import { observing } from "./up.ts";
import { type Command, type CommandCall, configFile } from "./command.ts";
import { ask, remoteNamed, roomPlaceOptions } from "./room.ts";
import { peerLine } from "./peer-options.ts";
import { shown } from "./tools-text.ts";

export const status = {
  options: roomPlaceOptions,
  run: async (call) => {
    if (remoteNamed(call) !== undefined) return await ask(call, { asked: there(call), here: () => 1 });
    const config = loadConfig(configFile(call));
    const run = await runningGateway(config.state);
    const stopped = stoppedLines(killsStanding(config, systemClock), killFileOf(config));
    for (const line of stopped) call.out(line);
    if (run === undefined) {
      call.out(`No gateway runs on ${config.state}.`);
      return 1;
    }
    call.out(
      `Latticegate runs at ${run.listen} since ${new Date(run.startedAtUnixMs).toISOString()} (process ${run.pid})`,
    );
    if (run.observes === true) call.out(observing);
    if (run.peer !== undefined) call.out(peerLine(run.peer));
    if (run.dashboard !== undefined)
      call.out(`Page      ${run.dashboard}  ("latticegate login" prints a link that logs you in)`);
    for (const line of await pathLines(config)) call.out(line);
    for (const { text } of bundleFindings({ config, clock: systemClock }))
      call.out(`Policies  ${shown(text)}`);
    for (const { level, text } of await outletFindings(config))
      if (level !== "ok") call.out(`Outlet    ${text}`);
    const incidents = await reportedIncidents(config.state);
    for (const { kind, spiffe_id: by, at } of incidents) {
      call.out(`Log       ${kind} reported by ${by} at ${at}: see "latticegate audit witnesses"`);
    }
    const signer = await signerHealth(config);
    if (signer.kind === "answers") call.out(`Signer    answers at ${signer.socket}`);
    if (signer.kind !== "away") return 0;
    call.out(
      `Signer    away (${signer.why}): calls go on, heads of the log fall behind, no new certificates`,
    );
    return 1;
  },
} as const satisfies Command;

/** How peers are reached, and which paths take a detour. */
async function pathLines(config: Config): Promise<readonly string[]> {
  const [peers, paths] = [await peerFindings(config), await readPathFacts(config.state)];
  return [
    ...peers.map(({ what, text }) => {
      const [, name] = what.split(" ", 2);
      return `Peer      ${name === undefined ? text : `${name}: ${text}`}`;
    }),
    ...paths.map((fact) => `Path      to ${pathFactText(fact)}`),
  ];
}

/** What a control room on another machine says of its gateway. */
function there(call: CommandCall): (room: ControlRoom) => Promise<number> {
  return async (room) => {
    const { stopped, listener, startedAtUnixMs, servers, log } = await room.get("/status", statusAnswer);
    for (const line of stoppedLines(stopped, "the gateway's kill file")) call.out(line);
    call.out(`Latticegate runs at ${listener.address} since ${new Date(startedAtUnixMs).toISOString()}`);
    call.out(`Links     ${listener.profile}: ${listener.groups.join(", ")}, ${listener.authentication}`);
    for (const { name, transport, target, calls, failures } of servers)
      call.out(
        `Server    ${shown(name)} (${transport} ${shown(target)}): ${calls} calls, ${failures} failed`,
      );
    call.out(`Log       ${log.size} entries, ${log.checkpoint?.size ?? 0} of them under its newest head`);
    return 0;
  };
}
