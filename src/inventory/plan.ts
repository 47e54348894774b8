/**
 * The migration as steps in the order in which a security engineer would take them: what is lost today first, then what is
 * recorded today and read later, then what can be forged later; within a phase by sensitivity, exposure and shelf life.
 */
import { type Assumptions, shelfLifeYears, type Urgency, urgencyOf } from "./mosca.ts";
import type { Inventory, InventoryServer } from "./inventory.ts";
import { type MarkedInventory, markedInventory } from "./marked-inventory.ts";
import { isGone, type Progress, progressOf } from "./progress.ts";

export const phases = [
  { id: "clear-sensitive", title: "Stop what is read today: clear text on a network, secrets in files" },
  { id: "adopt", title: "Quick wins: put clients' servers behind the gateway" },
  { id: "weak", title: "End broken cryptography and the rest of clear text" },
  { id: "shadow", title: "Give each shadow server an owner, or end it" },
  { id: "tools", title: "Part tools that are dangerous, alone or together" },
  { id: "unknown", title: "Find out what couldn't be seen" },
  { id: "downgradable", title: "Close the way back to classical key exchange" },
  { id: "classical", title: "Hybrid key exchange for what is classical" },
  { id: "authentication", title: "Post-quantum authentication" },
] as const;

type PhaseId = (typeof phases)[number]["id"];

export interface Step {
  /** Id of a server, or a client's file. */
  readonly at: string;
  readonly owner?: string;
  readonly why: string;
  /** What to type or to write, in this order. */
  readonly how: readonly string[];
  readonly ends: string;
  readonly doneWhen: string;
  /** Sensitivity times exposure times shelf life, each from 1 to 4. */
  readonly score: number;
}

export interface MigrationPlan {
  readonly assumptions: Assumptions;
  /** Of each data class there is, the most urgent first. */
  readonly urgency: readonly Urgency[];
  /** Only those with steps. */
  readonly phases: readonly {
    readonly id: PhaseId;
    readonly title: string;
    readonly steps: readonly Step[];
  }[];
  /** Oldest first; the last one is now. */
  readonly progress: readonly Progress[];
}

type Found = Step & { readonly phase: PhaseId };

export function migrationPlan(
  inventory: Inventory,
  history: readonly Progress[],
  assumptions: Assumptions,
): MigrationPlan {
  const servers = inventory.servers.filter((server) => !isGone(server, inventory));
  const found = [
    ...inventory.clients.flatMap(clientSteps),
    ...servers.flatMap((server) => serverSteps(server, inventory)),
    ...toolSteps(markedInventory(inventory)),
  ];
  return {
    assumptions,
    urgency: urgencyOf(servers, assumptions, inventory.atUnixMs),
    phases: phases.flatMap(({ id, title }) => {
      const steps = found.filter(({ phase }) => phase === id).toSorted(urgentFirst);
      return steps.length === 0 ? [] : [{ id, title, steps: steps.map(withoutPhase) }];
    }),
    progress: history.length === 0 ? [progressOf(inventory)] : history,
  };
}

function clientSteps({ file, entries, secrets }: Inventory["clients"][number]): readonly Found[] {
  const direct = entries.filter(
    ({ isDisabled, reaches }) => !isDisabled && (reaches.kind === "http" || reaches.kind === "stdio"),
  );
  const base = { at: file, score: 4 + direct.length };
  const places = secrets
    .slice(0, 3)
    .map(({ at }) => at)
    .join(", ");
  return [
    ...(secrets.length === 0
      ? []
      : [
          {
            ...base,
            score: 64,
            phase: "clear-sensitive" as const,
            why: `${secrets.length} secret(s) stand in this file in the clear (${places})`,
            how: ["replace each with a reference to the environment, and change it where it was issued"],
            ends: "Whoever reads the file, a backup of it or a copy in a repository has them.",
            doneWhen: "latticegate scan tells no secret in this file",
          },
        ]),
    ...(direct.length === 0
      ? []
      : [
          {
            ...base,
            phase: "adopt" as const,
            why: `${direct.length} server(s) in it are reached without the gateway`,
            how: [`latticegate adopt ${quoted(file)}`],
            ends: "Calls that no policy sees, that leave no record, on links nobody chose.",
            doneWhen:
              "each of its entries runs latticegate connect; links behind the gateway rise in the progress",
          },
        ]),
  ];
}

function serverSteps(server: InventoryServer, inventory: Inventory): readonly Found[] {
  const link = linkStep(server, inventory);
  const base = {
    at: server.id,
    ...(server.labels.owner !== undefined && { owner: server.labels.owner }),
    score: scoreOf(server),
  };
  const weak = weakIdentity(server);
  const later = link === undefined && weak === undefined ? authenticationStep(server) : undefined;
  const steps = [link, weak, shadowStep(server), later];
  return steps.flatMap((step) => (step === undefined ? [] : [{ ...base, ...step }]));
}

