/** A gateway that takes workloads' proofs, and the workloads that come with them. */
import { writeFile } from "node:fs/promises";
import path from "node:path";

import { gatewayAnchor } from "../../src/app/certificate-authority.ts";
import { generateKeyPair, type KeyPair } from "../../src/crypto/keys.ts";
import { createSigningRequest } from "../../src/crypto/signing-request.ts";
import { signatureSuite } from "../../src/crypto/suites/signatures.ts";
import { type EnrolledIdentity, enrolWorkload, type WorkloadProof } from "../../src/host/net/enrol-client.ts";
import { readAnchor } from "../../src/identity/anchor.ts";
import type { Clock } from "../../src/kernel/clock.ts";
import { Refusal } from "../../src/kernel/refusal.ts";
import type { Cleanup } from "./cleanup.ts";
import { openPolicy, temporaryFolder, testGateway, type TestGateway } from "./gateway.ts";
import { type OutsideCertificate, outsideRoot } from "./outside-authority.ts";
import { tokenIssuer, type TokenIssuer } from "./token-issuer.ts";

export interface WorkloadScene {
  readonly gateway: TestGateway;
  readonly issuer: TokenIssuer;
  /** The root of the SPIRE trust domain `prod.acme.test`. */
  readonly spire: OutsideCertificate;
  /** File with its bundle. */
  readonly bundle: string;
}

/** @param yaml further config, by default a server-less gateway where everybody may do anything */
export async function workloadScene(
  t: Cleanup,
  options: {
    readonly yaml?: string;
    readonly clock?: Clock;
    readonly enrolment?: string;
    readonly listen?: string;
  } = {},
): Promise<WorkloadScene> {
  const issuer = await tokenIssuer(t, "RS256");
  const spire = outsideRoot();
  const folder = await temporaryFolder(t);
  const bundle = path.join(folder, "bundle.pem");
  await writeFile(bundle, spire.pem);
  const yaml = `
issuers:
  cluster: { issuer: "${issuer.url}" }
enrolment:
${options.enrolment ?? usualEnrolment}
${options.yaml ?? openPolicy}`;
  const { clock, listen } = options;
  const gateway = await testGateway(t, yaml, { folder, ...(clock && { clock }), ...(listen && { listen }) });
  return { gateway, issuer, spire, bundle };
}

const usualEnrolment = `
  - name: k8s-agents
    token: { issuer: cluster }
    match:
      sub: "system:serviceaccount:agents:*"
      /kubernetes.io/namespace: agents
      /kubernetes.io/serviceaccount/name: "{account}"
    identity: "agent/k8s/{account}"
  - name: ci
    token: { issuer: cluster }
    match: { repository: "acme/{repository}", ref: refs/heads/main }
    identity: "agent/ci/{repository}"
  - name: spire
    svid: { bundle: bundle.pem, trust_domain: prod.acme.test }
    match: { spiffe_id: "spiffe://prod.acme.test/ns/{namespace}/sa/{account}" }
    identity: "agent/{namespace}/{account}"
`;

export function newKey(): KeyPair {
  return generateKeyPair(signatureSuite("ML-DSA-65"));
}

/** Enrols with a fresh key, through the door as a sidecar does. */
export async function enrolAs(
  gateway: TestGateway,
  proof: WorkloadProof,
  key = newKey(),
): Promise<EnrolledIdentity> {
  const anchor = readAnchor(await gatewayAnchor(gateway.config, gateway.address));
  return await enrolWorkload(anchor, proof, { csr: createSigningRequest(key) }, gateway.config.profile);
}

export function tokenProof(token: string): WorkloadProof {
  return { kind: "token", token };
}

export function svidProof(...chain: readonly [OutsideCertificate, ...OutsideCertificate[]]): WorkloadProof {
  const [leaf] = chain;
  const key = leaf.key.privateKey.export({ format: "pem", type: "pkcs8" });
  return { kind: "svid", chain: chain.map(({ der }) => der), key };
}

export interface Verdict {
  readonly code: string;
  /** What the newcomer is told. */
  readonly told: string;
  /** What the gateway's log says. */
  readonly logged: string;
}

/** How a gateway refused; fails if it didn't. */
export async function refusalOf(gateway: TestGateway, enrolling: Promise<unknown>): Promise<Verdict> {
  const before = gateway.log.length;
  try {
    await enrolling;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const logged = gateway.log.slice(before).filter((line) => line.includes("identity.refused"));
    return { code: error.code, told: error.message, logged: logged.join("\n") };
  }
  throw new Error("expected a refusal, and an identity was given");
}
