/** The immutable snapshot a call is judged under. It is swapped whole, never changed. */
import { sha256 } from "../crypto/hash.ts";
import { toBase64url, utf8 } from "../kernel/bytes.ts";
import { type Lookalikes, lookalikesOf } from "../detect/gates/names.ts";
import type { Trust } from "../identity/admission.ts";
import { boundKey } from "../identity/claims.ts";
import type { DelegationLimits } from "../identity/delegation.ts";
import type { ProtocolVersion } from "../wire/protocol-version.ts";
import { type FlowAsked, flowAsked } from "../policy/flow-labels.ts";
import { originMatcher } from "../policy/origins.ts";
import { matcher } from "../policy/patterns.ts";
import type { Restraints } from "../respond/restriction.ts";
import type { ServerGate } from "./server-gate.ts";
import type { BlockedBecause } from "./tools.ts";
import { compileLinkRules, type LinkRules } from "../policy/link-rules.ts";
import type { PolicyDocument, Rule } from "../policy/rules.ts";
import { compileRules } from "../policy/rules.ts";
import {
  nothingSaid,
  type Surroundings,
  type SurroundingsDocument,
  surroundingsOf,
} from "../policy/surroundings.ts";
import { compileScopes, type TokenScope } from "../policy/token-scopes.ts";

/** The oldest versions of the protocol that may be spoken; none where nothing is said. */
export interface VersionFloor {
  readonly minimum?: ProtocolVersion;
  /** Where a server's own counts instead, by its name. */
  readonly ofServers: ReadonlyMap<string, ProtocolVersion>;
}

/** What a listener for clients with tokens lets them reach, beside the rules. */
export interface WebReach {
  /** Servers that links without post-quantum key exchange may reach. */
  readonly classicalServers: readonly string[];
  /** By name, what each scope is good for; where there are none, tokens aren't asked for scopes. */
  readonly scopes?: Readonly<Record<string, readonly string[]>>;
}

/** What is done about message signatures in calls to one server. */
export interface SignatureTerms {
  readonly use: "off" | "offered" | "required";
  /** `serving`: calls are verified and answers signed here; `between`: others do, and both are verified in passing. */
  readonly end: "serving" | "between";
  /** Who the calls are for, as their signatures say it. */
  readonly audience: string;
  /** Of one `between`: who signs its answers, a SPIFFE ID. */
  readonly peer?: string;
  /** SPIFFE IDs of callers that pass on what others signed; all others bring their own messages alone. */
  readonly relays: readonly string[];
  /** The least that a signed call and its answer have; `auto` goes by what the tool does. */
  readonly mode: "auto" | "none" | "batched" | "direct";
  /** Patterns of the tools that the operator calls read-only. */
  readonly readOnly: readonly string[];
  /** Tools whose calls are taken only with a signature of their own. */
  readonly signed?: readonly string[];
  /** Whether messages count that somebody on the way changed, said so, and signed itself. */
  readonly acceptsChanges: boolean;
}

/** The same, ready to be used. */
export interface ServerSignatures extends SignatureTerms {
  readonly isReadOnly: (tool: string) => boolean;
}

/** Whose message keys are known, and who has to go on signing. */
export interface PinnedSigners {
  /** Whether keys count that nobody has approved. */
  readonly policy: "first-use" | "approved";
  /** By SPIFFE ID. */
  readonly pins: ReadonlyMap<
    string,
    { readonly fingerprint: string; readonly state: "first-use" | "approved" | "cut" }
  >;
  /** Those that have signed, or passed on what others signed, beside those with pins. */
  readonly signers: ReadonlySet<string>;
}

interface CompiledReach {
  readonly classicalServers: ReadonlySet<string>;
  readonly scopes: readonly TokenScope[] | undefined;
}

/** What one server's tools are held to. */
export interface PinnedTools {
  /** By name, why a tool isn't called. */
  readonly blocked: ReadonlyMap<string, BlockedBecause>;
  /** By name, the content hash under which a tool is called. */
  readonly pinned: ReadonlyMap<string, string>;
  /** Those that an operator's approval or an approved manifest says only read, and until when. */
  readonly readOnly: ReadonlyMap<string, number>;
  /** Those that a manifest of a publisher who counts names as they are, and until when. */
  readonly signed?: ReadonlyMap<string, number>;
  /** By name, what its server declared of a tool that is pinned, as parsed from JSON. */
  readonly declared?: (tool: string) => unknown;
  /** Until when a manifest of a publisher who counts is in force; absent where none is. */
  readonly manifestUntil?: number;
  /** Why tools that are neither pinned nor blocked by name aren't called; absent where they are the server's to know. */
  readonly otherwise?: BlockedBecause;
}

