/** `latticegate.yaml`: the one schema, a sentence per field. An unknown key is an error: a security option that is silently ignored is a downgrade. */
import { readFileSync } from "node:fs";
import path from "node:path";

import { parseDocument } from "yaml";
import { z } from "zod";

import type { Profile } from "../crypto/suites/profiles.ts";
import { isTrustDomain } from "../identity/spiffe-id.ts";
import { memberName } from "../virtual/names.ts";
import { readPeerName, serverIdOf } from "../identity/peer-name.ts";
import { Refusal } from "../kernel/refusal.ts";
import { compileRules, type PolicyDocument, policySchema } from "../policy/rules.ts";
import { approvalsSchema } from "./config/approvals.ts";
import { controlSchema } from "./config/control.ts";
import { auditSchema } from "./config/audit.ts";
import { captureSchema } from "./config/capture.ts";
import { cryptoSchema, namedProfile, profileName } from "./config/crypto.ts";
import { checkEnrolment, enrolmentSchema } from "./config/enrolment.ts";
import { issuersSchema } from "./config/issuers.ts";
import { checkServerLinks } from "./config/server-links.ts";
import { delegationSchema } from "./config/delegation.ts";
import { detectSchema } from "./config/detect.ts";
import { gateSchema } from "./config/gate.ts";
import { type Listeners, listenSchema, readListeners, withFilesIn } from "./config/listen.ts";
import { openapiServerSchema } from "./config/openapi.ts";
import { outletsSchema } from "./config/outlets.ts";
import { metricsSchema } from "./config/metrics.ts";
import { checkPeers, peersSchema } from "./config/peers.ts";
import { pathsSchema } from "./config/paths.ts";
import { type BundleSettings, bundleSettings, policiesSchema } from "./config/policies.ts";
import { responseSchema } from "./config/response.ts";
import {
  forwardServerSchema,
  httpServerSchema,
  protocolVersion,
  serverName,
  serverNameHint,
  stdioServerSchema,
} from "./config/servers.ts";
import { signaturesSchema } from "./config/signatures.ts";
import { tracesSchema } from "./config/traces.ts";
import { ownSecretSource, signerSchema } from "./config/signer.ts";
import { surroundingsSections } from "./config/surroundings.ts";
import { address, durationMs, sizeBytes } from "./config/values.ts";
import { loadPlaybooks } from "./respond/playbook-file.ts";
import { refuseWrongRules } from "./policy/refuse-wrong-rules.ts";
import { type NotYet, notYetParts, plannedSections, serversWithConnection } from "./planned-config.ts";

