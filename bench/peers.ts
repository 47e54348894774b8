/**
 * What links between peers cost: every way and every pair of NATs beside plain TCP, throughput beside the same TLS over
 * plain TCP, what a relay pays, and a handshake beside a classical one.
 */
import { costTables } from "../src/app/bench/cost-tables.ts";
import { type HandshakeCosts, measureHandshakeCosts } from "../src/app/bench/handshake-costs.ts";
import { textTables } from "../src/app/bench/render-tables.ts";
import { parseCertificate } from "../src/crypto/certificate.ts";
import { generateKeyPair } from "../src/crypto/keys.ts";
import { systemClock } from "../src/host/system.ts";
import { certifyPeer, peerKeySuite } from "../src/identity/peer-certification.ts";
import { outsideAuthority } from "../test/support/certificates.ts";
import type { Cleanup } from "../test/support/cleanup.ts";
import { whyNoNats } from "../test/support/nat.ts";
import { measurePairs, type PairCosts } from "./peer-pairs.ts";
import { measureStreams, printStreams, type StreamCosts } from "./peer-streams.ts";
import { measureThroughput, printThroughput, type Throughput } from "./peer-throughput.ts";

export interface PeerCosts {
  readonly streams: StreamCosts;
  readonly handshakes: HandshakeCosts;
  /** What the called peer says between the handshake and HTTP/2. */
  readonly greetingBytes: number;
  /** Why there is neither throughput nor pairs; undefined if there are. */
  readonly skipped: string | undefined;
  readonly throughput: readonly Throughput[];
  readonly pairs: PairCosts | undefined;
}

const handshakeSeconds = 20;
const compared: ReadonlySet<string> = new Set(["ECDSA P-256 + X25519", "ML-DSA-65 + X25519MLKEM768"]);

/** Prints what it found as it goes: all of it takes a while. */
export async function measurePeers(t: Cleanup, rounds: number): Promise<PeerCosts> {
  const streams = await measureStreams(t, rounds);
  printStreams(streams);
  const handshakes = await measureHandshakes();
  const bytes = await greetingBytes();
  console.log(`\n${textTables(costTables(handshakes), [])}`);
  console.log(`A called peer says ${bytes} bytes more, once: which key is its name, and that it vouches.`);
  const alone = { streams, handshakes, greetingBytes: bytes, skipped: whyNoNats() };
  if (alone.skipped !== undefined) {
    console.log(`\nThroughput and pairs of NATs: skipped, ${alone.skipped}.`);
    return { ...alone, throughput: [], pairs: undefined };
  }
  const throughput = await apart((scope) => measureThroughput(scope, rounds));
  printThroughput(throughput);
  return { ...alone, throughput, pairs: await apart(measurePairs) };
}

async function measureHandshakes(): Promise<HandshakeCosts> {
  const costs = await measureHandshakeCosts({
    seconds: handshakeSeconds,
    clock: systemClock,
    only: "handshakes",
  });
  return { ...costs, handshakes: costs.handshakes.filter(({ name }) => compared.has(name)) };
}

async function greetingBytes(): Promise<number> {
  const certificate = parseCertificate(outsideAuthority("an authority").issue("a peer").certificate);
  if (certificate === undefined) throw new Error("an authority issues certificates");
  const key = generateKeyPair(peerKeySuite);
  return 2 + JSON.stringify(await certifyPeer(key, certificate)).length;
}

/** In a lab of its own, which is gone afterwards. */
async function apart<Measured>(measure: (scope: Cleanup) => Promise<Measured>): Promise<Measured> {
  const undo: (() => unknown)[] = [];
  const scope = { after: (step: () => unknown) => void undo.push(step) };
  try {
    return await measure(scope);
  } finally {
    for (const step of undo.reverse()) await step();
  }
}
