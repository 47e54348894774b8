/** What was measured as tables of words, the same for a terminal and for Markdown. */
import type { Figure } from "../../kernel/statistics.ts";
import type { HandshakeCost, HandshakeCosts, KeyExchangeCost, SignatureCost } from "./handshake-costs.ts";

export interface CostTable {
  readonly title: string;
  readonly columns: readonly Column[];
  /** A cell for each column. */
  readonly rows: readonly (readonly string[])[];
  readonly notes: readonly string[];
}

interface Column {
  /** What, and in which unit; the two may stand below one another. */
  readonly head: readonly [what: string, unit: string];
  readonly align: "left" | "right";
}

/** Those that have rows. */
export function costTables(costs: HandshakeCosts): readonly CostTable[] {
  const tables = [handshakeBytesTable, handshakeTimesTable, keyExchangeTable, signatureTable];
  return tables.map((table) => table(costs)).filter(({ rows }) => rows.length > 0);
}

/** How it was measured, in a few sentences. */
export function methodOf({ machine, rounds, seconds, handshakes }: HandshakeCosts): readonly string[] {
  const { cpu, cores, node, openssl } = machine;
  return [
    `Measured on ${cpu}, ${cores} ${cores === 1 ? "core" : "cores"}, Node ${node}, OpenSSL ${openssl}, in ${seconds.toFixed(0)} s: ${rounds} rounds with every row in each, so that a noisy moment hits all alike.`,
    "Figures are medians of the rounds, ± half the distance between their quartiles; × are medians of the ratios within a round. CPU is user and system time by process.cpuUsage, divided by the operations done.",
    ...(handshakes.length === 0
      ? []
      : [
          "A handshake is a full one over loopback, mutual, one leaf right below its root from each end, nothing resumed, tickets off; its server is a process of its own. Latency is from connecting until the client is done; bytes are TLS records, the two stubs that OpenSSL sends in place of tickets included.",
        ]),
  ];
}

/** To which profile a row belongs, or why to none. */
export function standingOf(cost: HandshakeCost | KeyExchangeCost | SignatureCost): string {
  if (cost.profiles.length > 0) return cost.profiles.join(", ");
  if (!("group" in cost)) return cost.kind === "classical" ? "classical" : "–";
  const [isGroupClassical, isIdentityClassical] = [cost.groupKind, cost.identityKind].map(
    (kind) => kind === "classical",
  );
  if (isGroupClassical) return isIdentityClassical ? "classical" : "classical group";
  return isIdentityClassical ? "classical identity" : "–";
}

function handshakeBytesTable({ handshakes }: HandshakeCosts): CostTable {
  return {
    title: "Mutual TLS 1.3 handshakes: on the wire",
    columns: [
      left("identities + group"),
      left("profile"),
      right("ClientHello", "bytes"),
      right("client sends", "bytes"),
      right("server sends", "bytes"),
      right("in all", "bytes"),
      right("in all", "×"),
    ],
    rows: handshakes.map((cost) => [
      cost.name,
      standingOf(cost),
      whole(cost.clientHelloBytes),
      whole(cost.clientBytes),
      whole(cost.serverBytes),
      whole(cost.totalBytes),
      times(cost.timesReference.bytes),
    ]),
    notes: [`× compares with ${reference(handshakes)}.`],
  };
}

function handshakeTimesTable({ handshakes }: HandshakeCosts): CostTable {
  return {
    title: "Mutual TLS 1.3 handshakes: time",
    columns: [
      left("identities + group"),
      right("client done", "ms"),
      right("", "×"),
      right("server CPU", "ms"),
      right("", "×"),
      right("client CPU", "ms"),
      right("server does", "/s and core"),
    ],
    rows: handshakes.map((cost) => [
      cost.name,
      milliseconds(cost.latencyUs),
      times(cost.timesReference.latency),
      milliseconds(cost.serverCpuUs),
      times(cost.timesReference.serverCpu),
      milliseconds(cost.clientCpuUs),
      whole(cost.serverHandshakesPerCoreSecond),
    ]),
    notes: [`× compares with ${reference(handshakes)}.`],
  };
}

function keyExchangeTable({ keyExchanges }: HandshakeCosts): CostTable {
  return {
    title: "Key exchanges by themselves, both ends",
    columns: [
      left("key exchange"),
      left("profile"),
      right("public key", "bytes"),
      right("message", "bytes"),
      right("in all", "bytes"),
      right("latency", "ms"),
      right("CPU", "ms"),
      right("CPU", "×"),
    ],
    rows: keyExchanges.map((cost) => [
      cost.name,
      standingOf(cost),
      whole(cost.publicKeyBytes),
      whole(cost.messageBytes),
      whole(cost.totalBytes),
      milliseconds(cost.latencyUs),
      milliseconds(cost.cpuUs),
      times(cost.timesReference),
    ]),
    notes: [`× compares with ${reference(keyExchanges)}.`, ...keyGeneration(keyExchanges)],
  };
}

function signatureTable({ signatures }: HandshakeCosts): CostTable {
  return {
    title: "Signatures by themselves",
    columns: [
      left("signature"),
      left("profile"),
      right("public key", "bytes"),
      right("signature", "bytes"),
      right("signed", "per CPU-second"),
      right("verified", "per CPU-second"),
    ],
    rows: signatures.map((cost) => [
      cost.name,
      standingOf(cost),
      whole(cost.publicKeyBytes),
      `${cost.hasVaryingLength ? "≤ " : ""}${whole(cost.signatureBytes)}`,
      rate(cost.signsPerCpuSecond),
      rate(cost.verifiesPerCpuSecond),
    ]),
    notes: [],
  };
}

function reference(costs: readonly (HandshakeCost | KeyExchangeCost)[]): string {
  return costs.find(({ isReference }) => isReference)?.name ?? "";
}

/** What a key of its own adds to an exchange. */
function keyGeneration(costs: readonly KeyExchangeCost[]): readonly string[] {
  return costs.flatMap(({ name, cpuUs, withLastingKey }) => {
    const lasting = costs.find((cost) => cost.name === withLastingKey);
    if (lasting === undefined) return [];
    const generation = significant((cpuUs.median - lasting.cpuUs.median) / 1000);
    return [
      `${lasting.name} is key transport: the secret is encrypted to a key that lasts, and whoever steals that key reads all that was recorded. To make a key for one exchange costs ${generation} ms more (${name}).`,
    ];
  });
}

function left(what: string): Column {
  return { head: [what, ""], align: "left" };
}

function right(what: string, unit: string): Column {
  return { head: [what, unit], align: "right" };
}

function whole(value: number): string {
  return value.toFixed(0).replace(/\B(?=(\d{3})+$)/g, ",");
}

function times(value: number): string {
  return value.toFixed(value < 10 ? 2 : 1);
}

function milliseconds({ median, spread }: Figure): string {
  return `${significant(median / 1000)} ${deviation(spread)}`;
}

function rate({ median, spread }: Figure): string {
  return `${median < 100 ? significant(median) : whole(median)} ${deviation(spread)}`;
}

function deviation(spread: number): string {
  return `±${(spread * 100).toFixed(0)}%`.padStart(4);
}

/** Three digits that mean something. */
export function significant(value: number): string {
  if (value >= 100) return value.toFixed(0);
  if (value >= 10) return value.toFixed(1);
  return value.toFixed(value >= 1 ? 2 : 3);
}