/** MCP 2026-07-28, `_meta`: an optional prefix, a name. The protocol's own keys say nothing of who sends. */
const claimKey = z
  .string()
  .max(256)
  .regex(
    /^([A-Za-z][A-Za-z0-9.-]*\/)?[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/,
    'expected a key as it stands in _meta, e.g. "com.acme/agent"',
  )
  .refine(
    (key) =>
      !/^([^./]+\.(mcp|modelcontextprotocol)[./]|(progressToken|traceparent|tracestate|baggage)$)/i.test(key),
    "expected none of the protocol's own keys",
  );

export const configSchema = z.strictObject({
  state: z
    .string()
    .default("./.latticegate")
    .describe(
      "Folder of keys, certificates, state and the audit log (mode 0700); relative to the config file.",
    ),
  trust_domain: z
    .string()
    .refine(isTrustDomain, "expected a SPIFFE trust domain such as acme.test")
    .default("latticegate.local")
    .describe("SPIFFE trust domain of all identities this gateway gives out; fixed at the first start."),
  unlock: ownSecretSource
    .optional()
    .describe(
      "What unlocks the sealed keys. By default the file `unlock.key` in the state folder, made at first start.",
    ),
  signer: signerSchema
    .optional()
    .describe(
      "The process that holds the root and log keys, so that this one never does. By default the gateway holds them itself.",
    ),
  profile: profileName,
  crypto: cryptoSchema,
  listen: listenSchema,
  dashboard: z
    .union([z.literal("off"), address])
    .default("127.0.0.1:8442")
    .describe(
      'Where the control room is served, on loopback; "off" for no page. Commands on this machine ask the running gateway by a socket in the state folder.',
    ),
  servers: z
    .record(
      z.string().regex(serverName, serverNameHint),
      z.union([stdioServerSchema, httpServerSchema, openapiServerSchema, forwardServerSchema]),
    )
    .default({})
    .describe("The MCP servers behind the gateway, by the name clients connect to."),
  virtual_servers: z
    .record(
      z.string().regex(serverName, serverNameHint),
      z.strictObject({
        servers: z
          .array(
            z
              .string()
              .regex(
                memberName,
                "expected a server's name of lower-case letters, digits, '.' and '-', without '_'",
              ),
          )
          .min(1)
          .describe("Names of the servers it joins; a tool that two of them have is shown as `server_tool`."),
        patience: durationMs
          .prefault("5s")
          .describe(
            "How long a client waits for the slowest of them, once; who is slower is left out, and named, until it comes.",
          ),
      }),
    )
    .default({})
    .describe(
      "Endpoints that join several servers. Policies and the audit log speak of the servers behind them.",
    ),
  gate: gateSchema,
  issuers: issuersSchema,
  enrolment: enrolmentSchema,
  policies: policiesSchema,
  ...surroundingsSections,
  protocol: z
    .strictObject({
      minimum: protocolVersion
        .optional()
        .describe("Oldest version of MCP that clients and servers may speak; by default any."),
    })
    .prefault({})
    .describe("Which versions of MCP may be spoken."),
  approvals: approvalsSchema,
  control: controlSchema,
  peers: peersSchema,
  delegation: delegationSchema,
  signatures: signaturesSchema,
  caller_claims: z
    .array(claimKey)
    .max(64)
    .default([])
    .describe(
      "Keys in a message's `_meta`, e.g. `com.acme/agent`, that must name the caller whenever they are there: its SPIFFE ID, or its path after the trust domain. What says otherwise is refused.",
    ),
  limits: z
    .strictObject({
      request: sizeBytes
        .refine(isSome, "expected more than nothing")
        .prefault("8MiB")
        .describe("Longest message a client may send."),
      answer: sizeBytes
        .refine(isSome, "expected more than nothing")
        .prefault("64MiB")
        .describe(
          "Longest answer, or event of a stream, a server may give; what turns out to be longer is cut.",
        ),
      answer_timeout: durationMs
        .prefault("5m")
        .describe(
          "How long a server may take to begin an answer, and to go on with a long one; and a client to come back for one.",
        ),
      stream_open: z
        .union([z.literal("off"), durationMs])
        .prefault("off")
        .describe(
          "After which time the answer of a call that still runs on a server over stdio or HTTP+SSE is to be fetched on a further connection, where the client can do so (MCP 2025-11-25); for networks that cut long connections.",
        ),
      session_idle: durationMs
        .prefault("30m")
        .describe(
          "When a session that nobody uses is ended, on a virtual server or one over stdio or HTTP+SSE.",
        ),
      drain: durationMs.prefault("10s").describe("How long calls under way may take when the gateway stops."),
    })
    .prefault({})
    .describe("Bounds on what peers may cost."),
  paths: pathsSchema,
  audit: auditSchema,
  capture: captureSchema,
  metrics: metricsSchema,
  traces: tracesSchema,
  detect: detectSchema,
  response: responseSchema,
  outlets: outletsSchema,
  ...plannedSections,
});

export type ConfigDocument = z.output<typeof configSchema>;
export type ServerConfig = ConfigDocument["servers"][string];
export type ServerAtUrl = Extract<ServerConfig, { readonly url: unknown }>;

/** A server that can be called without being told where it is. */
export type FixedServer = Exclude<ServerConfig, { readonly forward: unknown }>;

/** The servers that stand at an address of their own; on the others clients name one. */
export function fixedServers(
  servers: ConfigDocument["servers"],
): readonly (readonly [string, FixedServer])[] {
  return Object.entries(servers).flatMap(([name, server]) =>
    "forward" in server ? [] : [[name, server] as const],
  );
}

export interface Config extends Omit<ConfigDocument, "listen" | "policies" | "profile">, Listeners {
  /** Absolute path of the state folder. */
  readonly state: string;
  /** Absolute path of the file, and of the folder it stands in. */
  readonly file: string;
  readonly folder: string;
  /** Absolute path of the file the rules stand in, if they have one of their own. */
  readonly policiesFile?: string;
  readonly profile: Profile;
  /** Those that stand in the config or in their file; none if they come in a bundle. */
  readonly policies: readonly PolicyDocument[];
  /** Where the bundle is that they come in, if they do. */
  readonly policyBundle?: BundleSettings;
  /** Rules are recorded and not enforced: as `up --observe` says it, never the file. */
  readonly observes?: true;
  /** What the file asks for that isn't built; shown at each start, never silently ignored. */
  readonly notYet: readonly NotYet[];
}

/** @throws Refusal `bad_config` that names each wrong place, or `not_yet` */
export function loadConfig(file: string): Config {
  return parseConfig(readText(file), path.resolve(file));
}

/** @param file absolute path; relative paths in the text count from its folder */
export function parseConfig(text: string, file: string): Config {
  const folder = path.dirname(file);
  const written = validated(configSchema, parseYaml(text, file), file);
  const servers = serversWithConnection(written.servers, written.connection);
  const document = { ...written, servers: withPeerIds(servers, written.trust_domain) };
  checkPeers(document.peers, document.servers);
  checkVirtualServers(document);
  loadPlaybooks(document.response.playbooks, folder); // What is wrong is told now, not when the gateway starts.
  const { signer } = document;
  const profile = namedProfile(document.profile, document.crypto, document.p2p_connectivity?.allowed_algos);
  const tolerating = { isPostQuantumOnly: document.p2p_connectivity !== undefined, profile };
  checkServerLinks(document.servers, tolerating);
  checkEnrolment(document.enrolment, document.issuers, document.trust_domain);
  const policies = checkedRules(policyDocuments(document.policies, folder), document);
  const policyBundle = bundleSettings(document.policies, folder, tolerating);
  return {
    ...document,
    file,
    folder,
    ...(typeof document.policies === "string" && { policiesFile: path.resolve(folder, document.policies) }),
    ...(policyBundle && { policyBundle }),
    state: path.resolve(folder, document.state),
    ...readListeners(document.listen, {
      folder,
      issuers: Object.keys(document.issuers),
      servers: Object.keys(document.servers),
      virtualServers: Object.keys(document.virtual_servers),
      ...tolerating,
    }),
    control: controlIn(document.control, folder),
    ...(signer && { signer: { ...signer, socket: path.resolve(folder, signer.socket) } }),
    profile,
    policies,
    notYet: notYetParts(document),
  };
}

/** Whom links to peers have to lead to, where the file leaves it to the name. */
function withPeerIds(servers: ConfigDocument["servers"], trustDomain: string): ConfigDocument["servers"] {
  const named = Object.entries(servers).map(([name, server]) => {
    const peer = "url" in server && server.peer === undefined ? readPeerName(server.url) : undefined;
    return [name, peer === undefined ? server : { ...server, peer: serverIdOf(peer, trustDomain) }] as const;
  });
  return Object.fromEntries(named);
}

function controlIn(control: ConfigDocument["control"], folder: string): ConfigDocument["control"] {
  const { remote } = control;
  return remote === undefined ? control : { ...control, remote: withFilesIn(folder, remote) };
}

function checkVirtualServers({ servers, virtual_servers: virtual }: ConfigDocument): void {
  for (const [name, { servers: members }] of Object.entries(virtual)) {
    const at = `virtual_servers.${name}`;
    if (Object.hasOwn(servers, name)) {
      throw new Refusal("bad_config", `${at}: there is a server of that name already.`);
    }
    if (new Set(members).size < members.length) {
      throw new Refusal("bad_config", `${at}.servers: a server is named twice.`);
    }
    const forward = members.find((member) => "forward" in (servers[member] ?? {}));
    if (forward !== undefined) {
      throw new Refusal("bad_config", `${at}.servers: "${forward}" has no address of its own.`);
    }
    const unknown = members.find((member) => !Object.hasOwn(servers, member));
    if (unknown !== undefined) {
      throw new Refusal("bad_config", `${at}.servers: there is no server "${unknown}" under servers.`);
    }
  }
}

function policyDocuments(policies: ConfigDocument["policies"], folder: string): readonly PolicyDocument[] {
  if (typeof policies !== "string") return "bundle" in policies ? [] : policies;
  const file = path.resolve(folder, policies);
  return validated(z.strictObject({ policies: z.array(policySchema) }), parseYaml(readText(file), file), file)
    .policies;
}

/** The file that a config names for its rules, however wrong the rest of it is; undefined if it names none. */
export function namedPoliciesFile(file: string): string | undefined {
  try {
    const document = parseYaml(readText(file), file);
    const named =
      typeof document === "object" && document !== null && "policies" in document && document.policies;
    return typeof named === "string" ? path.resolve(path.dirname(file), named) : undefined;
  } catch (error) {
    if (error instanceof Refusal) return undefined;
    throw error;
  }
}

/** A rule that can't be carried out as written is told now, not when the gateway starts. */
function checkedRules(rules: readonly PolicyDocument[], document: ConfigDocument): readonly PolicyDocument[] {
  compileRules(rules);
  refuseWrongRules(rules, document);
  return rules;
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new Refusal("bad_config", `${file} can't be read. Write it, or name another.`, { cause });
  }
}

