/** `listen` in the config: where sidecars come in, and where clients come in that can't present an ML-DSA certificate. */
import path from "node:path";

import { z } from "zod";

import { Refusal } from "../../kernel/refusal.ts";
import { checkClassical, type Tolerating, wrong } from "./classical-links.ts";
import { issuerName } from "./issuers.ts";
import { keyExchangeDial, type LinkAuthentication, linkAuthentication } from "./link.ts";
import { serverName, serverNameHint } from "./servers.ts";
import { address } from "./values.ts";

const someServer = z.string().regex(serverName, serverNameHint);

/** The origin of an https URL as browsers write it: no path, no default port. */
export const httpsOrigin = z
  .string()
  .max(512)
  .refine(
    (text) => text.startsWith("https://") && URL.parse(text)?.origin === text,
    'expected an https origin without a path, e.g. "https://mcp.acme.test"',
  );

const pageOrigin = z
  .string()
  .max(512)
  .refine(
    (text) => /^https?:\/\//.test(text) && URL.parse(text)?.origin === text,
    'expected an origin without a path, e.g. "https://app.acme.test"',
  );

const target = z
  .string()
  .min(1)
  .max(2048)
  .refine((text) => text === "*" || text.includes("/"), 'expected "server/name", or "*" for all');

/** Within what the profile has. */
const keyExchange = keyExchangeDial.default("hybrid-required");
const classicalServers = z.array(someServer).default([]);

const sidecarListener = z.strictObject({
  address: address.describe("Host and port; port 0 takes a free one."),
  authentication: z
    .enum(linkAuthentication.options)
    .default("ml-dsa-mtls")
    .describe(
      "Both ends prove themselves with certificates of this trust domain; `hybrid-mtls` takes calls only on links that prove a classical identity beside the ML-DSA one.",
    ),
  key_exchange: keyExchange.describe(
    "`hybrid-required` refuses peers without ML-KEM, which every sidecar has; `hybrid-preferred`, under a profile with classical groups (`transition`), lets peers with an ML-DSA certificate in to `classical_servers` without it.",
  ),
  classical_servers: classicalServers.describe(
    "Servers that peers without ML-KEM may reach, with `hybrid-preferred`; each call says so on record.",
  ),
});

export const webCertificates = z
  .array(
    z.strictObject({
      certificate: z
        .string()
        .min(1)
        .describe("File with the certificate and what stands between it and its root (PEM)."),
      key: z.string().min(1).describe("File with its private key (PEM, not encrypted)."),
    }),
  )
  .min(1)
  .max(4)
  .describe(
    "Web certificates, one for each kind of key; who can verify ML-DSA is shown that one. Files that change are taken over at once.",
  );

const webListener = z.strictObject({
  address: address.describe("Host and port; port 0 takes a free one."),
  authentication: z
    .literal("web-certificate")
    .describe("The gateway shows a web certificate, and clients come with access tokens."),
  key_exchange: keyExchange.describe(
    "`hybrid-required` refuses clients without ML-KEM; `hybrid-preferred`, under a profile with classical groups (`transition`), lets them in to `classical_servers`.",
  ),
  classical_servers: classicalServers.describe(
    "Servers that clients without ML-KEM may reach, with `hybrid-preferred`; each call says so on record.",
  ),
  url: httpsOrigin.describe(
    "Origin under which clients know this listener; a server is found at `<url>/mcp/<name>`, which is the audience of its tokens.",
  ),
  certificates: webCertificates,
  issuers: z
    .array(issuerName)
    .min(1)
    .describe("Names of `issuers` whose access tokens (JWT) count here; clients are sent to them for one."),
  audiences: z
    .array(z.string().min(1).max(2048))
    .max(16)
    .default([])
    .describe(
      "Further audiences that count for each server here, for issuers that can't name one server (RFC 8707). The `url` itself makes the whole listener one resource.",
    ),
  plain_jwt: z
    .boolean()
    .default(false)
    .describe("Whether tokens count that don't say they are access tokens (`typ: at+jwt`, RFC 9068)."),
  sender_constraint: z
    .enum(["required", "preferred"])
    .default("required")
    .describe(
      "`required` refuses tokens that are bound to no key (DPoP) and no certificate (mTLS); `preferred` takes them too, and the record says `proof=bearer`.",
    ),
  dpop_nonce: z
    .boolean()
    .default(true)
    .describe("Whether DPoP proofs must contain a nonce of ours, so that none can be made ahead of time."),
  client_certificates: z
    .boolean()
    .default(true)
    .describe(
      "Whether clients are asked for a certificate their tokens may be bound to (RFC 8705); browsers that have one ask their user.",
    ),
  scopes: z
    .record(
      z
        .string()
        .regex(
          /^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/,
          "expected a scope (RFC 6749): visible ASCII without quotes",
        ),
      z.array(target).min(1).max(1000),
    )
    .optional()
    .describe(
      "By scope, the tools, resources and prompts it is good for, as `server/name`; narrow ones first. A call needs one, beside a rule that allows it. By default scopes aren't looked at.",
    ),
  origins: z
    .array(pageOrigin)
    .max(100)
    .default([])
    .describe("Origins of web pages that may call from a browser; by default none."),
});