export interface World {
  readonly trust: Trust;
  readonly rules: readonly Rule[];
  /** Those of them that end what is under way; absent where none does. */
  readonly shutting?: Shutting;
  /** Those about connections and links. */
  readonly linkRules: LinkRules;
  /** What the rules ask of what sessions have read. */
  readonly flow: FlowAsked;
  /** Names of tools that are, or look like, another server's. */
  readonly lookalikes: Lookalikes;
  /** Calls are shown to the models, and decisions say what those made of them. */
  readonly watchesCalls: boolean;
  /** What the rules' conditions ask for by name. */
  readonly surroundings: Surroundings;
  /** Callers that see all of a server's lists, whatever they may call of it: the operator's own checks. */
  readonly onlookers: ReadonlySet<string>;
  readonly servers: ReadonlySet<string>;
  /** What servers have to have before anybody is connected to them; those of whom nothing is asked are missing. */
  readonly gate: ReadonlyMap<string, ServerGate>;
  /** By name, the servers that each joins. */
  readonly virtualServers: ReadonlyMap<string, readonly string[]>;
  /** Keys in `_meta` that must name the caller whenever they are there, as `boundKey` has them. */
  readonly claims: ReadonlySet<string>;
  readonly versions: VersionFloor;
  /** Servers that sidecars' links without post-quantum key exchange may reach. */
  readonly classicalServers: ReadonlySet<string>;
  /** Servers whose calls come on links that prove a classical identity too, or not at all. */
  readonly hybridLinks: ReadonlySet<string>;
  readonly delegation: DelegationLimits;
  /** Clients and users whose access tokens count no more here, by their names in `Caller`. */
  readonly shutOut: ReadonlySet<string>;
  /** The forward servers among them, each with what says whether it leads to an origin. */
  readonly forward: ReadonlyMap<string, (origin: string) => boolean>;
  /** By server; those whose tools aren't pinned are missing. */
  readonly tools: ReadonlyMap<string, PinnedTools>;
  /** By the origin that clients know it by. */
  readonly webListeners: ReadonlyMap<string, CompiledReach>;
  /** By server; those that aren't here know nothing of signatures. */
  readonly signatures: ReadonlyMap<string, ServerSignatures>;
  readonly signers: PinnedSigners;
  /** What the rules stop is let through, and recorded. */
  readonly observes: boolean;
  /** Why nothing passes at all; absent while calls are taken. */
  readonly stopped?: string;
  /** SHA-256 over everything above, base64url; stands in each decision's entry. */
  readonly digest: string;
}

/** Rules about what is open already. */
interface Shutting {
  readonly rules: readonly Rule[];
  /** The same, each about all of the servers that it names something of: what resumes a stream doesn't say what it is of. */
  readonly ofResumed: readonly Rule[];
}

const nobody: PinnedSigners = { policy: "first-use", pins: new Map(), signers: new Set() };

/** The same world with what is done about findings, whose rules count beside the operator's. */
export function restrained(
  world: World,
  { rules, shutting, linkRules, suspended, frozen, text }: Restraints,
  stopped?: string,
): World {
  if (text === "" && stopped === undefined) return world;
  return {
    ...world,
    rules: [...world.rules, ...rules],
    ...(shutting.length > 0 && {
      shutting: {
        rules: shutting,
        ofResumed: shutting.map((rule) => ({ ...rule, namesAllOfServer: rule.namesServer })),
      },
    }),
    linkRules: { ...world.linkRules, link: [...world.linkRules.link, ...linkRules] },
    ...(suspended.size > 0 && {
      trust: { ...world.trust, suspended },
      shutOut: new Set([...world.shutOut, ...suspended]),
    }),
    ...(frozen.size > 0 && { tools: frozenTools(world.tools, frozen) }),
    ...(stopped !== undefined && { stopped }),
    digest: toBase64url(sha256(utf8(JSON.stringify([world.digest, text, stopped ?? null])))),
  };
}

/** INVARIANT: of a server whose tools were never pinned, nothing is known to be as it was. */
function frozenTools(tools: World["tools"], frozen: ReadonlySet<string>): World["tools"] {
  const nothing: PinnedTools = { blocked: new Map(), pinned: new Map(), readOnly: new Map() };
  const held = [...frozen].map(
    (server) => [server, { ...(tools.get(server) ?? nothing), otherwise: "frozen" }] as const,
  );
  return new Map([...tools, ...held]);
}

interface WorldParts {
  readonly trust: Trust;
  readonly rules: readonly PolicyDocument[];
  /** By default the operator says nothing of callers, places and data. */
  readonly surroundings?: SurroundingsDocument;
  readonly onlookers?: readonly string[];
  readonly servers: readonly string[];
  readonly gate?: ReadonlyMap<string, ServerGate>;
  readonly virtualServers?: ReadonlyMap<string, readonly string[]>;
  /** Origin patterns of the forward servers, by name. */
  readonly forward?: Readonly<Record<string, readonly string[]>>;
  readonly claims?: readonly string[];
  readonly versions?: VersionFloor;
  readonly webListeners?: Readonly<Record<string, WebReach>>;
  readonly hybridLinks?: readonly string[];
  /** By default none. */
  readonly classicalServers?: readonly string[];
  readonly shutOut?: readonly string[];
  /** By default nobody's tools are pinned. */
  readonly tools?: ReadonlyMap<string, PinnedTools>;
  /** By default nobody may act for others. */
  readonly delegation?: DelegationLimits;
  readonly signatures?: Readonly<Record<string, SignatureTerms>>;
  readonly signers?: PinnedSigners;
  /** By default what the rules say counts. */
  readonly observes?: boolean;
  /** By default calls are watched if rules ask what the models say. */
  readonly watchesCalls?: boolean;
}

