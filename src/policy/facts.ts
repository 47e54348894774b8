/** What a rule's condition can see: each variable, its type and one sentence; and the values the gate builds for them. */
import type { PathKind } from "../model/peer-path.ts";
import type { Recalling } from "../expr/recall.ts";
import type { TypeSpec } from "../expr/type-spec.ts";
import type { Flow } from "../expr/values.ts";

/** One name of the language, for the compiler and for the reference page. */
interface FactDeclaration {
  readonly type: TypeSpec;
  readonly says: string;
}

/** A variable: a value of its own, or a group of them. */
type VariableDeclaration =
  | FactDeclaration
  | { readonly members: Readonly<Record<string, FactDeclaration>>; readonly says: string };

const strings: TypeSpec = { kind: "list", of: "string" };
const oneOf = (...values: readonly string[]): TypeSpec => ({ kind: "enum", values });

export const factDeclarations: Readonly<Record<keyof Facts, VariableDeclaration>> = {
  caller: {
    says: "Who asks; of a call on behalf of others, the party that is being judged.",
    members: {
      id: { type: "string", says: "The caller's name: its SPIFFE ID or `oauth:ISSUER/client/CLIENT`." },
      kind: {
        type: oneOf("workload", "client"),
        says: "`workload` with a certificate, `client` with an access token.",
      },
      chain: { type: strings, says: "On behalf of whom, who began first; empty where it asks for itself." },
      groups: { type: strings, says: "Names of the configured `groups` the caller is in." },
      scopes: { type: strings, says: "Scopes of its access token; empty without one." },
      binding: { type: "string", says: 'How its token is bound to its key; "" without a token.' },
      claims: { type: { kind: "map", of: "dyn" }, says: "Claims of its access token; empty without one." },
      issuer: {
        type: "string",
        says: "Who issued its identity: the trust domain of a certificate, the configured name of a token's issuer.",
      },
      age: { type: "duration", says: "How long ago its identity was issued." },
      expires_in: { type: "duration", says: "For how long its identity is still valid." },
    },
  },
  call: {
    says: "What is asked for.",
    members: {
      server: { type: "string", says: "The server, by its configured name." },
      tool: { type: "string", says: 'The tool\'s name; "" where it is no tool.' },
      kind: {
        type: oneOf("tools", "resources", "prompts", ""),
        says: 'What the call names; "" for the protocol\'s own messages.',
      },
      name: { type: "string", says: "The tool's name, the resource's URI or the prompt's name." },
      method: { type: "string", says: "The MCP method, such as `tools/call`." },
      size: { type: "int", says: "Bytes of the message." },
      era: {
        type: oneOf("modern", "legacy", ""),
        says: 'How the message is written: `modern` from MCP 2026-07-28 on, `legacy` before; "" for what has no method.',
      },
    },
  },
  args: {
    type: "dyn",
    says: "The call's arguments, typed by the tool's input schema where it is known; of a resource, `args.uri`; of methods beside calls, the message's params.",
  },
  tool: {
    says: "What is known of the tool.",
    members: {
      read_only: { type: "bool", says: "An operator or an approved manifest says that it only reads." },
      labels: { type: strings, says: "Labels an operator gave it." },
      pinned: { type: "bool", says: "Its description is pinned." },
      signed: { type: "bool", says: "It stands in a manifest with a valid signature." },
      drifted: { type: "bool", says: "It isn't what it was when it was pinned." },
    },
  },
  link: {
    says: "The connection the call came on.",
    members: {
      group: { type: "string", says: "The key exchange's TLS group, such as `X25519MLKEM768`." },
      level: { type: "int", says: "The NIST level of the key exchange, 0 for a classical one." },
      pq: { type: "bool", says: "The key exchange withstands a quantum computer." },
      certificate: {
        type: "string",
        says: 'The algorithm of the caller\'s certificate, "none" without one.',
      },
      profile: { type: "string", says: "The cryptographic profile in force." },
      version: { type: "string", says: "The TLS version." },
      ja4: { type: "string", says: "The JA4 fingerprint of the client's first message." },
      path: {
        type: "string",
        says: 'How the stream of a peer goes: "local", "direct" or "relayed"; "none" of all others.',
      },
    },
  },
  place: {
    says: "Where the call came from.",
    members: {
      address: { type: "string", says: 'The IP address, "" where there is none.' },
      networks: { type: strings, says: "Names of the configured `networks` that hold the address." },
    },
  },
  now: { type: "timestamp", says: "When the call arrived." },
  time: {
    says: "When the call arrived, on the clock of the configured `zone` (UTC without one).",
    members: {
      hour: { type: "int", says: "0 to 23." },
      weekday: { type: "int", says: "0 (Sunday) to 6 (Saturday)." },
      minute: { type: "int", says: "0 to 59." },
    },
  },
  session: {
    says: "The run of calls by one caller from one process, ended by 30 idle minutes.",
    members: {
      id: {
        type: "string",
        says: "Its identifier; a part of it that its client named has a dot and more behind.",
      },
      began: { type: "timestamp", says: "When it began, to the second." },
    },
  },
  flow: {
    type: "flow",
    says: 'What the session has read, by the labels of tools, resources, prompts and data: `flow.seen("pii")`, `flow.carries("pii")` of all arguments, `flow.carries("pii", args.body)` of one. `docs/guide/flow.md` has the rest.',
  },
  resource: {
    says: "What is configured of the data the call touches.",
    members: {
      class: { type: "string", says: 'The data class; "" where none is configured.' },
      shelf_life: {
        type: "duration",
        says: "For how long the data must stay secret; 0 where none is configured.",
      },
    },
  },
  quantum: {
    says: "What is assumed of quantum computers.",
    members: {
      earliest: { type: "timestamp", says: "When one may break classical key exchange." },
    },
  },
  risk: {
    says: "What the models say of the call before it is decided, from 0 to 1: 0.6 is what one benign session in a hundred has, 0.9 one in a thousand. `docs/guide/detect-calls.md` has the rest.",
    members: {
      call: { type: "double", says: "How much the call looks as if somebody else had asked for it." },
      session: {
        type: "double",
        says: "The highest so far of the calls of its session, this one included; half of it after 30 minutes.",
      },
      source: {
        type: "string",
        says: 'In whose answer the call, or what it says, was found: `server/tool`; "" where nothing was.',
      },
    },
  },
  findings: {
    type: strings,
    says: "Kinds of what was found in the call's arguments, such as `secret` or `iban`; `docs/guide/findings.md` has all.",
  },
  history: {
    type: "history",
    says: "The calls that came before, and were let through; asked as the page on history says.",
  },
  intent: {
    says: "What the client says it is about; never in rules that allow.",
    members: {
      purpose: { type: "string", says: 'The declared purpose; "" where none is declared.' },
    },
  },
};

