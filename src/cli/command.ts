/** What a command is, and how its arguments and its help come from one description. */
import { parseArgs } from "node:util";

import { type Bootstrap, bootstrapOf } from "../app/bootstrap.ts";
import { type LinkAuthentication, linkAuthentication } from "../app/config/link.ts";
import {
  defaultSignatures,
  pinPolicy,
  signatureModeSetting,
  type SignatureSettings,
  signatureUse,
} from "../app/config/signatures.ts";
import { type OnLogIncident, onLogIncidents } from "../app/witnessing.ts";
import { Refusal } from "../kernel/refusal.ts";

export interface Option {
  readonly type: "string" | "boolean";
  readonly multiple?: true;
  /** One letter that says the same. */
  readonly short?: string;
  /** What stands for the value in help; none for switches. */
  readonly value?: string;
  readonly help: string;
}

export interface Command {
  /** One to three words, as typed. */
  readonly name: string;
  readonly arguments: string;
  readonly summary: string;
  readonly options: Readonly<Record<string, Option>>;
  /** Exit code: 0 done, 1 found wanting (a check that failed), `breaksCode`. Refusals and faults are thrown. */
  readonly run: (call: CommandCall) => Promise<number>;
}

export interface CommandCall {
  readonly text: (option: string) => string | undefined;
  readonly texts: (option: string) => readonly string[];
  readonly flag: (option: string) => boolean;
  readonly positionals: readonly string[];
  /** What stands behind `--`. */
  readonly rest: readonly string[];
  /** Writes a line to stdout. */
  readonly out: (line: string) => void;
}

/** @throws Refusal `bad_config` that shows the command's usage */
export function parseCall(
  command: Command,
  args: readonly string[],
  out: (line: string) => void,
): CommandCall {
  const dashes = args.indexOf("--");
  const own = dashes === -1 ? args : args.slice(0, dashes);
  const { values, positionals } = parsed(command, own);
  const texts = (option: string): readonly string[] => {
    const value = values[option];
    if (value === undefined || typeof value === "boolean") return [];
    return (Array.isArray(value) ? value : [value]).map(String);
  };
  return {
    text: (option) => texts(option)[0],
    texts,
    flag: (option) => values[option] === true,
    positionals,
    rest: dashes === -1 ? [] : args.slice(dashes + 1),
    out,
  };
}

export function usage(command: Command): string {
  const options = Object.entries(command.options).map(([name, option]) => {
    const short = option.short === undefined ? "" : `-${option.short}, `;
    const left = `  ${short}--${name}${option.value === undefined ? "" : ` ${option.value}`}`;
    return `${left.padEnd(26)} ${option.help}`;
  });
  return [
    `latticegate ${command.name}${command.arguments === "" ? "" : ` ${command.arguments}`}`,
    "",
    command.summary,
    ...(options.length === 0 ? [] : ["", ...options]),
  ].join("\n");
}

function parsed(command: Command, args: readonly string[]): ReturnType<typeof parseArgs> {
  const options = Object.fromEntries(
    Object.entries(command.options).map(([name, { type, multiple, short }]) => [
      name,
      { type, multiple: multiple === true, ...(short !== undefined && { short }) },
    ]),
  );
  try {
    return parseArgs({ args: dashedLast(args), options, allowPositionals: true, strict: true });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : "";
    throw new Refusal("bad_config", `${why}\n\n${usage(command)}`, { cause });
  }
}

/** A fingerprint, base64url of 32 bytes, may begin with a dash, and is no option then: it is the last argument. */
function dashedLast(args: readonly string[]): string[] {
  const dashed = args.filter(isDashed);
  if (dashed.length === 0 || args.includes("--")) return [...args];
  return [...args.filter((each) => !isDashed(each)), "--", ...dashed];
}

function isDashed(text: string): boolean {
  return /^-[A-Za-z0-9_-]{42}$/.test(text);
}

/** The option that names the config file, the same wherever it stands. */
export const configOption = {
  config: {
    type: "string",
    value: "FILE",
    help: "The config file; latticegate.yaml in this folder by default.",
  },
} as const satisfies Record<string, Option>;

export function configFile(call: CommandCall): string {
  return call.text("config") ?? "latticegate.yaml";
}

/** What is planned breaks something, or may. */
export const breaksCode = 3;

/** The one argument of commands about a profile. @throws Refusal `bad_config` */
export function profileGiven(call: CommandCall): string {
  const [name, ...more] = call.positionals;
  if (name !== undefined && more.length === 0) return name;
  throw new Refusal("bad_config", 'Name one profile; "latticegate crypto profiles" lists them.');
}

/** The option that names a sidecar's state folder. */
export const sidecarStateOption = {
  state: {
    type: "string",
    value: "FOLDER",
    help: "Where this sidecar keeps its identity; $LATTICEGATE_STATE or ~/.latticegate by default.",
  },
} as const satisfies Record<string, Option>;

