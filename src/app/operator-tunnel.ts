/** The operator's own way in: an identity for a few checks, through the same door as everybody's. */
import { generateKeyPair, signingKey } from "../crypto/keys.ts";
import { createSigningRequest } from "../crypto/signing-request.ts";
import { termsAt } from "../crypto/suites/in-force.ts";
import { profileOf } from "../crypto/suites/profiles.ts";
import { askProfile, join, provenGateway } from "../host/net/enrol-client.ts";
import { collected, type CollectedAnswer, exchange, type HttpRequest } from "../host/net/http-exchange.ts";
import { mcpPath } from "../wire/protected-resource.ts";
import { patientSend } from "../host/net/patient-send.ts";
import { renewablePool } from "../host/net/renewable-pool.ts";
import { clientTlsOptions } from "../host/net/tls.ts";
import { systemLog } from "../host/system.ts";
import { readJoinToken } from "../identity/join-token.ts";
import type { Clock } from "../kernel/clock.ts";
import { profileInForce } from "./profile-in-force.ts";
import { makeJoinToken } from "./certificate-authority.ts";
import type { Config } from "./config.ts";
import { credentialsOf } from "./credentials.ts";
import { doctorPath } from "./doctor-rule.ts";

export interface OperatorTunnel {
  readonly to: (server: string) => (request: Omit<HttpRequest, "path">) => Promise<CollectedAnswer>;
  /** TLS group of its link, once something was sent. */
  readonly group: () => string | undefined;
  readonly close: () => Promise<void>;
}

const patienceMs = 2000;
const limits = { answerTimeoutMs: 30_000, answerBytes: 16 * 1024 * 1024 };

/** @param address where the gateway listens */
export async function openOperatorTunnel(
  config: Config,
  address: string,
  clock: Clock,
): Promise<OperatorTunnel> {
  const inForce = profileInForce(config, clock);
  const token = readJoinToken(await makeJoinToken(config, { path: doctorPath, address }, clock));
  const terms = termsAt(inForce, clock.nowUnixMs());
  const gateway = await provenGateway({ address, serverRootHashes: [token.serverRootHash] }, terms);
  // What its identities are of is the gateway's to say: its classical roots outlive profiles.
  const asked = await askProfile(gateway, terms);
  const profile = asked === undefined ? inForce.profile : profileOf(asked.profile);
  const key = generateKeyPair(profile.identity);
  const classicalKey = generateKeyPair(profile.classical);
  const classicalCsr = createSigningRequest(classicalKey);
  const enrolled = await join(token, createSigningRequest(key), terms, classicalCsr);
  const { classical } = enrolled;
  const own = classical && {
    certificate: classical.certificate,
    key: signingKey(classicalKey),
    peerRoots: classical.server_roots,
  };
  const credentials = credentialsOf(key, enrolled.certificate, own);
  const pool = renewablePool(`https://${address}`, {
    terms: profile,
    tls: clientTlsOptions({
      profile,
      serverRoots: enrolled.server_roots,
      peerSpiffeId: enrolled.gateway,
      credentials,
    }),
    proof: own && { own, isDemanded: true, revokedSerials: () => new Set<string>(), clock },
  });
  // The door may be going over to other algorithms just now.
  const send = patientSend(
    async (request) => exchange(pool.dispatcher(), request, limits),
    patienceMs,
    systemLog({ level: "warn" }),
  );
  return {
    to: (server) => async (request) => collected(await send({ ...request, path: mcpPath + server })),
    group: pool.group,
    close: pool.close,
  };
}
