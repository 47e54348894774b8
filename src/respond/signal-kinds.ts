/**
 * What signals there are: what each is worth by itself, whether a rule saw it or a model, what it is called in other
 * people's tables (MITRE ATLAS, OWASP Top 10 for Agentic Applications), and how a person hears of it.
 */

export interface SignalKind {
  /** As signals have it; ending in `*`, all that begin so and have no row of their own. */
  readonly kind: string;
  /** From 0 to 1; of what comes with a score of its own, what counts where it is missing. */
  readonly score: number;
  /** A rule's, which is always right about what it says; a model's is only likely. */
  readonly isHard: boolean;
  /** After "agent/x ", in a title. */
  readonly title: string;
  /** MITRE ATLAS techniques. */
  readonly atlas: readonly string[];
  /** OWASP ASI, the ten risks of agentic applications. */
  readonly asi: readonly string[];
}

/** From here on a signal is worth an incident by itself. */
export const incidentScore = 0.6;

const injected = { atlas: ["AML.T0051.001"], asi: ["ASI01"] } as const;
const obfuscated = { atlas: ["AML.T0051.001", "AML.T0068"], asi: ["ASI01"] } as const;
const leaks = { atlas: ["AML.T0086"], asi: ["ASI02"] } as const;
const poisonedTool = { atlas: ["AML.T0110"], asi: ["ASI04"] } as const;
const between = { atlas: [], asi: ["ASI07"] } as const;
const stolen = { atlas: ["AML.T0012"], asi: ["ASI03"] } as const;

