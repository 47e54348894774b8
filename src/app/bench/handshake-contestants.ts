/** Whole handshakes as contestants of a measurement: both ends with identities of a throw-away authority. */
import {
  comparedCiphers,
  type ComparedHandshake,
  type ComparedSignature,
  handshakeName,
} from "../../crypto/suites/compared.ts";
import {
  type Ends,
  type HandshakeBytes,
  type HandshakeSample,
  openHandshakeLab,
} from "../../host/bench/handshakes.ts";
import type { Clock } from "../../kernel/clock.ts";
import { type Recorded, recorded } from "./rounds.ts";
import { type ThrowAwayIdentity, throwAwayIdentity } from "./throw-away-authority.ts";

export interface HandshakeContestant {
  readonly row: ComparedHandshake;
  readonly bytes: HandshakeBytes;
  readonly shaking: Recorded<HandshakeSample>;
}

export interface OpenHandshakes {
  readonly contestants: readonly HandshakeContestant[];
  readonly close: () => Promise<void>;
}

interface Identities {
  readonly server: ThrowAwayIdentity;
  readonly client: ThrowAwayIdentity;
}

/** A handshake is slower than most primitives, and noisier. */
const weight = 3;

export async function openHandshakes(
  rows: readonly ComparedHandshake[],
  clock: Clock,
): Promise<OpenHandshakes> {
  const identities = new Map<ComparedSignature, Identities>();
  for (const { identity } of rows) {
    if (identities.has(identity)) continue;
    const [server, client] = [
      await throwAwayIdentity(identity, "server", clock.nowUnixMs()),
      await throwAwayIdentity(identity, "client", clock.nowUnixMs()),
    ];
    identities.set(identity, { server, client });
  }
  const ends = rows.flatMap((row) => {
    const of = identities.get(row.identity);
    return of === undefined ? [] : [{ row, ends: endsOf(row, of) }];
  });
  const lab = await openHandshakeLab(ends.map((each) => each.ends));
  try {
    const contestants: HandshakeContestant[] = [];
    for (const [i, { row }] of ends.entries()) {
      const { bytes, sample } = lab.row(i);
      contestants.push({ row, bytes: await bytes(), shaking: recorded(handshakeName(row), weight, sample) });
    }
    return { contestants, close: lab.close };
  } catch (error) {
    await lab.close();
    throw error;
  }
}

function endsOf({ identity, group }: ComparedHandshake, { server, client }: Identities): Ends {
  const negotiated = { group, signatures: identity.tlsName ?? "", ciphers: comparedCiphers };
  const end = (own: ThrowAwayIdentity, peer: ThrowAwayIdentity): Ends["server"] => ({
    ...negotiated,
    certificate: own.certificate,
    privateKey: own.privateKey,
    peerRoot: peer.root,
  });
  return {
    server: end(server, client),
    client: { ...end(client, server), peerSpiffeId: server.spiffeId },
  };
}
