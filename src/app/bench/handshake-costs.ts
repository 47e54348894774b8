/** What key exchanges, signatures and whole handshakes cost on this machine: measured in one run, side by side. */
import { availableParallelism, cpus } from "node:os";

import {
  comparedExchanges,
  comparedHandshakes,
  comparedSignatures,
  handshakeName,
  type Kind,
  profilesWith,
  referenceExchange,
  referenceHandshake,
} from "../../crypto/suites/compared.ts";
import type { HandshakeBytes, HandshakeSample } from "../../host/bench/handshakes.ts";
import type { Sample } from "../../host/bench/stopwatch.ts";
import type { Clock } from "../../kernel/clock.ts";
import { type Figure, figureOf, median } from "../../kernel/statistics.ts";
import { type HandshakeContestant, openHandshakes } from "./handshake-contestants.ts";
import {
  type ExchangeContestant,
  exchangeContestant,
  type SignatureContestants,
  signatureContestants,
} from "./primitive-contestants.ts";
import { inRounds, type Turn } from "./rounds.ts";

/** Sizes in bytes, times in µs. Ratios are medians of the ratios within a round. */
export interface HandshakeCosts {
  readonly machine: {
    readonly cpu: string;
    readonly cores: number;
    readonly node: string;
    readonly openssl: string;
  };
  readonly rounds: number;
  /** How long the run took. */
  readonly seconds: number;
  readonly keyExchanges: readonly KeyExchangeCost[];
  readonly signatures: readonly SignatureCost[];
  readonly handshakes: readonly HandshakeCost[];
}

interface Cost {
  readonly name: string;
  /** Profiles that have all of it. */
  readonly profiles: readonly string[];
}

export interface KeyExchangeCost extends Cost {
  readonly kind: Kind;
  /** Whether it is what the others are compared with. */
  readonly isReference: boolean;
  /** Of an exchange with a key of its own, the row with one that lasts. */
  readonly withLastingKey?: string;
  readonly publicKeyBytes: number;
  readonly messageBytes: number;
  readonly totalBytes: number;
  /** Of the whole exchange, both ends one after the other. */
  readonly latencyUs: Figure;
  readonly cpuUs: Figure;
  /** Its CPU time compared with X25519's. */
  readonly timesReference: number;
}

export interface SignatureCost extends Cost {
  readonly kind: Kind;
  readonly publicKeyBytes: number;
  /** At most, if their length varies: ECDSA's is DER of two integers. */
  readonly signatureBytes: number;
  readonly hasVaryingLength: boolean;
  readonly signsPerCpuSecond: Figure;
  readonly verifiesPerCpuSecond: Figure;
}

export interface HandshakeCost extends Cost {
  readonly identity: string;
  readonly identityKind: Kind;
  readonly group: string;
  readonly groupKind: Kind;
  /** Whether it is what the others are compared with. */
  readonly isReference: boolean;
  readonly clientHelloBytes: number;
  readonly clientBytes: number;
  readonly serverBytes: number;
  readonly totalBytes: number;
  /** From connecting until the client is done. */
  readonly latencyUs: Figure;
  readonly serverCpuUs: Figure;
  readonly clientCpuUs: Figure;
  /** What one core would do if it did nothing but the server's end. */
  readonly serverHandshakesPerCoreSecond: number;
  readonly timesReference: { readonly bytes: number; readonly latency: number; readonly serverCpu: number };
}

export const costParts = ["primitives", "handshakes"] as const;
type CostPart = (typeof costParts)[number];

export interface MeasuringOptions {
  /** All of it by default. */
  readonly only?: CostPart;
  /** For all of it, preparations included. What is slow by itself is done once a round, whatever the budget. */
  readonly seconds: number;
  readonly clock: Clock;
  readonly onTurn?: (turn: Turn) => void;
}

/** Quartiles want a handful of rounds; a short run has few, so that each is long enough to mean something. */
const rounds = { usual: 7, short: 3, shortBelowSeconds: 10 } as const;

