/** `latticegate audit witness`, `audit witness accept`, `audit witness compare` */
import path from "node:path";

import { sidecarState } from "../app/sidecar-state.ts";
import {
  acceptIncident,
  forgetsKeys,
  headLine,
  type WitnessedBy,
  withLog,
  witnessOnce,
} from "../app/witness-command.ts";
import { compareHeads, type Comparison, readKeptHeads } from "../app/witness-comparison.ts";
import type { Cosigned } from "../app/witness-round.ts";
import { whatToDo } from "../app/witnessing.ts";
import { isThere } from "../host/store/files.ts";
import { systemClock, systemLog } from "../host/system.ts";
import { fromUtf8 } from "../kernel/bytes.ts";
import { Refusal } from "../kernel/refusal.ts";
import type { Command, CommandCall } from "./command.ts";
import { identityOptions, identitySource, sidecarStateOption } from "./sidecar-options.ts";

const logOptions = {
  log: {
    type: "string",
    value: "FOLDER",
    help: "A log or a copy of it, instead of asking the sidecar's gateway; nothing is cosigned then.",
  },
  key: {
    type: "string",
    value: "FILE",
    help: "The log's public key to begin with, got another way; else the first that is shown is pinned.",
  },
} as const;

export const auditWitness = {
  options: { ...identityOptions, ...sidecarStateOption, ...logOptions },
  run: async (call) => {
    const outcome = await witnessOnce(witnessedBy(call));
    if (outcome.kind === "consistent") {
      const { size, atUnixS } = outcome.head;
      const at = atUnixS === undefined ? "an unknown time" : new Date(atUnixS * 1000).toISOString();
      const before = outcome.isNewer ? "" : ", as before";
      call.out(`consistent: ${size} entries, head of ${at}${before}${cosignedText(outcome.cosigned)}`);
      return 0;
    }
    if (outcome.kind === "unreadable") call.out(`nothing was learned: ${outcome.says}`);
    else call.out(`${outcome.isNew ? "incident" : "open incident"}: ${whatToDo(outcome.incident)}`);
    return 1;
  },
} as const satisfies Command;

export const auditWitnessAccept = {
  options: sidecarStateOption,
  run: async (call) => {
    const state = sidecarState(call.text("state"));
    const accepted = await acceptIncident({ state, clock: systemClock, logger });
    if (accepted === undefined) {
      call.out(`No incident is open in ${state}.`);
      return 0;
    }
    const { incident, isGatewayTold } = accepted;
    call.out(`accepted: ${incident.what}. ${incident.says}`);
    call.out(
      `From ${headLine(incident.kept)} to ${headLine(incident.shown)}; evidence stays in ${incident.file}`,
    );
    if (forgetsKeys(incident.what)) {
      call.out(
        'The next log that is shown will be believed, whoever signed it. To believe none but yours, get its key file another way and run "latticegate audit witness --key FILE" before anything else asks: sidecars on this state folder do so within a minute.',
      );
    }
    if (!isGatewayTold) call.out("The gateway couldn't be told; its list of incidents still has it.");
    return 0;
  },
} as const satisfies Command;

export const auditWitnessCompare = {
  options: { ...sidecarStateOption, ...logOptions },
  run: async (call) => {
    const options = witnessedBy(call);
    const own = path.join(options.state, "witness");
    const places = [...call.positionals, ...((await isThere(path.join(own, "checkpoint"))) ? [own] : [])];
    const isWithLog = options.log !== undefined;
    if (call.positionals.length === 0 || (places.length < 2 && !isWithLog)) {
      throw new Refusal(
        "bad_config",
        "Name the checkpoints or witness folders of two witnesses at least, or of one and a log.",
      );
    }
    const kept = await readKeptHeads([...new Set(places.map((each) => path.resolve(each)))], options.key);
    const canAsk = isWithLog || (await isThere(path.join(options.state, "identity.json")));
    const compared = canAsk
      ? await withLog(options, (source) => compareHeads(kept, source))
      : await compareHeads(kept, undefined);
    return print(compared, call.out);
  },
} as const satisfies Command;

function cosignedText(cosigned: Cosigned): string {
  if (cosigned.kind === "refused") return `; its cosignature wasn't taken: ${cosigned.why}`;
  return cosigned.kind === "taken" ? "; cosigned" : "";
}

function print(compared: Comparison, out: CommandCall["out"]): number {
  if (compared.kind === "one-history") {
    out(`one history: ${compared.heads.length} heads, the newest of ${compared.size} entries`);
    return 0;
  }
  const { kind, says } = compared;
  out(`${kind === "unproven" ? "not proven" : "split view"}: ${says}`);
  const evidence = kind === "split-view" ? compared.evidence : [];
  for (const { by, checkpoint } of evidence) out(`\n-- ${by} --\n${fromUtf8(checkpoint) ?? ""}`);
  return 1;
}

const logger = systemLog({ level: "warn" });

function witnessedBy(call: CommandCall): WitnessedBy {
  const [log, key] = [call.text("log"), call.text("key")];
  return {
    state: sidecarState(call.text("state")),
    clock: systemClock,
    logger,
    ...identitySource(call),
    ...(log !== undefined && { log }),
    ...(key !== undefined && { key }),
  };
}
