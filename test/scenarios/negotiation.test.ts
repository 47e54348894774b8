/** Profile by dial by offer: what real handshakes with a real gateway end in, as docs/guide/negotiation.md has it. */
import assert from "node:assert/strict";
import type https from "node:https";
import { test, type TestContext } from "node:test";
import type tls from "node:tls";

import { clientTlsOptions, type Credentials } from "../../src/host/net/tls.ts";
import { authorityOf } from "../support/authority.ts";
import { outsideAuthority, type OutsideAuthority } from "../support/certificates.ts";
import {
  clientOf,
  enrol,
  type Enrolment,
  eventually,
  openPolicy,
  stubServer,
  testGateway,
  type TestGateway,
  toolCall,
} from "../support/gateway.ts";
import { assertGolden, GoldenTable } from "../support/golden.ts";
import { type HttpsServer, httpsServer, publicAuthority } from "../support/https-server.ts";
import { helloOf } from "../support/hello.ts";
import { knock, type Knocked, knockWithHello } from "../support/knock.ts";
import {
  issuerOf,
  issuerWith,
  oddCredentials,
  type OddLeaf,
  privateKey,
} from "../support/odd-certificates.ts";
import { logged, recorded } from "../support/records.ts";
import { webAddress, webScene, type WebScene } from "../support/web-gateway.ts";

const page = "docs/guide/negotiation.md";

/** A profile and the dial of a listener. */
interface Setting {
  readonly name: string;
  readonly top: string;
  readonly isPreferred: boolean;
}

/** One peer makes each offer: what it was capable of before is none of this page's. */
const forgetful = 'memory: "off"';
const own = `crypto: { ${forgetful}, profiles: { nist-curves: { based_on: transition, allowed_algos: [SecP384r1MLKEM1024, SecP256r1MLKEM768, P-256, ML-DSA-65] } } }`;
const settings: readonly Setting[] = [
  { name: "`transition`, preferred", top: "profile: transition", isPreferred: true },
  { name: "`transition`, required", top: "profile: transition", isPreferred: false },
  { name: "`hybrid`", top: "profile: hybrid", isPreferred: false },
  { name: "`cnsa-2.0`", top: "profile: cnsa-2.0", isPreferred: false },
  { name: "`nist-curves` (own), preferred", top: `profile: nist-curves\n${own}`, isPreferred: true },
];

/** What a client says of itself beside its certificate. */
const groupOffers: readonly (readonly [string, tls.ConnectionOptions])[] = [
  ["X25519MLKEM768 first, with its key share", { ecdhCurve: "*X25519MLKEM768:X25519:P-256" }],
  ["X25519MLKEM768 supported, key share for X25519 alone", { ecdhCurve: "*X25519:X25519MLKEM768:P-256" }],
  ["every group of OpenSSL's defaults", { ecdhCurve: "auto" }],
  ["hybrid without X25519: SecP256r1MLKEM768, P-256", { ecdhCurve: "SecP256r1MLKEM768:P-256" }],
  ["category 5 alone: SecP384r1MLKEM1024", { ecdhCurve: "SecP384r1MLKEM1024" }],
  ["ML-KEM alone, not hybrid: MLKEM768, MLKEM1024", { ecdhCurve: "MLKEM768:MLKEM1024" }],
  ["X25519 alone", { ecdhCurve: "X25519" }],
  ["P-256 alone", { ecdhCurve: "P-256" }],
  ["P-521 alone", { ecdhCurve: "P-521" }],
  [
    "TLS 1.2 at most",
    {
      ecdhCurve: "auto",
      minVersion: "TLSv1.2",
      maxVersion: "TLSv1.2",
      ciphers: "DEFAULT",
      sigalgs: "ECDSA+SHA256:RSA-PSS+SHA256",
    },
  ],
];

type Cell = readonly [text: string, note?: string];

/** What came of it, and why not, as the gateway's log has it. */
async function cellOf(gateway: TestGateway, attempt: () => Promise<Knocked>): Promise<Cell> {
  const refusals = (): readonly string[] =>
    logged(gateway, "link.refused").map(({ reason }) => String(reason));
  const before = refusals().length;
  const how = await attempt();
  if (how.kind === "answered") {
    assert.equal(how.status, 200);
    const decisions = (await recorded(gateway)).filter(({ event }) => event === "call.decision");
    const facts = decisions.at(-1)?.facts ?? {};
    assert.equal(facts["link.pq"], String(facts["link.kind"] !== "classical"));
    assert.equal(facts["link.version"], "TLSv1.3");
    const mark = facts["link.kind"] === "classical" ? ", marked" : "";
    return [`${facts["link.group"] ?? "?"}, level ${facts["link.level"] ?? "?"}${mark}`];
  }
  await eventually("the log says why", () => refusals().length > before);
  const reason = refusals().slice(before).join("; ");
  return [how.kind === "alert" ? `alert ${how.alert}` : "cut", reason];
}

