/** Somebody for whom one signature algorithm is broken: certificates under the gateway's own roots, for keys of theirs. */
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import http from "node:http";
import type { AddressInfo } from "node:net";
import tls from "node:tls";

import { openClassicalAuthority } from "../../src/app/classical-authority.ts";
import { credentialsOf } from "../../src/app/credentials.ts";
import { openKeys, statePaths } from "../../src/app/state-folder.ts";
import { generateKeyPair, type SigningKey, signingKey } from "../../src/crypto/keys.ts";
import { enrolAlpn } from "../../src/host/net/front-door.ts";
import type { ClassicalCredentials } from "../../src/host/net/link-proof.ts";
import type { Credentials } from "../../src/host/net/tls.ts";
import { issueSvid, type Purpose } from "../../src/identity/authority.ts";
import { createClassicalRoot, issueClassicalSvid } from "../../src/identity/classical-authority.ts";
import { authorityOf } from "./authority.ts";
import { atEnd, type Cleanup } from "./cleanup.ts";
import type { TestGateway } from "./gateway.ts";

interface Victim {
  readonly spiffeId: string;
  readonly purpose: Purpose;
}

export interface ForgedClassical {
  readonly certificate: string;
  readonly key: SigningKey;
}

/** What breaking ML-DSA gives: TLS credentials of whomever one likes. */
export async function forgedMlDsa(
  gateway: TestGateway,
  victim: Victim,
  key = generateKeyPair(gateway.config.profile.identity),
): Promise<Credentials> {
  const authority = await authorityOf(gateway);
  const asked = { ...victim, publicKey: key.publicKey };
  const svid = await issueSvid(authority, asked, gateway.clock.nowUnixMs());
  return credentialsOf(key, svid.certificate);
}

/** What breaking the classical algorithm gives; or, with roots of one's own, what breaking none gives. */
export async function forgedClassical(
  gateway: TestGateway,
  victim: Victim,
  roots: "the gateway's" | "own",
): Promise<ForgedClassical> {
  const { state, profile, trust_domain: trustDomain } = gateway.config;
  const { clock } = gateway;
  const keys = await openKeys(state, undefined);
  const made = { trustDomain, suite: profile.classical };
  const { authority: theirs } = await openClassicalAuthority({ state, keys }, made, clock);
  const rootKey = signingKey(generateKeyPair(profile.classical));
  const { purpose, spiffeId } = victim;
  const root = {
    key: rootKey,
    certificate: await createClassicalRoot(trustDomain, purpose, rootKey, clock.nowUnixMs()),
  };
  const authority = roots === "own" ? { trustDomain, roots: { server: root, client: root } } : theirs;
  const twin = (await forgedMlDsa(gateway, victim)).certificate;
  const key = generateKeyPair(profile.classical);
  const svid = { spiffeId, certificate: twin, notAfterUnixMs: 0 };
  const { certificate } = await issueClassicalSvid(authority, { svid, purpose, publicKey: key.publicKey });
  return { certificate, key: signingKey(key) };
}

/** Both identities of whomever one likes, as the house's own authority would give them. */
export async function forgedIdentity(
  gateway: TestGateway,
  victim: Victim,
): Promise<Credentials & { readonly classical: ClassicalCredentials }> {
  const { state } = gateway.config;
  const { certificate, key } = await forgedClassical(gateway, victim, "the gateway's");
  const paths = statePaths(state);
  const peers = victim.purpose === "server" ? paths.classicalClientRoot : paths.classicalServerRoot;
  const classical = { certificate, key, peerRoots: [await readFile(peers, "utf8")] };
  return { ...(await forgedMlDsa(gateway, victim)), classical };
}

export interface FalseGateway {
  readonly address: string;
  /** Paths that were asked for, in order. */
  readonly asked: readonly string[];
}

type Answering = (
  link: tls.TLSSocket,
  path: string,
  body: Buffer,
) => Promise<{ readonly status: number; readonly body: string }>;

/** A man in the middle for whom ML-DSA is broken: TLS takes it for the gateway. */
export async function falseGateway(
  t: Cleanup,
  gateway: TestGateway,
  answering: Answering,
): Promise<FalseGateway> {
  const spiffeId = `spiffe://${gateway.config.trust_domain}/gateway`;
  const { certificate, privateKey } = await forgedMlDsa(gateway, { spiffeId, purpose: "server" });
  const asked: string[] = [];
  const front = http.createServer((request, response) => {
    asked.push(request.url ?? "");
    const answerOne = async (): Promise<void> => {
      const body = Buffer.concat((await Array.fromAsync(request)) as Buffer[]);
      const answer = await answering(request.socket as tls.TLSSocket, request.url ?? "", body);
      const headers = {
        "content-type": "application/json",
        "content-length": Buffer.byteLength(answer.body),
      };
      response.writeHead(answer.status, headers).end(answer.body);
    };
    void answerOne();
  });
  const { profile } = gateway.config;
  const server = tls.createServer(
    {
      cert: certificate,
      key: privateKey,
      requestCert: true,
      rejectUnauthorized: false,
      minVersion: "TLSv1.3",
      ecdhCurve: profile.groups.map(({ id }) => id).join(":"),
      sigalgs: profile.identity.tlsName ?? "",
      ALPNProtocols: ["http/1.1", enrolAlpn],
    },
    (link) => {
      link.on("error", () => undefined);
      front.emit("connection", link);
    },
  );
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  atEnd(t, () => {
    front.closeAllConnections();
    server.close();
  });
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}
