/**
 * The cryptography that was observed as a bill of materials: CycloneDX 1.7 in JSON. Written by hand: the CycloneDX library
 * models no cryptographic properties. The same inventory gives the same document, but for what is given.
 */
import type { Inventory } from "../inventory.ts";
import type { ObservedCertificate, ObservedTls, Posture } from "../posture/posture.ts";
import { type Algorithm, algorithmOf } from "./algorithms.ts";

/** @property serialNumber `urn:uuid:…` */
export interface CbomFacts {
  readonly serialNumber: string;
  readonly timestamp: string;
  /** Of this program. */
  readonly version: string;
}

type Json = Readonly<Record<string, unknown>>;

interface Asset {
  readonly component: Json;
  readonly needs: readonly string[];
}

/** What is gathered, each under its bom-ref. */
interface Gathered {
  readonly assets: Map<string, Asset>;
  readonly services: Map<string, Asset>;
}

export function cbomOf(inventory: Inventory, { serialNumber, timestamp, version }: CbomFacts): Json {
  const gathered: Gathered = { assets: new Map(), services: new Map() };
  for (const server of inventory.servers) {
    const ref = `service:${server.id}`;
    const { labels, authentication } = server;
    const needs = cryptographyOf(gathered, ref, server.posture);
    gathered.services.set(ref, {
      needs,
      component: {
        "bom-ref": ref,
        name: server.name ?? server.names[0] ?? server.id,
        ...(server.version !== undefined && { version: server.version.slice(0, 1024) }),
        ...(server.place.kind === "http" && isIri(server.id) && { endpoints: [server.id] }),
        ...(authentication !== undefined &&
          authentication.kind !== "unknown" && { authenticated: authentication.kind !== "none" }),
        trustZone: server.exposure,
        properties: properties({
          standing: server.standing,
          owner: labels.owner,
          purpose: labels.purpose,
          dataClass: labels.dataClass,
          keyExchange: server.posture?.keyExchange.verdict,
          authentication: server.posture?.authentication.verdict,
        }),
      },
    });
  }
  for (const { host, port, posture, answers } of inventory.endpoints) {
    const ref = `endpoint:${host}:${port}`;
    const needs = cryptographyOf(gathered, ref, posture);
    const component = { "bom-ref": ref, name: `${host}:${port}`, properties: properties({ answers }) };
    gathered.services.set(ref, { needs, component });
  }
  const all = new Map([...gathered.services, ...gathered.assets]);
  return {
    $schema: "http://cyclonedx.org/schema/bom-1.7.schema.json",
    bomFormat: "CycloneDX",
    specVersion: "1.7",
    serialNumber,
    version: 1,
    metadata: {
      timestamp,
      tools: { components: [{ type: "application", name: "latticegate", version }] },
    },
    components: sorted(gathered.assets).map(([, { component }]) => component),
    services: sorted(gathered.services).map(([, { component }]) => component),
    dependencies: sorted(all).map(([ref, { needs }]) => ({ ref, dependsOn: [...new Set(needs)].toSorted() })),
  };
}

/** @returns bom-refs of what the link uses */
function cryptographyOf(
  { assets }: Gathered,
  owner: string,
  posture: Posture | undefined,
): readonly string[] {
  if (posture?.link.kind !== "tls") return [];
  const { tls } = posture.link;
  const certificates = tls.chains.flatMap((chain) =>
    chain.certificates.map((each) => certificateOf(assets, each)),
  );
  const protocols = tls.versions.map((version) => protocolOf(assets, owner, tls, version));
  return [...protocols, ...certificates];
}

function protocolOf(assets: Map<string, Asset>, owner: string, tls: ObservedTls, version: string): string {
  const ref = `protocol:${version}:${owner}`;
  const isLatest = version === "TLSv1.3";
  const groups = isLatest ? tls.groups : [];
  const algorithms = groups.map((name) => algorithm(assets, algorithmOf(name)));
  const names = tls.ciphers.filter((name) => /^TLS_(?:AES|CHACHA20|SM4)_/.test(name) === isLatest);
  const number = version.replace(/^TLSv/, "");
  assets.set(ref, {
    needs: algorithms,
    component: {
      type: "cryptographic-asset",
      "bom-ref": ref,
      name: `TLS ${number}`,
      cryptoProperties: {
        assetType: "protocol",
        protocolProperties: {
          type: "tls",
          version: number.includes(".") ? number : `${number}.0`,
          ...(names.length > 0 && {
            cipherSuites: [...new Set(names)].map((name) => ({
              name,
              ...(groups.length > 0 && { algorithms: [...new Set(algorithms)], tlsGroups: groups }),
            })),
          }),
        },
      },
    },
  });
  return ref;
}

function certificateOf(assets: Map<string, Asset>, certificate: ObservedCertificate): string {
  const ref = `certificate:sha256:${certificate.sha256}`;
  const digest = certificate.sha256.replaceAll(":", "").toLowerCase();
  const signature = algorithm(assets, algorithmOf(certificate.signature));
  const key = algorithm(assets, algorithmOf(certificate.key, certificate.keyBits));
  assets.set(ref, {
    needs: [signature, key],
    component: {
      type: "cryptographic-asset",
      "bom-ref": ref,
      name: certificate.subject === "" ? "certificate" : certificate.subject,
      cryptoProperties: {
        assetType: "certificate",
        certificateProperties: {
          serialNumber: certificate.serial,
          subjectName: certificate.subject,
          issuerName: certificate.issuer,
          ...date("notValidBefore", certificate.notBeforeUnixMs),
          ...date("notValidAfter", certificate.notAfterUnixMs),
          certificateFormat: "X.509",
          ...(/^[0-9a-f]{64}$/.test(digest) && { fingerprint: { alg: "SHA-256", content: digest } }),
          relatedCryptographicAssets: [
            { type: "algorithm", ref: signature },
            { type: "publicKey", ref: key },
          ],
        },
      },
    },
  });
  return ref;
}

function algorithm(assets: Map<string, Asset>, of: Algorithm): string {
  const ref = `algorithm:${of.name}`;
  const { name, ...algorithmProperties } = of;
  assets.set(ref, {
    needs: [],
    component: {
      type: "cryptographic-asset",
      "bom-ref": ref,
      name,
      cryptoProperties: { assetType: "algorithm", algorithmProperties },
    },
  });
  return ref;
}

/** Dates that no calendar has are left out: a certificate may say anything. */
function date(name: string, unixMs: number): Json {
  const at = new Date(unixMs);
  const year = at.getUTCFullYear();
  return year >= 0 && year <= 9999 ? { [name]: at.toISOString() } : {};
}

function isIri(text: string): boolean {
  return !/[^\x21-\x7e]|[<>"{}|\\^`]/.test(text);
}

function properties(values: Readonly<Record<string, string | undefined>>): readonly Json[] {
  return Object.entries(values).flatMap(([name, value]) =>
    value === undefined ? [] : [{ name: `latticegate:${name}`, value }],
  );
}

function sorted(assets: Map<string, Asset>): readonly (readonly [string, Asset])[] {
  return [...assets].toSorted(([a], [b]) => (a < b ? -1 : 1));
}
