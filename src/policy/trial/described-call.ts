/** A call as a person describes it, with everything that isn't said set to what is usual; and the question it puts. */
import { z } from "zod";

import { keyExchangeSuites, quantumLevel } from "../../crypto/suites/key-exchange.ts";
import { messageSuiteIds } from "../../crypto/suites/signatures.ts";
import { parseAddress } from "../../expr/network.ts";
import { parseTimestamp } from "../../expr/time.ts";
import { Flow } from "../../expr/values.ts";
import type { Caller } from "../../model/caller.ts";
import type { LinkPosture } from "../../model/channel.ts";
import { signatureModes } from "../../model/message-proof.ts";
import type { Facing, Question } from "../decide.ts";
import type { Facts } from "../facts.ts";
import { certificateIds } from "../link-conditions.ts";
import { type Rule, targetKindNames } from "../rules.ts";
import { type Surroundings, type SurroundingsDocument, surroundingsOf } from "../surroundings.ts";
import { pastMember, pastOf } from "./described-past.ts";
import { durationText } from "./duration-text.ts";

/** What a call is tried in. */
export interface TrialWorld {
  readonly trustDomain: string;
  readonly surroundings: SurroundingsDocument;
  /** Whether an operator, or a manifest, says that a tool only reads. */
  readonly isReadOnly: (server: string, tool: string) => boolean;
}