export async function measureHandshakeCosts(options: MeasuringOptions): Promise<HandshakeCosts> {
  const { only, seconds, clock, onTurn } = options;
  const began = performance.now();
  const isAsked = (part: CostPart): boolean => only === undefined || only === part;
  const exchanges = isAsked("primitives") ? comparedExchanges.map(exchangeContestant) : [];
  const signatures = isAsked("primitives") ? comparedSignatures.map(signatureContestants) : [];
  const open = isAsked("handshakes") ? await openHandshakes(comparedHandshakes, clock) : undefined;
  const handshakes = open?.contestants ?? [];
  const many = seconds < rounds.shortBelowSeconds ? rounds.short : rounds.usual;
  try {
    await inRounds(
      [
        ...exchanges.map(({ exchanging }) => exchanging),
        ...signatures.flatMap(({ signing, verifying }) => [signing, verifying]),
        ...handshakes.map(({ shaking }) => shaking),
      ],
      {
        rounds: many,
        endMs: began + seconds * 1000,
        nowMs: () => performance.now(),
        ...(onTurn && { onTurn }),
      },
    );
  } finally {
    await open?.close();
  }
  return {
    machine: machine(),
    rounds: many,
    seconds: (performance.now() - began) / 1000,
    keyExchanges: exchanges.map((contestant) => keyExchangeCost(contestant, exchanges)),
    signatures: signatures.map(signatureCost),
    handshakes: handshakes.map((contestant) => handshakeCost(contestant, handshakes)),
  };
}

function machine(): HandshakeCosts["machine"] {
  const { node, openssl } = process.versions;
  return { cpu: cpus()[0]?.model.trim() ?? "unknown", cores: availableParallelism(), node, openssl };
}

function keyExchangeCost(
  { row, exchanged, exchanging }: ExchangeContestant,
  all: readonly ExchangeContestant[],
): KeyExchangeCost {
  const { publicKeyBytes, messageBytes } = exchanged;
  const reference = all.find((other) => other.row.id === referenceExchange)?.exchanging.samples ?? [];
  const cpuUs = exchanging.samples.map((sample) => sample.cpuUs);
  return {
    name: row.id,
    profiles: profilesWith({ group: row.id }),
    kind: row.kind,
    isReference: row.id === referenceExchange,
    ...(row.withLastingKey !== undefined && { withLastingKey: row.withLastingKey }),
    publicKeyBytes,
    messageBytes,
    totalBytes: publicKeyBytes + messageBytes,
    latencyUs: figureOf(exchanging.samples.map(({ latencyUs }) => latencyUs)),
    cpuUs: figureOf(cpuUs),
    timesReference: timesOf(
      cpuUs,
      reference.map((sample) => sample.cpuUs),
    ),
  };
}

function signatureCost({ suite, signing, verifying }: SignatureContestants): SignatureCost {
  const perCpuSecond = (samples: readonly Sample[]): Figure =>
    figureOf(samples.map(({ cpuUs }) => 1_000_000 / cpuUs));
  return {
    name: suite.id,
    profiles: profilesWith({ identity: suite.id }),
    kind: suite.kind,
    publicKeyBytes: suite.publicKeyBytes,
    signatureBytes: suite.signatureBytes,
    hasVaryingLength: suite.keyType === "ec",
    signsPerCpuSecond: perCpuSecond(signing.samples),
    verifiesPerCpuSecond: perCpuSecond(verifying.samples),
  };
}

function handshakeCost(
  { row, bytes, shaking }: HandshakeContestant,
  all: readonly HandshakeContestant[],
): HandshakeCost {
  const { samples } = shaking;
  const reference = all.find((other) => handshakeName(other.row) === referenceHandshake);
  const bytesOf = (of: HandshakeBytes): number => of.sentByClient + of.sentByServer;
  const figures = (of: readonly HandshakeSample[], figure: "latencyUs" | "serverCpuUs" | "cpuUs"): number[] =>
    of.map((sample) => sample[figure]);
  const times = (figure: "latencyUs" | "serverCpuUs"): number =>
    timesOf(figures(samples, figure), figures(reference?.shaking.samples ?? [], figure));
  const serverCpuUs = figureOf(figures(samples, "serverCpuUs"));
  return {
    name: handshakeName(row),
    profiles: profilesWith({ group: row.group, identity: row.identity.id }),
    isReference: handshakeName(row) === referenceHandshake,
    identity: row.identity.id,
    identityKind: row.identity.kind,
    group: row.group,
    groupKind: row.groupKind,
    clientHelloBytes: bytes.hello,
    clientBytes: bytes.sentByClient,
    serverBytes: bytes.sentByServer,
    totalBytes: bytesOf(bytes),
    latencyUs: figureOf(figures(samples, "latencyUs")),
    serverCpuUs,
    clientCpuUs: figureOf(figures(samples, "cpuUs")),
    serverHandshakesPerCoreSecond: 1_000_000 / serverCpuUs.median,
    timesReference: {
      bytes: bytesOf(bytes) / bytesOf(reference?.bytes ?? bytes),
      latency: times("latencyUs"),
      serverCpu: times("serverCpuUs"),
    },
  };
}

/** Round by round, and the median of that. */
function timesOf(values: readonly number[], reference: readonly number[]): number {
  return median(values.map((value, round) => value / (reference[round] ?? value)));
}
