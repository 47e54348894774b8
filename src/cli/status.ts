/** `latticegate status` */
import { runningGateway } from "../app/certificate-authority.ts";
import { loadConfig } from "../app/config.ts";
import { outletFindings } from "../app/outlets/doctor-outlets.ts";
import { pathFactText, readPathFacts } from "../app/path-facts.ts";
import { bundleFindings } from "../app/policy/doctor-bundle.ts";
import { signerHealth } from "../app/signer/gateway-signer.ts";
import { killFileOf, killsStanding } from "../app/respond/kill-operations.ts";
import { reportedIncidents } from "../app/witness-records.ts";
import { systemClock } from "../host/system.ts";
import { stoppedLines } from "./kill.ts";
import { observing } from "./up.ts";
import { type Command, configFile, configOption } from "./command.ts";
import { peerLine } from "./peer-options.ts";
import { shown } from "./tools-text.ts";

export const status = {
  options: configOption,
  run: async (call) => {
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
    for (const fact of await readPathFacts(config.state)) call.out(`Path      to ${pathFactText(fact)}`);
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