/** @throws Refusal if a rule can't be compiled */
export function makeWorld(given: WorldParts): World {
  const parts = complete(given);
  const { trust, rules, servers, virtualServers, claims, versions, webListeners, hybridLinks } = parts;
  const { classicalServers, delegation, shutOut, tools, forward, signatures, signers } = parts;
  const compiled = compileRules(rules);
  return {
    trust,
    rules: compiled,
    flow: flowAsked(compiled),
    lookalikes: lookalikesOf(
      [...tools].flatMap(([server, { pinned }]) => [...pinned.keys()].map((name) => ({ server, name }))),
    ),
    watchesCalls: parts.watchesCalls || compiled.some(readsRisk),
    linkRules: compileLinkRules(rules),
    surroundings: surroundingsOf(parts.surroundings),
    onlookers: new Set(parts.onlookers),
    servers: new Set(servers),
    gate: parts.gate,
    virtualServers,
    claims: new Set(claims.map(boundKey)),
    versions,
    hybridLinks: new Set(hybridLinks),
    classicalServers: new Set(classicalServers),
    delegation,
    shutOut: new Set(shutOut),
    tools,
    forward: new Map(Object.entries(forward).map(([name, patterns]) => [name, originMatcher(patterns)])),
    webListeners: new Map(Object.entries(webListeners).map(compiledReach)),
    signatures: new Map(
      Object.entries(signatures).map(([name, terms]) => [
        name,
        { ...terms, isReadOnly: matcher(terms.readOnly) },
      ]),
    ),
    signers,
    observes: parts.observes,
    digest: toBase64url(sha256(utf8(contentOf(parts)))),
  };
}

function complete(parts: WorldParts): Required<WorldParts> {
  return {
    surroundings: nothingSaid,
    onlookers: [],
    gate: new Map(),
    virtualServers: new Map(),
    forward: {},
    claims: [],
    versions: { ofServers: new Map() },
    webListeners: {},
    hybridLinks: [],
    classicalServers: [],
    delegation: { maxDepth: 0, maxLifetimeMs: 0 },
    shutOut: [],
    tools: new Map(),
    signatures: {},
    signers: nobody,
    observes: false,
    watchesCalls: false,
    ...parts,
  };
}

/** All of it as text, the same whatever order it came in. */
function contentOf(parts: Required<WorldParts>): string {
  const { trust, rules, servers, virtualServers, claims, versions, webListeners, hybridLinks } = parts;
  const { classicalServers, delegation, shutOut, tools, forward, signatures, signers } = parts;
  return JSON.stringify({
    trust: {
      ...trust,
      revokedSerials: [...trust.revokedSerials].sort(),
      issuers: [...trust.issuers].sort(),
    },
    rules,
    surroundings: parts.surroundings,
    onlookers: parts.onlookers.toSorted(),
    servers: [...servers].sort(),
    gate: [...parts.gate].toSorted(byName),
    virtualServers: [...virtualServers].sort(byName),
    claims: [...claims].sort(),
    versions: { ...versions, ofServers: [...versions.ofServers].sort(byName) },
    hybridLinks: hybridLinks.toSorted(),
    classicalServers: classicalServers.toSorted(),
    delegation,
    shutOut: shutOut.toSorted(),
    tools: [...tools].toSorted(byName).map(([name, pinned]) => [name, writtenTools(pinned)]),
    forward: Object.entries(forward).toSorted(byName),
    webListeners: Object.entries(webListeners).toSorted(byName),
    signatures: Object.entries(signatures).toSorted(byName),
    signers: {
      policy: signers.policy,
      pins: [...signers.pins].toSorted(byName),
      signers: [...signers.signers].toSorted(),
    },
    ...(parts.observes && { observes: true }),
    ...(parts.watchesCalls && { watchesCalls: true }),
  });
}

/** What models or inspectors say of the call. */
export function readsRisk({ when }: Rule): boolean {
  return when?.variables.has("risk") === true || when?.variables.has("findings") === true;
}

function compiledReach([origin, { classicalServers, scopes }]: readonly [string, WebReach]): [
  string,
  CompiledReach,
] {
  return [
    origin,
    {
      classicalServers: new Set(classicalServers),
      scopes: scopes === undefined ? undefined : compileScopes(scopes),
    },
  ];
}

function writtenTools({ blocked, pinned, readOnly, signed, ...rest }: PinnedTools): object {
  return {
    blocked: [...blocked].toSorted(byName),
    pinned: [...pinned].toSorted(byName),
    readOnly: [...readOnly].toSorted(byName),
    ...(signed && { signed: [...signed].toSorted(byName) }),
    ...rest,
  };
}

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1;
}
