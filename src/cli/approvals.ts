/** `latticegate approvals list | show | approve | deny | token` */
import { readFileSync } from "node:fs";

import { approvalAnswer } from "../app/approvals/approval-answers.ts";
import {
  decideRequest,
  listRequests,
  showStored,
  type ShownRequest,
} from "../app/approvals/approval-operations.ts";
import { approverOf, freshToken, operatorBy, personOf } from "../app/approvals/approvers.ts";
import type { Config } from "../app/config.ts";
import type { Approver } from "../host/store/approval-rows.ts";
import { systemClock } from "../host/system.ts";
import { Refusal } from "../kernel/refusal.ts";
import { listedLines, shownLines, standing } from "./approvals-text.ts";
import type { Command, CommandCall } from "./command.ts";
import { ask, inPath, roomOptions } from "./room.ts";
import { jsonText } from "./tools-text.ts";

const options = roomOptions;

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
  run: async (call) => {
    if (call.positionals.length > 0) throw new Refusal("bad_config", "Expected no further argument.");
    const all = call.flag("all");
    const requests = await ask<readonly ShownRequest[]>(call, {
      asked: (room) => room.list("/approvals", approvalAnswer, { all: String(all) }),
      here: ({ state }) => listRequests({ state, clock: systemClock }, { all }),
    });
    if (call.flag("json")) call.out(jsonText(requests));
    else for (const line of listedLines(requests)) call.out(line);
    return 0;
  },
} as const satisfies Command;

export const approvalsShow = {
  options,
  run: async (call) => {
    const id = oneId(call);
    const request = await ask<ShownRequest>(call, {
      asked: (room) => room.get(`/approvals/${inPath(id)}`, approvalAnswer),
      here: (config) => showStored(config, id, systemClock),
    });
    if (call.flag("json")) call.out(jsonText(request));
    else for (const line of shownLines(request)) call.out(line);
    return 0;
  },
} as const satisfies Command;

export const approvalsApprove = {
  options: deciding,
  run: (call) => decide(call, "approve"),
} as const satisfies Command;

export const approvalsDeny = {
  options: deciding,
  run: (call) => decide(call, "deny"),
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

async function decide(call: CommandCall, what: "approve" | "deny"): Promise<number> {
  const id = oneId(call);
  const why = reasonOf(call);
  const request = await ask<ShownRequest>(call, {
    asked: (room) => room.post(`/approvals/${inPath(id)}/${what}`, why, approvalAnswer),
    here: (config) => {
      const by = whoDecides(call, config);
      return decideRequest({ state: config.state, clock: systemClock }, id, { by, what, ...why });
    },
    prefersFiles: decidesByToken(call),
  });
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

/** Never on another machine: there a person is who its identity says. */
export function decidesByToken(call: CommandCall): boolean {
  return call.text("token-file") !== undefined;
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