/** What a connection's first message says, before anything of it is proven. */
export const helloDeclaration: VariableDeclaration = {
  says: "The client's first message, of rules on connections and links; nobody has proven it.",
  members: {
    groups: {
      type: strings,
      says: "The TLS groups it offers, in its order; of those nobody knows here the number, `0x11ee`.",
    },
    key_shares: { type: strings, says: "Those among them for which it sent a key share at once." },
    pq: { type: "bool", says: "It offers a group that withstands a quantum computer." },
    alpn: { type: strings, says: "The protocols it asks for." },
    server_name: { type: "string", says: 'The server it names; "" where it names none.' },
    ja4: { type: "string", says: "Its JA4 fingerprint." },
  },
};

/** The variables as the compiler wants them. */
export const factTypes: Readonly<Record<keyof Facts, TypeSpec>> = typesOf(factDeclarations);

/** When rules about connections and links are asked. */
export type LinkHook = "connection" | "link";

const helloType = typesOf({ hello: helloDeclaration });

/** The variables of rules about connections and links: what is known then. */
export const linkFactTypes = {
  connection: { ...helloType, ...pick(["place", "now", "time", "quantum"]) },
  link: { ...helloType, ...pick(["caller", "link", "place", "now", "time", "quantum"]) },
} as const satisfies Readonly<Record<LinkHook, Readonly<Record<string, TypeSpec>>>>;

function pick(names: readonly (keyof Facts)[]): Readonly<Record<string, TypeSpec>> {
  return Object.fromEntries(names.map((name) => [name, factTypes[name]]));
}

export interface HelloFacts {
  readonly groups: readonly string[];
  readonly key_shares: readonly string[];
  readonly pq: boolean;
  readonly alpn: readonly string[];
  readonly server_name: string;
  readonly ja4: string;
}

/**
 * The values. Nothing is ever missing that is known to be nothing: strings are "", lists empty, durations 0.
 * Timestamps are Unix milliseconds, durations milliseconds.
 */
export interface Facts {
  readonly caller: {
    readonly id: string;
    readonly kind: "workload" | "client";
    readonly chain: readonly string[];
    readonly groups: readonly string[];
    readonly scopes: readonly string[];
    readonly binding: string;
    readonly claims: Readonly<Record<string, unknown>>;
    readonly issuer: string;
    /** Missing of a token that doesn't say it. */
    readonly age?: number;
    readonly expires_in: number;
  };
  readonly call: {
    readonly server: string;
    readonly tool: string;
    readonly kind: "tools" | "resources" | "prompts" | "";
    readonly name: string;
    readonly method: string;
    readonly size: number;
    readonly era: string;
  };
  /** As parsed from JSON. */
  readonly args: unknown;
  readonly tool: {
    readonly read_only: boolean;
    readonly labels: readonly string[];
    readonly pinned: boolean;
    readonly signed: boolean;
    readonly drifted: boolean;
  };
  readonly link: {
    readonly group: string;
    readonly level: number;
    readonly pq: boolean;
    readonly certificate: string;
    readonly profile: string;
    readonly version: string;
    readonly ja4: string;
    readonly path: PathKind | "none";
  };
  readonly place: { readonly address: string; readonly networks: readonly string[] };
  readonly now: number;
  readonly time: { readonly hour: number; readonly weekday: number; readonly minute: number };
  readonly session: { readonly id: string; readonly began: number };
  readonly flow: Flow;
  readonly resource: { readonly class: string; readonly shelf_life: number };
  readonly quantum: { readonly earliest: number };
  /** Absent where no model watches calls. */
  readonly risk?: { readonly call: number; readonly session: number; readonly source: string };
  readonly findings: readonly string[];
  /** Absent where no calls are remembered. */
  readonly history?: Recalling;
  readonly intent: { readonly purpose: string };
}

function typesOf<Name extends string>(
  declarations: Readonly<Record<Name, VariableDeclaration>>,
): Readonly<Record<Name, TypeSpec>> {
  const types = Object.entries<VariableDeclaration>(declarations).map(
    ([name, declared]): [string, TypeSpec] => [
      name,
      "type" in declared ? declared.type : groupType(declared.members),
    ],
  );
  return Object.fromEntries(types) as Record<Name, TypeSpec>;
}

function groupType(members: Readonly<Record<string, FactDeclaration>>): TypeSpec {
  const types = Object.entries(members).map(([name, { type }]) => [name, type] as const);
  return { kind: "object", members: Object.fromEntries(types), others: "none" };
}
