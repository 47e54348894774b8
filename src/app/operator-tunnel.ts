/** The operator's own way in: an identity for a few checks, through the same door as everybody's. */
import { generateKeyPair, signingKey } from "../crypto/keys.ts";
import { createSigningRequest } from "../crypto/signing-request.ts";
import { type LinkTerms, termsAt } from "../crypto/suites/in-force.ts";
import { profileOf } from "../crypto/suites/profiles.ts";
import { askProfile, join, provenGateway } from "../host/net/enrol-client.ts";
import { collected, type CollectedAnswer, exchange, type HttpRequest } from "../host/net/http-exchange.ts";
import { mcpPath } from "../wire/protected-resource.ts";
import { patientSend } from "../host/net/patient-send.ts";
import { renewablePool } from "../host/net/renewable-pool.ts";
import { clientTlsOptions } from "../host/net/tls.ts";
import { systemLog } from "../host/system.ts";
import { type JoinToken, readJoinToken } from "../identity/join-token.ts";
import type { Clock } from "../kernel/clock.ts";
import { profileInForce } from "./profile-in-force.ts";
import { makeJoinToken } from "./certificate-authority.ts";
import type { Config } from "./config.ts";
import { credentialsOf } from "./credentials.ts";
import { doctorPath } from "./doctor-rule.ts";

export interface OperatorTunnel {
  readonly to: (server: string) => (request: Omit<HttpRequest, "path">) => Promise<CollectedAnswer>;
  /** By the path of the request itself. */
  readonly send: (request: HttpRequest) => Promise<CollectedAnswer>;
  /** TLS group of its link, once something was sent. */
  readonly group: () => string | undefined;
  readonly close: () => Promise<void>;
}

const patienceMs = 2000;
const limits = { answerTimeoutMs: 30_000, answerBytes: 16 * 1024 * 1024 };

/** An identity that the gateway gave out, and what it takes to come in with it. */
export interface OperatorIdentity {
  readonly token: JoinToken;
  readonly terms: LinkTerms;
  readonly csr: Uint8Array;
  readonly link: Parameters<typeof renewablePool>[1];
  /** As TLS takes it. */
  readonly tls: Parameters<typeof clientTlsOptions>[0];
}

/** @param address where the gateway listens */
export async function openOperatorTunnel(
  config: Config,
  address: string,
  clock: Clock,
): Promise<OperatorTunnel> {
  return tunnelOf(await operatorIdentity(config, { path: doctorPath, address }, clock), address);
}

/** @param grant SPIFFE path of the identity, and where the gateway listens */
export async function operatorIdentity(
  config: Config,
  grant: { readonly path: string; readonly address: string },
  clock: Clock,
): Promise<OperatorIdentity> {
  const { address } = grant;
  const inForce = profileInForce(config, clock);
  const token = readJoinToken(await makeJoinToken(config, grant, clock));
  const terms = termsAt(inForce, clock.nowUnixMs());
  const gateway = await provenGateway({ address, serverRootHashes: [token.serverRootHash] }, terms);
  // What its identities are of is the gateway's to say: its classical roots outlive profiles.
  const asked = await askProfile(gateway, terms);
  const profile = asked === undefined ? inForce.profile : profileOf(asked.profile);
  const key = generateKeyPair(profile.identity);
  const classicalKey = generateKeyPair(profile.classical);
  const classicalCsr = createSigningRequest(classicalKey);
  const csr = createSigningRequest(key);
  const enrolled = await join(token, csr, terms, classicalCsr);
  const { classical } = enrolled;
  const own = classical && {
    certificate: classical.certificate,
    key: signingKey(classicalKey),
    peerRoots: classical.server_roots,
  };
  const tls = {
    profile,
    serverRoots: enrolled.server_roots,
    peerSpiffeId: enrolled.gateway,
    credentials: credentialsOf(key, enrolled.certificate, own),
  };
  const proof = own && { own, isDemanded: true, revokedSerials: () => new Set<string>(), clock };
  return { token, terms, csr, tls, link: { terms: profile, tls: clientTlsOptions(tls), proof } };
}

/** New links of that identity. */
export function tunnelOf({ link }: OperatorIdentity, address: string): OperatorTunnel {
  const pool = renewablePool(`https://${address}`, link);
  // The door may be going over to other algorithms just now.
  const send = patientSend(
    async (request) => exchange(pool.dispatcher(), request, limits),
    patienceMs,
    systemLog({ level: "warn" }),
  );
  return {
    to: (server) => async (request) => collected(await send({ ...request, path: mcpPath + server })),
    send: async (request) => collected(await send(request)),
    group: pool.group,
    close: pool.close,
  };
}