/** How a sidecar gets its identity. */
export const identityOptions = {
  join: {
    type: "string",
    value: "TOKEN",
    help: "Join token; used once, ignored when an identity is there already. $LATTICEGATE_JOIN keeps it out of process lists.",
  },
  gateway: {
    type: "string",
    value: "ANCHOR",
    help: "The gateway a workload proves itself to, as `latticegate ca anchor` prints it; or $LATTICEGATE_GATEWAY.",
  },
  "token-file": {
    type: "string",
    value: "FILE",
    help: "The workload's token (JWT of Kubernetes or a CI), read anew whenever needed; or $LATTICEGATE_TOKEN_FILE.",
  },
  svid: {
    type: "string",
    value: "FILE",
    help: "Instead of a token: its X.509 SVID of another authority and the chain, PEM; or $LATTICEGATE_SVID.",
  },
  "svid-key": {
    type: "string",
    value: "FILE",
    help: "The SVID's private key, PEM; or $LATTICEGATE_SVID_KEY.",
  },
} as const satisfies Record<string, Option>;

/** @throws Refusal `bad_config` if there are two sources, or half of one */
export function identitySource(call: CommandCall): {
  readonly joinToken?: string;
  readonly bootstrap?: Bootstrap;
} {
  const given = (option: string, variable: string): string | undefined =>
    call.text(option) ?? process.env[variable];
  const joinToken = given("join", "LATTICEGATE_JOIN");
  const bootstrap = bootstrapOf({
    gateway: given("gateway", "LATTICEGATE_GATEWAY"),
    tokenFile: given("token-file", "LATTICEGATE_TOKEN_FILE"),
    svid: given("svid", "LATTICEGATE_SVID"),
    svidKey: given("svid-key", "LATTICEGATE_SVID_KEY"),
  });
  if (joinToken !== undefined && bootstrap !== undefined) {
    throw new Refusal("bad_config", "Expected a join token or a proof of the workload's own, not both.");
  }
  return { ...(joinToken !== undefined && { joinToken }), ...(bootstrap && { bootstrap }) };
}

/** The option that says what a sidecar's links have to prove. */
export const authenticationOption = {
  authentication: {
    type: "string",
    value: "HOW",
    help: "hybrid-mtls uses only links on which both ends prove a classical identity beside the ML-DSA one.",
  },
} as const satisfies Record<string, Option>;

export function authentication(call: CommandCall): { readonly authentication?: LinkAuthentication } {
  const given = call.text("authentication");
  if (given === undefined) return {};
  const how = linkAuthentication.safeParse(given);
  if (how.success) return { authentication: how.data };
  throw new Refusal(
    "bad_config",
    `--authentication takes ${linkAuthentication.options.join(" or ")}, found "${given}".`,
  );
}

/** The option that says what a sidecar does when its gateway's log isn't the one it saw before. */
export const onLogIncidentOption = {
  "on-log-incident": {
    type: "string",
    value: "WHAT",
    help: "While the gateway's log isn't the one seen before: report, as by default, or refuse calls until it is accepted.",
  },
} as const satisfies Record<string, Option>;

export function onLogIncident(call: CommandCall): { readonly onLogIncident: OnLogIncident } {
  const given = call.text("on-log-incident") ?? "report";
  const what = onLogIncidents.find((each) => each === given);
  if (what !== undefined) return { onLogIncident: what };
  throw new Refusal(
    "bad_config",
    `--on-log-incident takes ${onLogIncidents.join(" or ")}, found "${given}".`,
  );
}

/** The option with which a sidecar acts for others. */
export const onBehalfOfOption = {
  "on-behalf-of": {
    type: "string",
    value: "FILE",
    help: "Act for others with the delegation in this file; read again when it changes.",
  },
} as const satisfies Record<string, Option>;

export function onBehalfOf(call: CommandCall): { readonly onBehalfOf?: string } {
  const file = call.text("on-behalf-of");
  return file === undefined ? {} : { onBehalfOf: file };
}

/** What a sidecar does about message signatures. */
export const signatureOptions = {
  signatures: {
    type: "string",
    value: "USE",
    help: "Message signatures: offered, as by default, to ends that do it too; required of every end; or off.",
  },
  "signature-mode": {
    type: "string",
    value: "MODE",
    help: "The least a signed message has: auto, as by default (direct, or batched for read-only tools), none, batched or direct.",
  },
  pins: {
    type: "string",
    value: "WHICH",
    help: "Message keys of other ends that count: first-use, as by default, or approved with `latticegate pins approve`.",
  },
  "accept-changes": {
    type: "boolean",
    help: "Take signed messages that somebody on the way changed, said so, and signed itself.",
  },
} as const satisfies Record<string, Option>;

export function signatureSettings(call: CommandCall): SignatureSettings {
  const { use, mode, pins } = defaultSignatures;
  return {
    use: oneOf(call, "signatures", signatureUse.options) ?? use,
    mode: oneOf(call, "signature-mode", signatureModeSetting.options) ?? mode,
    pins: oneOf(call, "pins", pinPolicy.options) ?? pins,
    acceptsChanges: call.flag("accept-changes"),
  };
}

/** @throws Refusal `bad_config` if it is none of them */
function oneOf<T extends string>(call: CommandCall, option: string, values: readonly T[]): T | undefined {
  const given = call.text(option);
  const value = values.find((each) => each === given);
  if (given === undefined || value !== undefined) return value;
  throw new Refusal("bad_config", `--${option} takes ${values.join(", ")}; found "${given}".`);
}