export const signalKinds = [
  {
    kind: "risk.call",
    score: 0,
    isHard: false,
    title: "made a call that something it had read seems to have asked for",
    atlas: ["AML.T0051.001", "AML.T0053"],
    asi: ["ASI01", "ASI02"],
  },
  {
    kind: "risk.session",
    score: 0,
    isHard: false,
    title: "goes on in a session in which a call looked like somebody else's",
    atlas: ["AML.T0051.001", "AML.T0053"],
    asi: ["ASI01"],
  },
  { kind: "finding secret", score: 0.6, isHard: true, title: "sent a key, token or password", ...leaks },
  { kind: "finding secret.named", score: 0.3, isHard: true, title: "sent what is named a secret", ...leaks },
  { kind: "finding personal.card", score: 0.3, isHard: true, title: "sent a payment card", ...leaks },
  { kind: "finding personal.us-ssn", score: 0.3, isHard: true, title: "sent a national number", ...leaks },
  {
    kind: "finding personal.national-id",
    score: 0.3,
    isHard: true,
    title: "sent a national number",
    ...leaks,
  },
  { kind: "finding personal.*", score: 0.1, isHard: true, title: "sent personal data", ...leaks },
  {
    kind: "finding hidden.characters",
    score: 0.8,
    isHard: true,
    title: "sent text that people don't see",
    ...obfuscated,
  },
  {
    kind: "finding hidden.order",
    score: 0.6,
    isHard: true,
    title: "sent text that shows in another order than it reads",
    ...obfuscated,
  },
  { kind: "finding hidden.mark", score: 0.1, isHard: true, title: "sent an invisible mark", ...obfuscated },
  {
    kind: "finding hidden.*",
    score: 0.4,
    isHard: true,
    title: "sent text that isn't what it looks like",
    ...obfuscated,
  },
  {
    kind: "finding schema",
    score: 0.2,
    isHard: true,
    title: "sent arguments that the tool doesn't take",
    atlas: ["AML.T0053"],
    asi: ["ASI02"],
  },
  {
    kind: "finding destructive",
    score: 0.1,
    isHard: true,
    title: "asked for what can't be undone",
    atlas: ["AML.T0101"],
    asi: ["ASI02"],
  },
  {
    kind: "finding shadowed",
    score: 0.4,
    isHard: true,
    title: "called a tool whose name looks like another server's",
    ...poisonedTool,
  },
  {
    kind: "finding unread",
    score: 0.2,
    isHard: true,
    title: "sent more than is looked into",
    ...obfuscated,
  },
  {
    kind: "finding *",
    score: 0.2,
    isHard: true,
    title: "sent something that was found fault with",
    ...leaks,
  },
  {
    kind: "answer hidden.characters",
    score: 0.8,
    isHard: true,
    title: "was answered with text that people don't see",
    ...obfuscated,
  },
  {
    kind: "answer hidden.order",
    score: 0.6,
    isHard: true,
    title: "was answered with text that shows in another order than it reads",
    ...obfuscated,
  },
  {
    kind: "answer hidden.mark",
    score: 0.1,
    isHard: true,
    title: "was answered with an invisible mark",
    ...obfuscated,
  },
  {
    kind: "answer hidden.*",
    score: 0.4,
    isHard: true,
    title: "was answered with text that isn't what it looks like",
    ...obfuscated,
  },
  {
    kind: "answer told.override",
    score: 0.4,
    isHard: false,
    title: "was told to ignore its orders by what it read",
    ...injected,
  },
  {
    kind: "answer told.send-secret",
    score: 0.4,
    isHard: false,
    title: "was told to send secrets by what it read",
    atlas: ["AML.T0051.001", "AML.T0098"],
    asi: ["ASI01", "ASI02"],
  },
  {
    kind: "answer told.*",
    score: 0.3,
    isHard: false,
    title: "was given orders by what it read",
    ...injected,
  },
  {
    kind: "answer mark.*",
    score: 0.3,
    isHard: false,
    title: "read what poses as a part of its conversation",
    ...injected,
  },
  {
    kind: "answer unread",
    score: 0.2,
    isHard: true,
    title: "was answered with more than is looked into",
    ...obfuscated,
  },
  {
    kind: "answer secret",
    score: 0.2,
    isHard: true,
    title: "was answered with a key, token or password",
    atlas: ["AML.T0098"],
    asi: ["ASI03"],
  },
  {
    kind: "answer *",
    score: 0.1,
    isHard: true,
    title: "was answered with something worth noting",
    atlas: ["AML.T0085"],
    asi: ["ASI02"],
  },
  {
    kind: "flow flow.exfiltration-burst",
    score: 0.6,
    isHard: false,
    title: "sent far more than it ever did",
    atlas: ["AML.T0025"],
    asi: ["ASI02"],
  },
  {
    kind: "flow flow.drip",
    score: 0.5,
    isHard: false,
    title: "sends a little more than usual with every call",
    atlas: ["AML.T0025"],
    asi: ["ASI02"],
  },
  {
    kind: "flow flow.beacon",
    score: 0.5,
    isHard: false,
    title: "calls like a clock",
    atlas: ["AML.T0108"],
    asi: ["ASI10"],
  },
  {
    kind: "flow flow.bulk-read",
    score: 0.5,
    isHard: false,
    title: "read far more than it ever did",
    atlas: ["AML.T0085.001"],
    asi: ["ASI02"],
  },
  {
    kind: "flow flow.tunnel",
    score: 0.5,
    isHard: false,
    title: "uses calls as a tunnel",
    atlas: ["AML.T0108"],
    asi: ["ASI10"],
  },
  {
    kind: "flow handshake.clients",
    score: 0.5,
    isHard: false,
    title: "is used by more than one client program",
    ...stolen,
  },
  { kind: "flow handshake.*", score: 0.4, isHard: false, title: "shakes hands unlike before", ...between },
  {
    kind: "flow *",
    score: 0.3,
    isHard: false,
    title: "has links unlike those it had before",
    atlas: [],
    asi: ["ASI10"],
  },
  {
    kind: "regression",
    score: 0.6,
    isHard: true,
    title: "came over a weaker link than it is capable of",
    ...between,
  },
  {
    kind: "drift",
    score: 0.8,
    isHard: true,
    title: "isn't what was approved any more",
    atlas: ["AML.T0110", "AML.T0010.005"],
    asi: ["ASI04"],
  },
  {
    kind: "tool hidden-text",
    score: 0.9,
    isHard: true,
    title: "has text in its description that people don't see",
    atlas: ["AML.T0110", "AML.T0068"],
    asi: ["ASI04", "ASI01"],
  },
  { kind: "tool shadows", score: 0.6, isHard: true, title: "has the name of another tool", ...poisonedTool },
  {
    kind: "tool look-alike",
    score: 0.6,
    isHard: true,
    title: "has a name that looks like another tool's",
    ...poisonedTool,
  },
  {
    kind: "tool manifest",
    score: 0.6,
    isHard: true,
    title: "came with a signed manifest that doesn't count",
    ...poisonedTool,
  },
  { kind: "tool new", score: 0.1, isHard: true, title: "is new", ...poisonedTool },
  { kind: "tool *", score: 0.2, isHard: true, title: "was found fault with", ...poisonedTool },
  {
    kind: "egress",
    score: 0.9,
    isHard: true,
    title: "was cut off from where it sent far more than it may",
    atlas: ["AML.T0025"],
    asi: ["ASI10"],
  },
  {
    kind: "denied",
    score: 0.1,
    isHard: true,
    title: "asked for what it may not",
    atlas: ["AML.T0053"],
    asi: ["ASI02", "ASI03"],
  },
  {
    kind: "rate",
    score: 0.6,
    isHard: true,
    title: "keeps trying what it may not",
    atlas: ["AML.T0053", "AML.T0034.002"],
    asi: ["ASI02", "ASI03"],
  },
  {
    kind: "signature",
    score: 0.8,
    isHard: true,
    title: "has messages whose signatures don't count",
    ...between,
  },
  {
    kind: "identity",
    score: 0.6,
    isHard: true,
    title: "came with an identity that was taken away from it",
    ...stolen,
  },
  {
    kind: "log",
    score: 1,
    isHard: true,
    title: "has a log that contradicts what was seen of it before",
    atlas: [],
    asi: ["ASI08"],
  },
] as const satisfies readonly SignalKind[];

const exact: ReadonlyMap<string, SignalKind> = new Map(signalKinds.map((row) => [row.kind, row]));
/** The longest first. */
const families: readonly (readonly [string, SignalKind])[] = signalKinds
  .filter(({ kind }) => kind.endsWith("*"))
  .map((row): readonly [string, SignalKind] => [row.kind.slice(0, -1), row])
  .toSorted(([a], [b]) => b.length - a.length);

const unknownKind: SignalKind = {
  kind: "*",
  score: 0.2,
  isHard: true,
  title: "did something worth noting",
  atlas: [],
  asi: [],
};

/** What is known of such signals; of a kind that no row has, as little as can be said. */
export function signalKind(kind: string): SignalKind {
  return exact.get(kind) ?? families.find(([beginning]) => kind.startsWith(beginning))?.[1] ?? unknownKind;
}

/** `ATLAS:AML.T0051.001 ASI:ASI01`: each once, in order. */
export function tagsOf(kinds: Iterable<string>): readonly string[] {
  const rows = [...kinds].map(signalKind);
  const tags = rows.flatMap(({ atlas, asi }) => [
    ...atlas.map((id) => `ATLAS:${id}`),
    ...asi.map((id) => `ASI:${id}`),
  ]);
  return [...new Set(tags)].toSorted();
}