/** A day, or a point in time. */
const momentText = z.string().transform((text, context) => {
  const value = parseTimestamp(/^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T00:00:00Z` : text);
  if (value !== undefined) return value;
  context.addIssue({
    code: "custom",
    message: `expected "2030-01-01" or "2030-01-01T22:30:00Z", found "${text}"`,
  });
  return z.NEVER;
});

const texts = z.array(z.string()).default([]);
const groupIds = keyExchangeSuites.map(({ id }) => id) as [string, ...string[]];

export const callMembers = {
  caller: z.string().min(1).describe("Its SPIFFE ID, or oauth:ISSUER/client/CLIENT."),
  chain: texts.describe("On behalf of whom, who began first."),
  call: z
    .string()
    .regex(/^[^/*]+\/[^*]+$/, 'expected "server/tool"')
    .describe("`server/tool`; of resources and prompts `server/uri` and `server/prompt`."),
  kind: z.enum([...targetKindNames, "methods"]).default("tools"),
  within: z
    .string()
    .default("")
    .describe("Of methods, the tool of the call that it belongs to, or that began the task."),
  args: z.record(z.string(), z.unknown()).default({}).describe("Its arguments."),
  size: z.int().min(0).default(500).describe("Bytes of its message."),
  claims: z.record(z.string(), z.unknown()).default({}).describe("Claims of the caller's access token."),
  scopes: texts,
  age: durationText.prefault("10m").describe("How long ago its identity was issued."),
  expires_in: durationText.prefault("50m"),
  link: z
    .strictObject({
      group: z.enum(groupIds).default("X25519MLKEM768"),
      certificate: z.enum([...certificateIds, "none"]).optional(),
      profile: z.string().default("hybrid"),
      ja4: z.string().default(""),
      path: z.enum(["none", "local", "direct", "relayed"]).default("none"),
    })
    .prefault({}),
  address: z
    .string()
    .refine((text) => text === "" || parseAddress(text) !== undefined, "expected an IP address")
    .default("10.0.0.1"),
  at: momentText.prefault("2026-06-03T12:00:00Z").describe("When; a Wednesday at noon by default."),
  session: z.string().default("a-session").describe("Its identifier."),
  tool: z
    .strictObject({
      pinned: z.boolean().default(true),
      signed: z.boolean().default(false),
      drifted: z.boolean().default(false),
    })
    .prefault({}),
  purpose: z.string().default("").describe("What the client says it is about."),
  signed: z
    .strictObject({
      mode: z.enum(signatureModes).default("direct"),
      algorithm: z.enum(messageSuiteIds).optional(),
    })
    .optional()
    .describe("How the call is signed; not at all by default."),
  flow: z
    .strictObject({
      seen: texts.describe("Labels of what its session has read."),
      carries: texts.describe("Those among them of which its arguments have something."),
    })
    .prefault({})
    .describe("What its session has read; nothing by default."),
  risk: z
    .strictObject({
      call: z.number().min(0).max(1).default(0),
      session: z.number().min(0).max(1).optional(),
      source: z.string().default(""),
    })
    .prefault({})
    .describe("What the models say of it; of its session by default what they say of the call."),
  findings: texts.describe("Kinds of what is found in its arguments."),
  approved: texts.describe("Rules that hold it, and whose approvals there are."),
  before: pastMember,
} as const;

const callSchema = z.strictObject(callMembers);
export type DescribedCall = z.output<typeof callSchema>;

/** Calls as persons describe them. */
export const describedCall = callSchema;

/** The question that call puts to the judge of these rules, in that world. */
export function questionOf(call: DescribedCall, world: TrialWorld, rules: readonly Rule[]): Question {
  if (call.kind === "methods") return methodQuestionOf({ ...call, kind: call.kind }, world);
  const [server, name] = targetOf(call);
  const surroundings = readyOnce(world.surroundings);
  const past = pastOf(call, rules, (caller) => issuerOf(caller, world.trustDomain));
  return {
    caller: callerOf(call, world),
    link: linkOf(call),
    server,
    target: { kind: call.kind, name },
    signed: {
      mode: call.signed?.mode ?? "none",
      ...(call.signed?.algorithm !== undefined && { algorithm: call.signed.algorithm }),
    },
    onlyReads: call.kind === "tools" && world.isReadOnly(server, name),
    facts: {
      of: (party) => ({
        ...factsOf(call, { ...world, surroundings, party }),
        history: past.calls.of(past.asker(party)),
      }),
    },
    approved: new Set(call.approved),
  };
}

const ready = new WeakMap<SurroundingsDocument, Surroundings>();

function readyOnce(document: SurroundingsDocument): Surroundings {
  const known = ready.get(document) ?? surroundingsOf(document);
  ready.set(document, known);
  return known;
}

/** As the gate asks it: open to whoever may use the server, a task or a resource by what it is of. */
function methodQuestionOf(call: DescribedCall, world: TrialWorld): Question {
  const [server, method] = targetOf(call);
  const surroundings = readyOnce(world.surroundings);
  const facts: Facing = { of: (party) => ({ ...factsOf(call, { ...world, surroundings, party }) }) };
  const target = methodTarget(call);
  const isTask = target?.kind === "tools";
  return {
    caller: callerOf(call, world),
    link: linkOf(call),
    server,
    facts: { ...facts, missing: new Set(target === undefined ? noTarget : isTask ? ofTask : []) },
    side: { method, facts },
    ...(target && { target, onlyReads: isTask && world.isReadOnly(server, target.name) }),
    ...(isTask && { isList: true }),
  };
}

const noTarget = ["args", "tool", "resource", "history", "flow", "risk", "findings"] as const;
const ofTask = ["args", "intent", "history", "flow", "risk", "findings"] as const;

function methodTarget(call: DescribedCall): Question["target"] {
  const [, method] = targetOf(call);
  const { uri } = call.args;
  if (/^resources\/(?:un)?subscribe$/.test(method) && typeof uri === "string")
    return { kind: "resources", name: uri };
  const isTask = ["tasks/get", "tasks/result", "tasks/update"].includes(method);
  return isTask && call.within !== "" ? { kind: "tools", name: call.within } : undefined;
}

/** What the facts say of what is named: of a method, what the call names that it belongs to. */
function namedBy(call: DescribedCall): { readonly kind: Facts["call"]["kind"]; readonly name: string } {
  const { kind, within } = call;
  const [, name] = targetOf(call);
  if (kind !== "methods") return { kind, name };
  return methodTarget(call) ?? (within === "" ? { kind: "", name: "" } : { kind: "tools", name: within });
}

function targetOf({ call }: DescribedCall): readonly [string, string] {
  const slash = call.indexOf("/");
  return [call.slice(0, slash), call.slice(slash + 1)];
}

function isWorkload(caller: string): boolean {
  return caller.startsWith("spiffe://");
}

function issuerOf(caller: string, trustDomain: string): string {
  const [, domain = trustDomain] = /^spiffe:\/\/([^/]+)\//.exec(caller) ?? [];
  return isWorkload(caller) ? domain : (/^oauth:([^/]*)/.exec(caller)?.[1] ?? "");
}

function callerOf(call: DescribedCall, { trustDomain }: Pick<TrialWorld, "trustDomain">): Caller {
  const { caller, chain, scopes, claims, at, age, expires_in: left } = call;
  const issuer = issuerOf(caller, trustDomain);
  const notAfterUnixMs = at + left;
  const proof: Caller["proof"] = isWorkload(caller)
    ? { kind: "svid", serial: "01", issuer, notAfterUnixMs, issuedAtUnixMs: at - age }
    : { kind: "token", issuer, binding: "dpop", listener: "", scopes, claims, notAfterUnixMs };
  return { id: caller, chain, proof };
}

export function linkOf({ caller, link: { group, certificate } }: DescribedCall): LinkPosture {
  const suite = keyExchangeSuites.find(({ id }) => id === group);
  const proven = certificate ?? (isWorkload(caller) ? "ML-DSA-65" : "none");
  return {
    group,
    level: suite === undefined ? 0 : quantumLevel(suite),
    isPostQuantum: suite?.kind === "hybrid",
    certificate: proven === "none" ? undefined : proven,
  };
}

interface About extends Omit<TrialWorld, "surroundings"> {
  readonly surroundings: Surroundings;
  readonly party: string;
}

export function factsOf(call: DescribedCall, about: About): Facts {
  const { party, surroundings, trustDomain, isReadOnly } = about;
  const [server, method] = targetOf(call);
  const { kind, name } = namedBy(call);
  const tool = kind === "tools" ? name : "";
  const { group, level, isPostQuantum: pq, certificate = "none" } = linkOf(call);
  const { profile, ja4, path } = call.link;
  const { hour, minute, weekday } = surroundings.clock(call.at);
  const data = kind === "" ? undefined : surroundings.dataOf(kind, server, name);
  return {
    caller: callerFacts(call, { party, surroundings, trustDomain }),
    call: {
      server,
      tool,
      kind,
      name,
      method: call.kind === "methods" ? method : methods[call.kind],
      size: call.size,
      era: "modern",
    },
    args: call.kind === "resources" ? { uri: name } : call.args,
    flow: flowFacts(call.flow),
    tool: {
      ...call.tool,
      read_only: kind === "tools" && isReadOnly(server, name),
      labels: kind === "tools" ? surroundings.labelsOf(server, name) : [],
    },
    link: { group, level, pq, certificate, profile, version: "TLSv1.3", ja4, path },
    place: { address: call.address, networks: surroundings.networksOf(call.address) },
    now: call.at,
    time: { hour, minute, weekday },
    session: { id: call.session, began: call.at },
    resource: { class: data?.name ?? "", shelf_life: data?.shelfLifeMs ?? 0 },
    quantum: { earliest: surroundings.quantumEarliestUnixMs },
    intent: { purpose: call.purpose },
    risk: { ...call.risk, session: call.risk.session ?? call.risk.call },
    findings: call.findings,
  };
}

function callerFacts(
  call: DescribedCall,
  { party, surroundings, trustDomain }: Omit<About, "isReadOnly">,
): Facts["caller"] {
  const { chain, age, expires_in } = call;
  const at = chain.indexOf(party);
  const isToken = !isWorkload(call.caller);
  return {
    id: party,
    kind: isToken ? "client" : "workload",
    chain: at === -1 ? chain : chain.slice(0, at),
    groups: surroundings.groupsOf(party),
    scopes: isToken ? call.scopes : [],
    binding: isToken ? "dpop" : "",
    claims: isToken ? call.claims : {},
    issuer: issuerOf(call.caller, trustDomain),
    age,
    expires_in,
  };
}

function flowFacts({ seen, carries }: DescribedCall["flow"]): Flow {
  const labels = [...new Set([...seen, ...carries])];
  return new Flow({
    labels: () => labels,
    seen: (label) => labels.includes(label),
    carries: (label) => carries.includes(label),
  });
}

const methods = { tools: "tools/call", resources: "resources/read", prompts: "prompts/get" } as const;
