/** `latticegate ca roots | rotate | retire | compromised` */
import { loadConfig } from "../app/config.ts";
import {
  listRoots,
  replaceCompromised,
  retireRoots,
  rotateRoot,
  type RootReport,
} from "../app/root-operations.ts";
import { systemClock } from "../host/system.ts";
import { type Purpose, purposes } from "../identity/authority.ts";
import { Refusal } from "../kernel/refusal.ts";
import { type Command, type CommandCall, configFile, configOption } from "./command.ts";
import { jsonText } from "./tools-text.ts";

export const forOption = {
  for: {
    type: "string",
    value: "server|client",
    help: "Which root: the one above servers and the gateway, or the one above clients.",
  },
} as const;

export const caRoots = {
  options: {
    ...configOption,
    json: { type: "boolean", help: "Print JSON." },
    outside: { type: "boolean", help: "Print what outside authorities signed for our keys instead, as PEM." },
  },
  run: async (call) => {
    const roots = await listRoots(loadConfig(configFile(call)), systemClock);
    if (call.flag("json")) call.out(jsonText(roots.map(rootJson)));
    else if (call.flag("outside")) for (const { outside } of roots) call.out((outside ?? "").trimEnd());
    else for (const root of roots) call.out(rootLine(root));
    return 0;
  },
} as const satisfies Command;

export const caRotate = {
  options: {
    ...configOption,
    for: { ...forOption.for, help: `${forOption.for.help} Both by default.` },
  },
  run: async (call) => {
    const config = loadConfig(configFile(call));
    for (const purpose of call.text("for") === undefined ? purposes : [purposeIn(call)]) {
      const root = await rotateRoot(config, purpose, systemClock);
      call.out(rootLine(root));
      const from =
        root.state === "issuing" ? "It issues from now on" : `It issues from ${iso(root.issuesFromUnixMs)}`;
      call.out(
        `${from}. Sidecars learn it when they renew, within half an hour; one that is away has 30 days until you run "latticegate ca retire --for ${purpose}".`,
      );
    }
    return 0;
  },
} as const satisfies Command;

export const caRetire = {
  options: {
    ...configOption,
    ...forOption,
    "danger-early": {
      type: "boolean",
      help: "Also while certificates of the old generation may be in use; who holds one must join again.",
    },
  },
  run: async (call) => {
    const purpose = purposeIn(call);
    const options = { isEarly: call.flag("danger-early"), clock: systemClock };
    const ended = await retireRoots(loadConfig(configFile(call)), purpose, options);
    for (const generation of ended) call.out(`retired ${purpose} root ${generation}`);
    return 0;
  },
} as const satisfies Command;

export const caCompromised = {
  options: { ...configOption, ...forOption },
  run: async (call) => {
    const purpose = purposeIn(call);
    const config = loadConfig(configFile(call));
    const { root, ended, void: holders } = await replaceCompromised(config, purpose, systemClock);
    for (const generation of ended)
      call.out(`void    ${purpose} root ${generation}, and every certificate under it`);
    call.out(`new     ${rootLine(root)}`);
    for (const line of whatToDo(purpose, holders)) call.out(line);
    return 0;
  },
} as const satisfies Command;

/** @throws Refusal `bad_config` unless --for names one of the two */
export function purposeIn(call: CommandCall): Purpose {
  const text = call.text("for");
  const purpose = purposes.find((each) => each === text);
  if (purpose === undefined) throw new Refusal("bad_config", "Say which root: --for server or --for client.");
  return purpose;
}

function whatToDo(purpose: Purpose, holders: readonly string[]): readonly string[] {
  const everyone =
    purpose === "server"
      ? [
          "Sidecars can't prove the gateway any more: each of them, clients too, must join again with a new token,",
          "and so must each exposed server, whose certificate is void:",
        ]
      : [
          "Each client must join again with a new token. Exposed servers learn of it at their next renewal, within",
          "half an hour; restart those that agents call directly with a new token to make it at once:",
        ];
  return [
    ...everyone,
    ...holders.map((id) => `  ${id}`),
    'See docs/guide/authority.md, "A root is compromised".',
  ];
}

function rootJson(root: RootReport): object {
  const { purpose, generation, state, suite, fingerprint, outside } = root;
  const until = root.endedUnixMs ?? root.notAfterUnixMs;
  return {
    purpose,
    generation,
    state,
    suite,
    fingerprint: fingerprint ?? null,
    created: iso(root.createdUnixMs),
    issues_from: iso(root.issuesFromUnixMs),
    until: until === undefined ? null : iso(until),
    outside: outside ?? null,
  };
}

export function rootLine(root: RootReport): string {
  const words = [root.purpose, String(root.generation).padStart(2), root.state.padEnd(11), root.suite];
  const dates = [`since ${iso(root.createdUnixMs)}`];
  if (root.state === "announced") dates.push(`issues from ${iso(root.issuesFromUnixMs)}`);
  if (root.endedUnixMs !== undefined) dates.push(`ended ${iso(root.endedUnixMs)}`);
  else if (root.notAfterUnixMs !== undefined) dates.push(`until ${iso(root.notAfterUnixMs)}`);
  return [...words, root.fingerprint ?? "-".padEnd(43), ...dates].join("  ");
}

function iso(unixMs: number): string {
  return new Date(unixMs).toISOString();
}