interface SidecarScene {
  readonly gateway: TestGateway;
  readonly enrolment: Enrolment;
}

async function sidecarScene(t: TestContext, { top, isPreferred }: Setting): Promise<SidecarScene> {
  const { url } = await stubServer(t);
  const forgetting = top.includes("crypto:") ? top : `${top}\ncrypto: { ${forgetful} }`;
  const gateway = await testGateway(t, `${forgetting}\nservers: { open: { url: "${url}" } }\n${openPolicy}`, {
    listen: isPreferred
      ? "{ address: 127.0.0.1:0, key_exchange: hybrid-preferred, classical_servers: [open] }"
      : "127.0.0.1:0",
  });
  return { gateway, enrolment: await enrol(gateway) };
}

/** Knocks as a peer that takes the gateway for what it is, and offers what it offers. */
function knockAsSidecar(
  { gateway, enrolment }: SidecarScene,
  offer: tls.ConnectionOptions,
  credentials: Credentials | undefined = enrolment.credentials,
): Promise<Knocked> {
  const [host = "", port = ""] = gateway.address.split(":");
  const {
    cert: _,
    key: __,
    ...options
  } = clientTlsOptions({
    profile: gateway.config.profile,
    serverRoots: enrolment.identity.server_roots,
    peerSpiffeId: enrolment.identity.gateway,
  });
  const shown =
    credentials.certificate === "" ? {} : { cert: credentials.certificate, key: credentials.privateKey };
  return knock({ ...options, ...shown, ...offer, host, port: Number(port) }, "/mcp/open");
}

/** Today's OpenSSL doesn't say so any more: its hello, with other numbers in it. */
async function knockWithSha1({ gateway }: SidecarScene, ecdhCurve: string): Promise<Knocked> {
  const [host = "", port = ""] = gateway.address.split(":");
  const hello = await helloOf({ ecdhCurve, minVersion: "TLSv1.3", sigalgs: "ECDSA+SHA256:ECDSA+SHA384" });
  const at = hello.indexOf(Buffer.from("000d0006000404030503", "hex"));
  assert.ok(at > 0);
  hello.set(Buffer.from("02030201", "hex"), at + 6);
  return await knockWithHello({ host, port: Number(port) }, hello);
}

/** What only the certificate is wrong with; it says nothing of its own about signatures, as old clients don't. */
function certificateOffers(scene: SidecarScene): readonly (readonly [string, () => Promise<Knocked>])[] {
  const { gateway, enrolment } = scene;
  const { profile } = gateway.config;
  const group = profile.groups[0]?.id ?? "";
  const showing = (credentials: Credentials, more: tls.ConnectionOptions = {}): Promise<Knocked> => {
    // Old keys can't even be loaded at today's level of security.
    const ciphers = `${profile.ciphers}:DEFAULT@SECLEVEL=0`;
    const sigalgs = `${profile.identities.map(({ tlsName }) => tlsName).join(":")}:mldsa44:RSA-PSS+SHA256:ECDSA+SHA256`;
    return knockAsSidecar(scene, { ecdhCurve: group, ciphers, sigalgs, ...more }, credentials);
  };
  const ours = async (part: Partial<OddLeaf>): Promise<Credentials> => {
    const [root] = (await authorityOf(gateway)).roots.client;
    const key = profile.identity.keyType as "ml-dsa-65";
    const issuer = issuerWith("latticegate.local client root", root.key);
    return await oddCredentials({ key: privateKey(key), issuer, ...part });
  };
  const foreign = (kind: Parameters<typeof privateKey>[0]): Promise<Credentials> =>
    oddCredentials({
      key: privateKey(kind),
      issuer: issuerOf("latticegate.local client root", privateKey(kind)),
    });
  const hour = 3_600_000;
  return [
    ["an ML-DSA-44 certificate", async () => showing(await ours({ key: privateKey("ml-dsa-44") }))],
    ["an RSA-1024 certificate", async () => showing(await foreign("rsa-1024"))],
    ["an RSA-2048 certificate", async () => showing(await foreign("rsa-2048"))],
    ["an ECDSA certificate", async () => showing(await foreign("ec"))],
    ["signatures with SHA-1 alone", () => knockWithSha1(scene, group)],
    [
      "a certificate of another root",
      async () => showing(await foreign(profile.identity.keyType as "ml-dsa-65")),
    ],
    [
      "an expired certificate",
      async () =>
        showing(await ours({ notBeforeUnixMs: Date.now() - 2 * hour, notAfterUnixMs: Date.now() - hour })),
    ],
    ["no certificate", () => showing({ certificate: "", privateKey: "" })],
    [
      "no ML-DSA signature: ECDSA and RSA",
      () =>
        showing(enrolment.credentials, {
          sigalgs: "ECDSA+SHA256:ECDSA+SHA384:RSA-PSS+SHA256:RSA-PSS+SHA384:ed25519",
        }),
    ],
    ["signatures with ML-DSA-44 alone", () => showing(enrolment.credentials, { sigalgs: "mldsa44" })],
  ];
}