type Part = Omit<Found, "at" | "owner" | "score">;

function linkStep(server: InventoryServer, inventory: Inventory): Part | undefined {
  if (server.place.kind !== "http") return undefined;
  const because = server.posture?.keyExchange.because[0];
  // Of a URL without TLS, nothing more has to be seen.
  const unseen = server.id.startsWith("http:") ? "none" : "unknown";
  const verdict = server.posture?.keyExchange.verdict ?? unseen;
  switch (verdict) {
    case "none":
      return clearStep(server, inventory, because ?? "HTTP without TLS");
    case "weak":
      return {
        phase: "weak",
        why: because ?? "its key exchange is broken by means of today",
        how: behindExpose(server),
        ends: "Reading and changing of calls with means of today.",
        doneWhen: seenAs("hybrid"),
      };
    case "unknown":
      return unknownStep(server, because);
    case "downgradable":
      return downgradableStep(because);
    case "classical":
      return {
        phase: "classical",
        why: because ?? "it has no group with ML-KEM",
        how: behindExpose(server),
        ends: "Recording today, reading with a quantum computer.",
        doneWhen: seenAs("hybrid"),
      };
    default:
      return undefined;
  }
}

function unknownStep(server: InventoryServer, because: string | undefined): Part {
  return {
    phase: "unknown",
    why: because ?? "its cryptography wasn't looked at",
    how: ["latticegate scan --keep", `latticegate inventory show ${quoted(server.id)}`],
    ends: "A server that may be any of the others.",
    doneWhen: "its key exchange has a verdict",
  };
}

function downgradableStep(because: string | undefined): Part {
  return {
    phase: "downgradable",
    why: because ?? "a client that offers classical groups first gets one",
    how: [
      "where its TLS ends, list groups with ML-KEM in a group of preference of their own (OpenSSL 3.5: X25519MLKEM768 / X25519)",
      "latticegate crypto apply hybrid, where the gateway's profile is still transition",
    ],
    ends: "Recording today, reading with a quantum computer, of clients that could do better.",
    doneWhen: seenAs("hybrid-preferred or hybrid"),
  };
}

function clearStep(server: InventoryServer, inventory: Inventory, because: string): Part {
  const isOnNetwork = server.exposure === "private" || server.exposure === "public";
  const carries = sensitivityOf(server) >= 3 ? "data that isn't public" : credentialsTo(server, inventory);
  return {
    phase: isOnNetwork && carries !== undefined ? "clear-sensitive" : "weak",
    why: carries === undefined || !isOnNetwork ? because : `${because}, and it carries ${carries}`,
    how: behindExpose(server),
    ends: isOnNetwork
      ? "Anybody on the way reads and changes calls, answers and what is sent to sign in."
      : "Other programs and users of this machine that listen in, or take its port.",
    doneWhen: seenAs("hybrid"),
  };
}

/** What is sent there to sign in, as far as it was seen. */
function credentialsTo(server: InventoryServer, { clients }: Inventory): string | undefined {
  const kind = server.authentication?.kind;
  if (kind === "bearer" || kind === "basic" || kind === "oauth") return "credentials";
  const sends = server.evidence.some(
    (each) =>
      each.by === "client" &&
      clients.some(
        ({ file, entries }) =>
          file === each.file &&
          entries.some(
            ({ name, reaches }) =>
              name === each.name && reaches.kind === "http" && reaches.headers.length > 0,
          ),
      ),
  );
  return sends ? "headers that clients sign in with" : undefined;
}

/** A link that would do, to a server that anybody can play: it counts with what is broken. */
function weakIdentity({ posture }: InventoryServer): Part | undefined {
  if (posture?.authentication.verdict !== "weak") return undefined;
  return {
    phase: "weak",
    why: posture.authentication.because[0] ?? "its certificate is broken by means of today",
    how: ["give it a new key and certificate: ECDSA P-256 or ML-DSA-65, never RSA below 2048 bits or SHA-1"],
    ends: "Servers that are played by somebody else with means of today.",
    doneWhen: "latticegate scan says authentication classical or better",
  };
}