const listener = z.union([address, sidecarListener, webListener]);

export const listenSchema = z
  .union([listener, z.array(listener).min(1).max(16)])
  .default("127.0.0.1:8443")
  .describe(
    "Where the gateway listens: one address for sidecars, and any number for clients with access tokens.",
  );

/** A listener for clients with tokens; its files are absolute. */
export type WebListener = z.output<typeof webListener>;

export interface Listeners {
  /** `host:port` for sidecars. */
  readonly listen: string;
  /** What the links of sidecars have to prove before calls are taken on them. */
  readonly linkAuthentication: LinkAuthentication;
  /** What of it is open to sidecars' links without ML-KEM; undefined where they aren't let in. */
  readonly classicalServers: readonly string[] | undefined;
  readonly webListeners: readonly WebListener[];
}

type Sidecars = z.output<typeof sidecarListener>;

/** What the rest of the config says that listeners speak of. */
interface Around extends Tolerating {
  readonly folder: string;
  readonly issuers: readonly string[];
  readonly virtualServers: readonly string[];
}

/** @throws Refusal `bad_config` */
export function readListeners(document: z.output<typeof listenSchema>, around: Around): Listeners {
  const entries = Array.isArray(document) ? document : [document];
  const sidecars = entries.flatMap((entry): readonly Sidecars[] => {
    if (typeof entry === "string") return [sidecarListener.parse({ address: entry })];
    return entry.authentication === "web-certificate" ? [] : [entry];
  });
  const [sidecar, ...more] = sidecars;
  if (sidecar === undefined || more.length > 0) {
    throw new Refusal(
      "bad_config",
      "listen: expected exactly one address for sidecars (ml-dsa-mtls, hybrid-mtls).",
    );
  }
  const web = entries.filter(
    (entry) => typeof entry !== "string" && entry.authentication === "web-certificate",
  );
  const webListeners = web.map((entry, i) =>
    checked(entry, `listen (${entry.url})`, web.slice(0, i), around),
  );
  checkClassical(sidecar, `listen (${sidecar.address})`, around);
  return {
    listen: sidecar.address,
    linkAuthentication: sidecar.authentication,
    classicalServers: sidecar.key_exchange === "hybrid-preferred" ? sidecar.classical_servers : undefined,
    webListeners,
  };
}

function checked(
  listener: WebListener,
  at: string,
  before: readonly WebListener[],
  around: Around,
): WebListener {
  const { folder, issuers, virtualServers } = around;
  const { scopes = {} } = listener;
  if (before.some(({ url }) => url === listener.url)) throw wrong(at, "another listener has that url");
  const unknown = listener.issuers.find((name) => !issuers.includes(name));
  if (unknown !== undefined) throw wrong(at, `there is no issuer "${unknown}" under issuers`);
  checkClassical(listener, at, around);
  const named = Object.values(scopes).flatMap((targets) =>
    targets.map((each) => each.split("/", 1)[0] ?? ""),
  );
  const virtual = named.find((name) => virtualServers.includes(name));
  if (virtual !== undefined) {
    throw wrong(at, `scopes name the virtual server "${virtual}"; they are about the servers it joins`);
  }
  return withFilesIn(folder, listener);
}

/** The same, with its files absolute. */
export function withFilesIn<Shown extends Pick<WebListener, "certificates">>(
  folder: string,
  shown: Shown,
): Shown {
  const absolute = (file: string): string => path.resolve(folder, file);
  return {
    ...shown,
    certificates: shown.certificates.map(({ certificate, key }) => ({
      certificate: absolute(certificate),
      key: absolute(key),
    })),
  };
}