test("sidecars: each profile and dial by each offer ends as the page says", async (t) => {
  const scenes: SidecarScene[] = [];
  for (const setting of settings) scenes.push(await sidecarScene(t, setting));
  const table = new GoldenTable(
    "a peer that offers",
    settings.map(({ name }) => name),
  );
  for (const [name, offer] of groupOffers) {
    const cells: Cell[] = [];
    for (const scene of scenes) {
      cells.push(
        await cellOf(scene.gateway, () => knockAsSidecar(scene, { minVersion: "TLSv1.3", ...offer })),
      );
    }
    table.row(name, cells);
  }
  const certificates = scenes.map((scene) => certificateOffers(scene));
  for (const [row, [name]] of (certificates[0] ?? []).entries()) {
    const cells: Cell[] = [];
    for (const [column, scene] of scenes.entries()) {
      const [, attempt] = certificates[column]?.[row] ?? assert.fail("no such offer");
      cells.push(await cellOf(scene.gateway, attempt));
    }
    table.row(name, cells);
  }
  assertGolden(page, "sidecars", table.toString());
});

/** As the page of the listener has it for clients that can be told apart by nothing but their links. */
const bearer = `sender_constraint: preferred
dpop_nonce: false
`;
const open = `key_exchange: hybrid-preferred
classical_servers: [files]
`;

/** Of clients that show a certificate for their token to be bound to, or verify little. */
async function webCertificateOffers(): Promise<readonly (readonly [string, tls.ConnectionOptions])[]> {
  const showing = async (kind: Parameters<typeof privateKey>[0]): Promise<tls.ConnectionOptions> => {
    const key = privateKey(kind);
    const { certificate: cert, privateKey: pem } = await oddCredentials({
      key,
      issuer: issuerOf("test", key),
    });
    return { cert, key: pem, ecdhCurve: hybridGroups, ciphers: "DEFAULT@SECLEVEL=0" };
  };
  return [
    ["an RSA-1024 certificate", await showing("rsa-1024")],
    ["an RSA-2048 certificate", await showing("rsa-2048")],
    ["an ECDSA certificate", await showing("ec")],
    ["an ML-DSA-65 certificate", await showing("ml-dsa-65")],
    ["signatures with RSA alone", { ecdhCurve: hybridGroups, sigalgs: "RSA-PSS+SHA256" }],
  ];
}

const hybridGroups = "X25519MLKEM768:SecP384r1MLKEM1024:SecP256r1MLKEM768";

test("clients with tokens: each profile and dial by each offer ends as the page says", async (t) => {
  const scenes: WebScene[] = [];
  for (const { top, isPreferred } of settings) {
    scenes.push(await webScene(t, { top, listener: bearer + (isPreferred ? open : "") }));
  }
  const table = new GoldenTable(
    "a client that offers",
    settings.map(({ name }) => name),
  );
  for (const [name, offer] of [...groupOffers, ...(await webCertificateOffers())]) {
    const cells: Cell[] = [];
    for (const scene of scenes) {
      const authorization = `Bearer ${await scene.token()}`;
      const { certificate: ca } = scene.certificate;
      const options = { ...webAddress(scene.gateway), servername: "mcp.acme.test", ca, ...offer };
      cells.push(
        await cellOf(scene.gateway, () =>
          knock({ minVersion: "TLSv1.3", ...options }, "/mcp/files", { authorization }),
        ),
      );
    }
    table.row(name, cells);
  }
  assertGolden(page, "web", table.toString());
});

const flat = "X25519:X25519MLKEM768";

