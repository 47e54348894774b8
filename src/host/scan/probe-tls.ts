/**
 * What an endpoint can do in TLS, found out by asking: its groups in its order, by hellos whose key shares are empty; versions
 * by hellos that offer one; certificates by handshakes that take one kind each; and how it bears hellos that are big or come
 * in pieces. Some thirty connections, a few at once, none of which asks for anything.
 */
import { randomBytes, X509Certificate } from "node:crypto";
import net from "node:net";

import type { ObservedCertificate, ObservedChain, ObservedTls } from "../../inventory/posture/posture.ts";
import { observedCertificate } from "../../inventory/posture/observed-certificate.ts";
import { probeHello } from "../../wire/probe-hello.ts";
import type { ServerFlight } from "../../wire/server-flight.ts";
import { askedGroups, cipherName, groupKind, groupName, versionName } from "../../wire/tls-names.ts";
import { type Asked, askFlight, type Endpoint } from "./ask-flight.ts";
import { completeHandshake, type Handshake, type Offer } from "./complete-handshake.ts";

export type ProbedTls =
  | { readonly kind: "tls"; readonly tls: ObservedTls }
  /** It answered, but not in TLS. */
  | { readonly kind: "not-tls" }
  | { readonly kind: "silent" }
  | { readonly kind: "unreachable"; readonly because: string };

export interface TlsProbe extends Endpoint {
  readonly serverName?: string;
  readonly signal: AbortSignal;
  /** Of one connection. */
  readonly timeoutMs: number;
}

const tls13 = 0x0304;
const olderVersions = [0x0303, 0x0302, 0x0301] as const;
/** Over one segment of an Ethernet path: what a hello with shares of two ML-KEM groups has. */
const bigHelloBytes = 3300;

/** One kind of certificate each; the strongest last, whose handshake is told. */
const certificateKinds: readonly string[] = [
  "rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:rsa_pss_rsae_sha512:rsa_pkcs1_sha256:rsa_pkcs1_sha384:rsa_pkcs1_sha1",
  "ecdsa_secp256r1_sha256:ecdsa_secp384r1_sha384:ecdsa_secp521r1_sha512",
  "ed25519:ed448",
  "mldsa44",
  "mldsa65",
  "mldsa87",
];
const everyGroup = "X25519MLKEM768:SecP256r1MLKEM768:SecP384r1MLKEM1024:X25519:P-256:P-384:P-521:X448";
/** OpenSSL's names of groups, where they aren't IANA's. */
const openSslNames: Readonly<Record<string, string>> = {
  secp256r1: "P-256",
  secp384r1: "P-384",
  secp521r1: "P-521",
  x25519: "X25519",
  x448: "X448",
};

export async function probeTls(probe: TlsProbe): Promise<ProbedTls> {
  const first = await ask(probe, { version: tls13, groups: askedGroups });
  if (first.kind === "unreachable") return first;
  const old = await oldVersions(probe);
  const groups = await groupOrder(probe, first);
  if (groups.length === 0 && old.length === 0) return withoutTls(first);
  const versions = [
    ...old.map(({ version }) => versionName(version)).toReversed(),
    ...(groups.length > 0 ? [versionName(tls13)] : []),
  ];
  const handshakes = await inTurn(certificateKinds, (signatures) =>
    completeHandshake(probe, { ...offerOf(probe), groups: everyGroup, signatures }, probe),
  );
  const asksForHybrid = groups.length === 0 ? undefined : await hybridAsked(probe, groups);
  const whole = handshakes.filter((handshake) => handshake !== undefined);
  const best = whole.at(-1);
  return {
    kind: "tls",
    tls: {
      versions,
      groups,
      ...(asksForHybrid !== undefined && { asksForHybrid }),
      ciphers: [
        ...new Set([...old.map(({ cipher }) => cipherName(cipher)), ...whole.map(({ cipher }) => cipher)]),
      ],
      chains: chainsOf(old, whole),
      ...(best?.alpn !== undefined && { alpn: best.alpn }),
      asksForClientCertificate:
        old.some(({ asksForCertificate }) => asksForCertificate) ||
        whole.some(({ wantsCertificate }) => wantsCertificate),
      ...primeOf(old),
      ...(await hardiness(probe, groups.length > 0)),
      ...(best && { handshake: { ms: best.ms, bytesIn: best.bytesIn, bytesOut: best.bytesOut } }),
    },
  };
}

function withoutTls(first: Asked): ProbedTls {
  if (first.kind === "silent") return { kind: "silent" };
  return { kind: "not-tls" };
}

