/** An authority for one measurement, in memory alone: roots and leafs as ours makes them, of any compared algorithm. */
import { issueLeaf, issueRoot } from "../../crypto/certificate.ts";
import { comparedKey } from "../../crypto/compared-signature.ts";
import type { ComparedSignature } from "../../crypto/suites/compared.ts";
import { clockSkewMs, type Purpose, rootName, svidLifetimeMs } from "../../identity/authority.ts";

const trustDomain = "bench.invalid";

export interface ThrowAwayIdentity {
  readonly spiffeId: string;
  /** PEM. */
  readonly certificate: string;
  /** PEM, PKCS #8. */
  readonly privateKey: string;
  /** PEM: the root right above it, which has issued nothing else. */
  readonly root: string;
}

export async function throwAwayIdentity(
  suite: ComparedSignature,
  purpose: Purpose,
  nowUnixMs: number,
): Promise<ThrowAwayIdentity> {
  const [rootKey, key] = [comparedKey(suite), comparedKey(suite)];
  const times = { notBeforeUnixMs: nowUnixMs - clockSkewMs, notAfterUnixMs: nowUnixMs + svidLifetimeMs };
  const commonName = rootName(trustDomain, { purpose, generation: 1 });
  const root = await issueRoot({ commonName, key: rootKey, trustDomain, ...times });
  const spiffeId = `spiffe://${trustDomain}/${purpose === "server" ? "gateway" : "agent"}/bench`;
  const certificate = await issueLeaf({
    commonName: "bench",
    publicKey: key.publicKey,
    issuer: { key: rootKey, certificate: root },
    spiffeId,
    purpose,
    ...times,
  });
  return { spiffeId, certificate, privateKey: key.pem(), root };
}