/** Servers as others run them. */
function serverOffers(authority: OutsideAuthority): readonly (readonly [string, https.ServerOptions])[] {
  const issued = (
    ...of: Parameters<OutsideAuthority["issue"]> extends [string, ...infer More] ? More : never
  ) => {
    const { certificate: cert, key } = authority.issue("server", ...of);
    return { cert, key, ecdhCurve: "X25519MLKEM768:SecP384r1MLKEM1024" };
  };
  const usual = issued("ec");
  return [
    ["X25519MLKEM768 before X25519", { ...usual, ecdhCurve: "X25519MLKEM768:X25519" }],
    ["X25519 before X25519MLKEM768, in one list", { ...usual, ecdhCurve: flat }],
    ["every group of OpenSSL's defaults", { ...usual, ecdhCurve: "auto" }],
    ["category 5 alone: SecP384r1MLKEM1024", { ...usual, ecdhCurve: "SecP384r1MLKEM1024" }],
    ["SecP256r1MLKEM768 and P-256", { ...usual, ecdhCurve: "SecP256r1MLKEM768:P-256" }],
    ["X25519 alone", { ...usual, ecdhCurve: "X25519" }],
    ["P-256 alone", { ...usual, ecdhCurve: "P-256" }],
    ["P-384 alone", { ...usual, ecdhCurve: "P-384" }],
    ["TLS 1.2 at most", { ...usual, ecdhCurve: "auto", maxVersion: "TLSv1.2" }],
    ["AES-128 alone", { ...usual, ciphers: "TLS_AES_128_GCM_SHA256" }],
    ["an ML-DSA-65 certificate", issued("ml-dsa-65")],
    ["an RSA-2048 certificate", issued("rsa-2048")],
    ["an RSA-1024 certificate", { ...issued("rsa-1024"), ciphers: "DEFAULT@SECLEVEL=0" }],
    [
      "a certificate signed with SHA-1",
      { ...issued("ec", { digest: "sha1" }), ciphers: "DEFAULT@SECLEVEL=0" },
    ],
    ["an expired certificate", issued("ec", { endsUnixMs: Date.now() - 60_000 })],
    ["a certificate of another root", otherServer()],
  ];
}

function otherServer(): https.ServerOptions {
  const { certificate: cert, key } = outsideAuthority("nobody").issue("server");
  return { cert, key, ecdhCurve: "X25519MLKEM768:SecP384r1MLKEM1024" };
}

const dials: readonly (readonly [string, string, string])[] = [
  ["`transition`, preferred", "profile: transition", "hybrid-preferred"],
  ["`transition`, required", "profile: transition", "hybrid-required"],
  ["`hybrid`", "profile: hybrid", "hybrid-required"],
  ["`cnsa-2.0`", "profile: cnsa-2.0", "hybrid-required"],
];

test("servers: each profile and dial by each offer ends as the page says", async (t) => {
  const offers = serverOffers(publicAuthority(t));
  const servers: HttpsServer[] = [];
  for (const [, options] of offers) servers.push(await httpsServer(t, options));
  const table = new GoldenTable(
    "a server that offers",
    dials.map(([name]) => name),
  );
  const columns: (readonly Cell[])[] = [];
  for (const [, top, dial] of dials) {
    const listed = servers.map(({ url }, i) => `s${i}: { url: "${url}", link: { key_exchange: ${dial} } }`);
    columns.push(await columnOf(t, `${top}\nservers: { ${listed.join(", ")} }\n${openPolicy}`, servers));
  }
  for (const [row, [name]] of offers.entries()) {
    table.row(
      name,
      columns.map((cells) => cells[row] ?? assert.fail("no such cell")),
    );
  }
  assertGolden(page, "servers", table.toString());
});

/** What one gateway makes of each server. */
async function columnOf(
  t: TestContext,
  yaml: string,
  servers: readonly HttpsServer[],
): Promise<readonly Cell[]> {
  const gateway = await testGateway(t, yaml);
  const client = clientOf(t, gateway, await enrol(gateway));
  const cells: Cell[] = [];
  for (const [i, { asked }] of servers.entries()) {
    const before = asked();
    const answer = await client.post(`s${i}`, toolCall("read"));
    const entries = await recorded(gateway);
    const facts = entries.at(-1)?.facts ?? {};
    if (answer.status === 200) {
      assert.equal(facts["upstream_version"], "TLSv1.3");
      const mark = facts["upstream_link"] === "classical" ? ", marked" : "";
      const { upstream_group: group, upstream_level: level, upstream_cert: cert } = facts;
      cells.push([`${group ?? "?"}, level ${level ?? "?"}${mark}; ${cert ?? "?"}`]);
    } else {
      assert.equal(asked(), before, "nothing was sent");
      assert.equal(facts["upstream_group"], undefined);
      const { error } = JSON.parse(answer.text) as { error: { message: string } };
      cells.push(["refused", error.message]);
    }
  }
  return cells;
}