interface Question {
  readonly version: number;
  readonly groups: readonly number[];
  readonly atLeastBytes?: number;
  readonly isSplit?: boolean;
}

async function ask(probe: TlsProbe, { isSplit, ...question }: Question): Promise<Asked> {
  const { host, port, signal, timeoutMs, serverName } = probe;
  const hello = probeHello({
    ...question,
    random: randomBytes(32),
    sessionId: randomBytes(32),
    ...(serverName !== undefined && net.isIP(serverName) === 0 && { serverName }),
  });
  const pieces = isSplit === true ? [hello.subarray(0, 1), hello.subarray(1)] : [hello];
  return await askFlight({ host, port, pieces, signal, timeoutMs });
}

/** The server's own order: the group it asks for is left out of the next question, until it asks for none. */
async function groupOrder(probe: TlsProbe, first: Asked): Promise<readonly string[]> {
  const found: string[] = [];
  let left: readonly number[] = askedGroups;
  for (let answer = first; ; answer = await ask(probe, { version: tls13, groups: left })) {
    const group =
      answer.kind === "flight" && answer.flight.version === tls13 ? answer.flight.group : undefined;
    // A server that chooses what wasn't offered is none to be asked on.
    if (group === undefined || !left.includes(group)) return found;
    found.push(groupName(group));
    left = left.filter((each) => each !== group);
    if (left.length === 0) return found;
  }
}

async function oldVersions(probe: TlsProbe): Promise<readonly ServerFlight[]> {
  const answers = await inTurn(olderVersions, (version) =>
    ask(probe, {
      version,
      groups: askedGroups.filter((group) => groupKind(groupName(group)) === "classical"),
    }),
  );
  return answers.flatMap((answer, at) =>
    answer.kind === "flight" && answer.flight.version === olderVersions[at] ? [answer.flight] : [],
  );
}

/** A client that guessed wrong: its share is classical, and it can do ML-KEM. */
async function hybridAsked(probe: TlsProbe, groups: readonly string[]): Promise<boolean | undefined> {
  const hybrid = groups.find((group) => groupKind(group) !== "classical");
  const classical = groups.find((group) => groupKind(group) === "classical" && !group.startsWith("ffdhe"));
  if (hybrid === undefined) return undefined;
  if (classical === undefined) return true;
  const offered = [classical, hybrid].map((name) => openSslNames[name] ?? name).join(":");
  const handshake = await completeHandshake(probe, { ...offerOf(probe), groups: offered }, probe);
  return handshake?.group === undefined ? undefined : groupKind(handshake.group) !== "classical";
}

async function hardiness(
  probe: TlsProbe,
  isNew: boolean,
): Promise<Pick<ObservedTls, "takesBigHello" | "takesSplitHello">> {
  const question = { version: isNew ? tls13 : olderVersions[0], groups: askedGroups };
  const [big, split] = [
    await ask(probe, { ...question, atLeastBytes: bigHelloBytes }),
    await ask(probe, { ...question, isSplit: true }),
  ];
  return { takesBigHello: big.kind === "flight", takesSplitHello: split.kind === "flight" };
}

function primeOf(old: readonly ServerFlight[]): Pick<ObservedTls, "primeBits"> {
  const bits = old.flatMap(({ exchange }) =>
    exchange !== undefined && "primeBits" in exchange ? [exchange.primeBits] : [],
  );
  return bits.length === 0 ? {} : { primeBits: Math.min(...bits) };
}

function offerOf({ serverName }: TlsProbe): Offer {
  return serverName === undefined ? {} : { serverName };
}

function chainsOf(old: readonly ServerFlight[], whole: readonly Handshake[]): readonly ObservedChain[] {
  const chains = new Map<string, readonly ObservedCertificate[]>();
  for (const { chain } of whole) add(chains, chain.map(observedCertificate));
  for (const { certificates } of old) add(chains, certificates.flatMap(parsed));
  return [...chains.values()].map((certificates) => ({ certificates }));
}

function add(
  chains: Map<string, readonly ObservedCertificate[]>,
  chain: readonly ObservedCertificate[],
): void {
  const [leaf] = chain;
  if (leaf !== undefined && !chains.has(leaf.sha256)) chains.set(leaf.sha256, chain);
}

function parsed(der: Uint8Array): readonly ObservedCertificate[] {
  try {
    return [observedCertificate(new X509Certificate(der))];
  } catch {
    return [];
  }
}

async function inTurn<T, R>(all: readonly T[], each: (one: T) => Promise<R>): Promise<readonly R[]> {
  const found: R[] = [];
  for (const one of all) found.push(await each(one));
  return found;
}