function toolSteps({ tools, combinations }: MarkedInventory): readonly Found[] {
  const bad = tools.filter(({ findings }) => findings.some(({ severity }) => severity === "high"));
  return [
    ...combinations.map(({ who, kind, says, parts }): Found => ({
      phase: "tools",
      at: who,
      score: kind === "exfiltration" ? 48 : 32,
      why: `${says} (${parts.map(({ trait, tools: named }) => `${trait}: ${named[0]}`).join(", ")})`,
      how: [
        "take one of these servers out of that client, or label the tools and deny the last one where flow has seen the first: docs/guide/flow.md",
      ],
      ends: "Whoever has their text read by that agent gives it orders.",
      doneWhen:
        "latticegate scan tells no such combination of it, or latticegate policy test shows the refusal",
    })),
    ...bad.map(({ server, name, findings }): Found => ({
      phase: "tools",
      at: `${server}#${name}`,
      score: 40,
      why: findings.find(({ severity }) => severity === "high")?.says ?? "",
      how: [
        "read its declaration; behind the gateway: tools: { pin: approve }, then latticegate tools approve by name",
      ],
      ends: "A tool that isn't what it says.",
      doneWhen: "latticegate scan has no finding about it, or the gateway doesn't offer it",
    })),
  ];
}

function shadowStep(server: InventoryServer): Part | undefined {
  if (server.standing !== "shadow") return undefined;
  const process = server.evidence.find((each) => each.by === "process");
  const end =
    process === undefined ? "stop it where it runs" : `stop process ${process.pid} (${process.program})`;
  return {
    phase: "shadow",
    why: "it runs, and stands in nobody's configuration",
    how: [
      `latticegate inventory label ${quoted(server.id)} --owner TEAM --purpose WHAT-FOR --data-class CLASS`,
      server.place.kind === "http"
        ? `with an owner, in latticegate.yaml: servers: { NAME: { url: ${JSON.stringify(server.id)}, owner: TEAM } }; without one, ${end}`
        : `without an owner, ${end}`,
    ],
    ends: "A server that nobody answers for, patches or watches.",
    doneWhen: "it is registered or configured in the next scan, or isn't seen any more",
  };
}

function authenticationStep({ posture, place }: InventoryServer): Part | undefined {
  if (place.kind !== "http" || posture?.authentication.verdict !== "classical") return undefined;
  const [date] = posture.authentication.dates;
  return {
    phase: "authentication",
    why: `${posture.authentication.because[0] ?? "its certificate is classical"}${date === undefined ? "" : `; ${date.what} from ${date.from} on (${date.source})`}`,
    how: [
      "latticegate adopt --server NAME URL here, latticegate expose URL on another machine: it proves itself with ML-DSA then",
    ],
    ends: "Servers that are played by whoever has a quantum computer; nothing that is recorded today is lost by it.",
    doneWhen: "latticegate scan says authentication hybrid or post-quantum",
  };
}

/** The tunnel ends beside the server, and the gate holds it to that. */
function behindExpose({ id, names, exposure }: InventoryServer): readonly string[] {
  const name = names.find((each) => /^[a-z][a-z0-9-]{0,40}$/.test(each)) ?? "NAME";
  const { port, pathname, protocol } = new URL(id);
  const at = port || (protocol === "https:" ? 443 : 80);
  const own = exposure === "loopback" ? id : `${protocol}//127.0.0.1:${at}${pathname}`;
  const gate = "in latticegate.yaml, once every server has it: gate: { link: hybrid }";
  if (exposure === "loopback") return [`latticegate adopt --server ${name} ${quoted(own)}`, gate];
  return [
    `latticegate ca token --for server/${name}, on the gateway`,
    `latticegate expose ${quoted(own)} --join TOKEN, on the server's machine; of somebody else's server, ask them for ML-KEM (X25519MLKEM768)`,
    `in latticegate.yaml: servers: { ${name}: { url: https://HOST:PORT/mcp, peer: SPIFFE-ID } }, as expose prints them`,
    gate,
    "then let the server listen on loopback alone",
  ];
}

function seenAs(verdict: string): string {
  return `latticegate scan --keep says key exchange ${verdict}, or doesn't reach it from the network any more`;
}

const sensitivities = new Map([
  ["public", 1],
  ["internal", 2],
  ["confidential", 3],
  ["restricted", 4],
  ["secret", 4],
]);

const exposures = { process: 1, loopback: 2, private: 3, public: 4 } as const;

function scoreOf(server: InventoryServer): number {
  const years = shelfLifeYears(server);
  const life = years >= 20 ? 4 : years >= 7 ? 3 : years >= 2 ? 2 : 1;
  return sensitivityOf(server) * exposures[server.exposure] * life;
}

/** 1 to 4; what nobody labelled counts as confidential. */
function sensitivityOf({ labels }: InventoryServer): number {
  return sensitivities.get(labels.dataClass ?? "") ?? 3;
}

function urgentFirst(a: Step, b: Step): number {
  return b.score - a.score || (a.at < b.at ? -1 : 1);
}

function withoutPhase({ at, owner, why, how, ends, doneWhen, score }: Found): Step {
  return { at, ...(owner !== undefined && { owner }), why, how, ends, doneWhen, score };
}

/** For a POSIX shell; no name of a stranger's is a command. */
function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
