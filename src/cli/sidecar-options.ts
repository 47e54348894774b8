/** The options of commands that speak for a sidecar, the same wherever they stand. */
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
import type { CommandCall, Option } from "./command.ts";

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