/** YAML 1.2 without aliases: a document can't grow when it is read. */
function parseYaml(text: string, file: string): unknown {
  const document = parseDocument(text, { prettyErrors: true, uniqueKeys: true });
  const [error] = [...document.errors, ...document.warnings];
  if (error !== undefined) throw new Refusal("bad_config", `${file}: ${error.message}`, { cause: error });
  if (/__proto__["']?\s*:/.test(text)) {
    throw new Refusal("bad_config", `${file}: "__proto__" is no key.`);
  }
  try {
    return document.toJS({ maxAliasCount: 0 }) ?? {};
  } catch (cause) {
    throw new Refusal("bad_config", `${file}: write each value out; aliases (*name) aren't taken.`, {
      cause,
    });
  }
}

function validated<T>(schema: z.ZodType<T>, value: unknown, file: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const places = result.error.issues
    .flatMap((issue) => complaints(issue, []))
    .map(({ at, text }) => `  ${at.join(".") || "(top)"}: ${text}`);
  throw new Refusal("bad_config", `${file} isn't right:\n${places.join("\n")}`, { cause: result.error });
}

function isSome(bytes: number): boolean {
  return bytes > 0;
}

interface Complaint {
  readonly at: readonly PropertyKey[];
  readonly text: string;
}

/** Where a value may be of several kinds, the complaints of the kind it came closest to. */
function complaints(issue: z.core.$ZodIssue, above: readonly PropertyKey[]): readonly Complaint[] {
  const at = [...above, ...issue.path];
  if (issue.code !== "invalid_union" || issue.errors.length === 0) return [{ at, text: issue.message }];
  const kinds = issue.errors.map((issues) => issues.flatMap((inner) => complaints(inner, at)));
  const depth = (kind: readonly Complaint[]): number => Math.max(...kind.map((each) => each.at.length));
  const [closest = []] = kinds.toSorted((a, b) => depth(b) - depth(a) || a.length - b.length);
  return closest;
}
