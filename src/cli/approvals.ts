/** `latticegate approvals list | show | approve | deny | token` */
import { readFileSync } from "node:fs";

import { decideRequest, listRequests, showStored } from "../app/approvals/approval-operations.ts";
import { approverOf, freshToken, operatorBy, personOf } from "../app/approvals/approvers.ts";
import { type Config, loadConfig } from "../app/config.ts";
import type { Approver } from "../host/store/approval-rows.ts";
import { systemClock } from "../host/system.ts";
import { Refusal } from "../kernel/refusal.ts";
import { listedLines, shownLines, standing } from "./approvals-text.ts";
import { type Command, type CommandCall, configFile, configOption } from "./command.ts";
import { jsonText } from "./tools-text.ts";

const options = { ...configOption, json: { type: "boolean", help: "Print JSON." } } as const;

export const deciding = {
  ...options,
  because: {
    type: "string",
    before: "reason",
    value: "TEXT",
    help: "Why; who denies says it to the caller.",
  },
  "token-file": {
    type: "string",
    value: "FILE",
    help: "Decide as the person whose token (`approvals token`) stands in FILE, instead of as the operator.",
  },
} as const;

export const approvalsList = {
  options: { ...options, all: { type: "boolean", help: "Those that are over too, of the last 30 days." } },
  run: (call) => {
    if (call.positionals.length > 0) throw new Refusal("bad_config", "Expected no further argument.");
    const { state } = loadConfig(configFile(call));
    const requests = listRequests({ state, clock: systemClock }, { all: call.flag("all") });
    if (call.flag("json")) call.out(jsonText(requests));
    else for (const line of listedLines(requests)) call.out(line);
    return Promise.resolve(0);
  },
} as const satisfies Command;

export const approvalsShow = {
  options,
  run: async (call) => {
    const request = await showStored(loadConfig(configFile(call)), oneId(call), systemClock);
    if (call.flag("json")) call.out(jsonText(request));
    else for (const line of shownLines(request)) call.out(line);
    return 0;
  },
} as const satisfies Command;

export const approvalsApprove = {
  options: deciding,
  run: (call) => Promise.resolve(decide(call, "approve")),
} as const satisfies Command;

export const approvalsDeny = {
  options: deciding,
  run: (call) => Promise.resolve(decide(call, "deny")),
} as const satisfies Command;

export const approvalsToken = {
  options: { json: options.json },
  run: (call) => {
    if (call.positionals.length > 0) throw new Refusal("bad_config", "Expected no further argument.");
    const { token, hash } = freshToken();
    if (call.flag("json")) call.out(jsonText({ token, token_hash: hash }));
    else {
      call.out(`token       ${token}`);
      call.out(`token_hash  ${hash}`);
      call.out("Give the token to that person alone; it isn't kept here. The hash goes into the config:");
      call.out(`approvals: { people: { NAME: { token_hash: "${hash}" } } }`);
    }
    return Promise.resolve(0);
  },
} as const satisfies Command;

function decide(call: CommandCall, what: "approve" | "deny"): number {
  const id = oneId(call);
  const config = loadConfig(configFile(call));
  const by = whoDecides(call, config);
  const place = { state: config.state, clock: systemClock };
  const request = decideRequest(place, id, { by, what, ...reasonOf(call) });
  call.out(call.flag("json") ? jsonText(request) : standing(request));
  return 0;
}

/** @throws Refusal `bad_config` */
export function reasonOf(call: CommandCall): { readonly reason?: string } {
  const reason = call.text("because")?.trim();
  if (reason !== undefined && (reason === "" || reason.length > 500))
    throw new Refusal("bad_config", "--because takes up to 500 characters.");
  return reason === undefined ? {} : { reason };
}

/** INVARIANT: nobody says who they are; they are the user of this machine who may open the state, or hold a token. */
export function whoDecides(call: CommandCall, config: Config): Approver {
  const file = call.text("token-file");
  const login = `uid ${process.getuid?.() ?? "unknown"}`;
  if (file === undefined) return operatorBy(login);
  const { people } = config.approvals;
  const name = personOf(tokenIn(file), people);
  if (name !== undefined) return approverOf(name, { people, login: "token" });
  throw new Refusal("no_identity", `The token in ${file} is nobody's under approvals.people in the config.`);
}

function tokenIn(file: string): string {
  try {
    return readFileSync(file, "utf8").trim();
  } catch (cause) {
    throw new Refusal("bad_config", `${file} can't be read.`, { cause });
  }
}

function oneId(call: CommandCall): string {
  const [id, ...more] = call.positionals;
  if (id !== undefined && more.length === 0) return id;
  throw new Refusal("bad_config", 'Name one request; "latticegate approvals list" has them.');
}
