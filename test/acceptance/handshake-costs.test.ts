/** `latticegate bench handshake`: what it prints, and that what it measured is what it says. No time is judged. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { cpus } from "node:os";
import path from "node:path";
import { duplexPair } from "node:stream";
import { after, before, describe, test } from "node:test";
import tls from "node:tls";

import { costChart } from "../../src/app/bench/cost-chart.ts";
import type { HandshakeCosts } from "../../src/app/bench/handshake-costs.ts";
import { throwAwayIdentity } from "../../src/app/bench/throw-away-authority.ts";
import {
  comparedCiphers,
  comparedExchanges,
  comparedHandshakes,
  comparedSignatures,
  handshakeName,
} from "../../src/crypto/suites/compared.ts";
import { groupNamed } from "../../src/crypto/suites/key-exchange.ts";
import { resolveProfile } from "../../src/crypto/suites/profiles.ts";
import { signatureSuite } from "../../src/crypto/suites/signatures.ts";
import { type Ends, openHandshakeLab } from "../../src/host/bench/handshakes.ts";
import { clientTlsOptions } from "../../src/host/net/tls.ts";
import { cli, type Ended } from "../support/cli.ts";
import { temporaryFolder } from "../support/gateway.ts";
import { type Element, parseXml } from "../support/xml.ts";

const cpu = cpus()[0]?.model.trim() ?? "unknown";

/** Words stay, numbers of their own and the width of columns don't. */
function masked(text: string): string {
  return text
    .replaceAll(cpu, "CPU")
    .replaceAll(/─+/g, "─")
    .replaceAll(/(?<=^|[ ≤])[\d,.]+( +±\d+%)?(?=[ ,:]|$)/gm, (_, spread?: string) =>
      spread === undefined ? "#" : "# ±#",
    )
    .replaceAll(/ +/g, " ")
    .replace("# core,", "# cores,")
    .trim();
}

describe("one short run of each format", () => {
  const undo: (() => unknown)[] = [];
  const t = { after: (step: () => unknown) => void undo.push(step) };
  let json: Ended;
  let costs: HandshakeCosts;
  let svg: string;

  before(async () => {
    const file = path.join(await temporaryFolder(t), "costs.svg");
    json = await cli(["bench", "handshake", "--seconds", "1", "--format", "json", "--svg", file]);
    assert.equal(json.code, 0, json.stderr);
    costs = JSON.parse(json.stdout) as HandshakeCosts;
    svg = await readFile(file, "utf8");
  });
  after(async () => {
    for (const step of undo.reverse()) await step();
  });

  test("progress is for terminals: nothing but the result is printed elsewhere", () => {
    assert.equal(json.stderr, "");
    assert.ok(json.stdout.startsWith("{") && json.stdout.endsWith("}\n"));
  });

  test("the JSON has a row for everything that is compared, in its order, and how it was measured", () => {
    const names = (rows: readonly { readonly name: string }[]): readonly string[] =>
      rows.map(({ name }) => name);
    assert.deepEqual(
      names(costs.keyExchanges),
      comparedExchanges.map(({ id }) => id),
    );
    assert.deepEqual(
      names(costs.signatures),
      comparedSignatures.map(({ id }) => id),
    );
    assert.deepEqual(names(costs.handshakes), comparedHandshakes.map(handshakeName));
    assert.equal(costs.rounds, 3);
    const { node, openssl } = process.versions;
    assert.deepEqual({ ...costs.machine, cores: 0 }, { cpu, cores: 0, node, openssl });
  });

  test("each row of the JSON has the documented members, and every figure is a positive number", () => {
    const shape = (value: unknown): unknown => {
      if (Array.isArray(value)) return [];
      if (typeof value !== "object" || value === null) return typeof value;
      return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, shape(each)]));
    };
    const figure = { median: "number", spread: "number" };
    assert.deepEqual(shape({ ...costs, machine: {} }), {
      format: "string",
      machine: {},
      rounds: "number",
      seconds: "number",
      keyExchanges: [],
      signatures: [],
      handshakes: [],
    });
    for (const row of costs.keyExchanges) {
      assert.deepEqual(shape(row), {
        name: "string",
        profiles: [],
        kind: "string",
        isReference: "boolean",
        ...(row.withLastingKey !== undefined && { withLastingKey: "string" }),
        publicKeyBytes: "number",
        messageBytes: "number",
        totalBytes: "number",
        latencyUs: figure,
        cpuUs: figure,
        timesReference: "number",
      });
      assert.ok(row.latencyUs.median > 0 && row.cpuUs.median > 0 && row.timesReference > 0, row.name);
    }
    for (const row of costs.signatures) {
      assert.deepEqual(shape(row), {
        name: "string",
        profiles: [],
        kind: "string",
        publicKeyBytes: "number",
        signatureBytes: "number",
        hasVaryingLength: "boolean",
        signsPerCpuSecond: figure,
        verifiesPerCpuSecond: figure,
      });
      assert.ok(row.signsPerCpuSecond.median > 0 && row.verifiesPerCpuSecond.median > 0, row.name);
    }
    for (const row of costs.handshakes) {
      assert.deepEqual(shape(row), {
        name: "string",
        profiles: [],
        isReference: "boolean",
        identity: "string",
        identityKind: "string",
        group: "string",
        groupKind: "string",
        clientHelloBytes: "number",
        clientBytes: "number",
        serverBytes: "number",
        totalBytes: "number",
        latencyUs: figure,
        serverCpuUs: figure,
        clientCpuUs: figure,
        serverHandshakesPerCoreSecond: "number",
        timesReference: { bytes: "number", latency: "number", serverCpu: "number" },
      });
      const { latencyUs, serverCpuUs, clientCpuUs } = row;
      for (const { median } of [latencyUs, serverCpuUs, clientCpuUs]) assert.ok(median > 0, row.name);
    }
  });

  test("what the others are compared with is exactly as dear as itself", () => {
    const [exchange, ...otherExchanges] = costs.keyExchanges.filter(({ isReference }) => isReference);
    const [handshake, ...otherHandshakes] = costs.handshakes.filter(({ isReference }) => isReference);
    assert.equal(exchange?.timesReference, 1);
    assert.deepEqual(handshake?.timesReference, { bytes: 1, latency: 1, serverCpu: 1 });
    assert.equal(otherExchanges.length + otherHandshakes.length, 0);
  });

  test("a ClientHello is its key share and less than 200 bytes around it; the default one fits one segment", () => {
    for (const { name, group, clientHelloBytes } of costs.handshakes) {
      const [share] = groupNamed(group)?.shareBytes ?? [0];
      // Record, message, random and session id 75 bytes; the rest are suites and extensions with one name each.
      const around = clientHelloBytes - share;
      assert.ok(around > 100 && around < 200, `${name}: ${around}`);
    }
    const usual = costs.handshakes.find(({ group }) => group === "X25519MLKEM768");
    // 1,500 bytes of Ethernet less IPv4 and TCP with time stamps (RFC 7323).
    assert.ok((usual?.clientHelloBytes ?? 9999) <= 1448);
  });

  test("what each end sends is its share, one leaf and one signature: no root, no second certificate, no ticket", () => {
    for (const { name, group, identity, clientHelloBytes, clientBytes, serverBytes } of costs.handshakes) {
      const suite = comparedSignatures.find(({ id }) => id === identity);
      const [, share = 0] = groupNamed(group)?.shareBytes ?? [];
      assert.ok(suite !== undefined, name);
      // The leaf has a key and its issuer's signature, CertificateVerify is another; DER varies by a few bytes.
      const proof = suite.publicKeyBytes + 2 * suite.signatureBytes;
      const slack = suite.keyType === "ec" ? 16 : 0;
      // Names, times and extensions of a leaf, and records: 300 to 560 bytes. A root would be a key and a signature more.
      const [client, server] = [clientBytes - clientHelloBytes - proof, serverBytes - share - proof];
      assert.ok(client > 300 - slack && client < 560, `${name}: the client's ${client}`);
      // Beside that the ServerHello, what it asks for, and two stubs of 79 bytes in place of tickets.
      const beside = server - client;
      assert.ok(beside > 200 && beside < 400 + slack, `${name}: the server's ${server}, ${beside} more`);
    }
  });

  test("the same handshake has the same bytes, but for ECDSA's signatures, in every run", async () => {
    const args = ["--only", "handshakes", "--seconds", "1", "--format", "json"];
    const again = await cli(["bench", "handshake", ...args]);
    const other = JSON.parse(again.stdout) as HandshakeCosts;
    assert.deepEqual([other.keyExchanges, other.signatures], [[], []]);
    assert.equal(other.handshakes.length, costs.handshakes.length);
    for (const [i, { name, identity, totalBytes, clientHelloBytes }] of other.handshakes.entries()) {
      const row = costs.handshakes[i];
      assert.equal(clientHelloBytes, row?.clientHelloBytes, name);
      const differ = Math.abs(totalBytes - (row?.totalBytes ?? 0));
      assert.ok(differ <= (identity.startsWith("ECDSA") ? 16 : 0), `${name}: ${differ}`);
    }
  });

  test("the chart is well-formed, names every row with its profiles, and brings nothing from elsewhere", () => {
    const elements = parseXml(svg);
    const texts = elements.filter(({ name }) => name === "text").map(({ text }) => text);
    for (const { name } of [...costs.keyExchanges, ...costs.signatures, ...costs.handshakes])
      assert.ok(texts.includes(name), name);
    for (const profile of ["hybrid", "cnsa-2.0"]) assert.ok(texts.includes(profile), profile);
    assert.deepEqual([...new Set(elements.map(({ name }) => name))].toSorted(), [
      "desc",
      "g",
      "line",
      "path",
      "rect",
      "style",
      "svg",
      "text",
      "title",
    ]);
    assert.doesNotMatch(svg.replace('xmlns="http://www.w3.org/2000/svg"', ""), /https?:|url\(|@import|href/);
    assert.match(svg, /@media \(prefers-color-scheme: dark\)/);
  });

  test("every bar and every word of the chart is within the picture", () => {
    const elements = parseXml(svg);
    const root = elements[0]?.attributes ?? {};
    const [width, height] = [Number(root["width"]), Number(root["height"])];
    assert.equal(root["viewBox"], `0 0 ${width} ${height}`);
    for (const { name, attributes, text } of elements.filter(({ name }) => /^(rect|text)$/.test(name))) {
      const [x, y] = [Number(attributes["x"] ?? 0), Number(attributes["y"] ?? 0)];
      // A letter of these sizes is about 6.6 wide; those that end at x reach to the left.
      const reach = name === "text" ? text.length * 6.6 : Number(attributes["width"]);
      const isLeftwards = /end|pill-text/.test(attributes["class"] ?? "");
      assert.ok(x >= 0 && y >= 0 && y <= height, text);
      assert.ok(isLeftwards ? x <= width : x + reach <= width, `${text} reaches ${x + reach}`);
      assert.ok(name === "text" || Number(attributes["width"]) > 0 || attributes["class"] === "first");
    }
  });

  test("bars are as long as what they stand for", () => {
    const bars = parseXml(svg).filter(
      ({ attributes }) => attributes["class"] === "first" && attributes["rx"] === undefined,
    );
    const [longest] = costs.handshakes.toSorted((a, b) => b.totalBytes - a.totalBytes);
    const longestBar = Math.max(...bars.slice(0, costs.handshakes.length).map(widthOf));
    for (const [i, { name, clientBytes }] of costs.handshakes.entries()) {
      const expected = (clientBytes / (longest?.clientBytes ?? 0)) * longestBar;
      assert.ok(Math.abs(widthOf(bars[i]) - expected) < 0.2, name);
    }
  });

  test("a bar that would dwarf the others is cut, and shows it; its figure is whole", () => {
    const [row, second, third] = costs.keyExchanges;
    assert.ok(row !== undefined && second !== undefined && third !== undefined);
    const of = (median: number): HandshakeCosts["keyExchanges"][number] => ({
      ...row,
      latencyUs: { median, spread: 0 },
      cpuUs: { median: 100, spread: 0 },
    });
    const drawn = costChart({
      ...costs,
      keyExchanges: [of(1000), of(500_000), of(2000)],
      signatures: [],
      handshakes: [],
    });
    const elements = parseXml(drawn);
    const bars = elements.filter(({ attributes }) => attributes["class"] === "only").slice(0, 3);
    const [short = 0, cut = 0, long = 0] = bars.map(widthOf);
    assert.ok(Math.abs(long / short - 2) < 0.02 && cut > long && cut < 2 * long, `${short} ${cut} ${long}`);
    assert.equal(elements.filter(({ attributes }) => attributes["class"] === "gap").length, 1);
    assert.ok(elements.some(({ text }) => text === "500 ms"));
  });

  test("names with characters of XML's own are escaped", () => {
    const [row] = costs.keyExchanges;
    assert.ok(row !== undefined);
    const odd = { ...row, name: `<A> & "B"` };
    const texts = parseXml(costChart({ ...costs, keyExchanges: [odd], signatures: [], handshakes: [] }));
    assert.ok(texts.some(({ text }) => text === odd.name));
  });
});

function widthOf(element: Element | undefined): number {
  return Number(element?.attributes["width"]);
}

const primitives = `Key exchanges by themselves, both ends

key exchange profile public key message in all latency CPU CPU
 bytes bytes bytes ms ms ×
─ ─ ─ ─ ─ ─ ─ ─
RSA-3072 classical # # # # ±# # ±# #
RSA-3072, key made for it classical # # # # ±# # ±# #
X25519 classical # # # # ±# # ±# #
P-256 classical # # # # ±# # ±# #
ML-KEM-768 – # # # # ±# # ±# #
ML-KEM-1024 – # # # # ±# # ±# #
X25519MLKEM768 hybrid # # # # ±# # ±# #
SecP256r1MLKEM768 hybrid # # # # ±# # ±# #
SecP384r1MLKEM1024 hybrid, cnsa-2.0 # # # # ±# # ±# #
× compares with X25519.
RSA-3072 is key transport: the secret is encrypted to a key that lasts, and whoever steals that key reads all that was recorded. To make a key for one exchange costs # ms more (RSA-3072, key made for it).

Signatures by themselves

signature profile public key signature signed verified
 bytes bytes per CPU-second per CPU-second
─ ─ ─ ─ ─ ─
RSA-3072 classical # # # ±# # ±#
ECDSA P-256 classical # ≤ # # ±# # ±#
Ed25519 classical # # # ±# # ±#
ML-DSA-44 – # # # ±# # ±#
ML-DSA-65 hybrid # # # ±# # ±#
ML-DSA-87 cnsa-2.0 # # # ±# # ±#
SLH-DSA-SHA2-128s – # # # ±# # ±#

Measured on CPU, # cores, Node # OpenSSL # in # s: # rounds with every row in each, so that a noisy moment hits all alike.
Figures are medians of the rounds, ± half the distance between their quartiles; × are medians of the ratios within a round. CPU is user and system time by process.cpuUsage, divided by the operations done.`;

const handshakes = `**Mutual TLS # handshakes: on the wire**

| identities + group | profile | ClientHello, bytes | client sends, bytes | server sends, bytes | in all, bytes | in all, × |
| --- | --- | ---: | ---: | ---: | ---: | ---: |
| RSA-3072 + X25519 | classical | # | # | # | # | # |
| ECDSA P-256 + X25519 | classical | # | # | # | # | # |
| ECDSA P-256 + X25519MLKEM768 | classical identity | # | # | # | # | # |
| ML-DSA-44 + X25519MLKEM768 | – | # | # | # | # | # |
| ML-DSA-65 + X25519MLKEM768 | hybrid | # | # | # | # | # |
| ML-DSA-87 + X25519MLKEM768 | – | # | # | # | # | # |
| ML-DSA-65 + X25519 | classical group | # | # | # | # | # |
| ML-DSA-65 + SecP256r1MLKEM768 | hybrid | # | # | # | # | # |
| ML-DSA-65 + SecP384r1MLKEM1024 | hybrid | # | # | # | # | # |
| ML-DSA-87 + SecP384r1MLKEM1024 | cnsa-2.0 | # | # | # | # | # |

× compares with ECDSA P-256 + X25519.

**Mutual TLS # handshakes: time**

| identities + group | client done, ms | × | server CPU, ms | × | client CPU, ms | server does, /s and core |
| --- | ---: | ---: | ---: | ---: | ---: | ---: |
| RSA-3072 + X25519 | # ±# | # | # ±# | # | # ±# | # |
| ECDSA P-256 + X25519 | # ±# | # | # ±# | # | # ±# | # |
| ECDSA P-256 + X25519MLKEM768 | # ±# | # | # ±# | # | # ±# | # |
| ML-DSA-44 + X25519MLKEM768 | # ±# | # | # ±# | # | # ±# | # |
| ML-DSA-65 + X25519MLKEM768 | # ±# | # | # ±# | # | # ±# | # |
| ML-DSA-87 + X25519MLKEM768 | # ±# | # | # ±# | # | # ±# | # |
| ML-DSA-65 + X25519 | # ±# | # | # ±# | # | # ±# | # |
| ML-DSA-65 + SecP256r1MLKEM768 | # ±# | # | # ±# | # | # ±# | # |
| ML-DSA-65 + SecP384r1MLKEM1024 | # ±# | # | # ±# | # | # ±# | # |
| ML-DSA-87 + SecP384r1MLKEM1024 | # ±# | # | # ±# | # | # ±# | # |

× compares with ECDSA P-256 + X25519.

Measured on CPU, # cores, Node # OpenSSL # in # s: # rounds with every row in each, so that a noisy moment hits all alike. Figures are medians of the rounds, ± half the distance between their quartiles; × are medians of the ratios within a round. CPU is user and system time by process.cpuUsage, divided by the operations done. A handshake is a full one over loopback, mutual, one leaf right below its root from each end, nothing resumed, tickets off; its server is a process of its own. Latency is from connecting until the client is done; bytes are TLS records, the two stubs that OpenSSL sends in place of tickets included.`;

test("text, primitives alone", async () => {
  const { stdout, stderr, code } = await cli([
    "bench",
    "handshake",
    "--only",
    "primitives",
    "--seconds",
    "1",
  ]);
  assert.equal(code, 0, stderr);
  assert.equal(masked(stdout), primitives);
});

test("Markdown, handshakes alone", async () => {
  const args = ["--only", "handshakes", "--seconds", "1", "--format", "markdown"];
  const { stdout, stderr, code } = await cli(["bench", "handshake", ...args]);
  assert.equal(code, 0, stderr);
  assert.equal(masked(stdout), handshakes);
});

const mistakes: readonly (readonly [string, readonly string[], RegExp])[] = [
  ["a format there isn't", ["--format", "xml"], /--format takes text, markdown or json, found "xml"/],
  ["a part there isn't", ["--only", "rsa"], /--only takes primitives or handshakes, found "rsa"/],
  ["no time at all", ["--seconds", "0"], /--seconds takes a whole number from 1 to 600, found "0"/],
  ["more time than makes sense", ["--seconds", "601"], /from 1 to 600, found "601"/],
  ["a part of a second", ["--seconds", "1.5"], /from 1 to 600, found "1.5"/],
  ["a time that is none", ["--seconds", "1e1"], /from 1 to 600, found "1e1"/],
  ["a folder that isn't there", ["--svg", "/nowhere/costs.svg"], /nothing can be written to \/nowhere/],
  ["a word too many", ["handshakes"], /Expected options alone, found "handshakes"/],
];
for (const [what, args, expected] of mistakes) {
  test(`${what} is refused before anything is measured`, async () => {
    const ended = await cli(["bench", "handshake", ...args]);
    assert.equal(ended.code, 2, ended.stderr);
    assert.match(ended.stderr, expected);
    assert.doesNotMatch(ended.stderr, /\n\s+at /, "no stack");
    assert.equal(ended.stdout, "");
  });
}

test("a chart that can't be written where a folder stands is refused", async (t) => {
  const folder = await temporaryFolder(t);
  const ended = await cli(["bench", "handshake", "--only", "handshakes", "--seconds", "1", "--svg", folder]);
  assert.equal(ended.code, 2, ended.stderr);
  assert.match(ended.stderr, /can't be written/);
});

async function ends(): Promise<Ends> {
  const suite = signatureSuite("ML-DSA-65");
  const [server, client] = [
    await throwAwayIdentity(suite, "server", Date.now()),
    await throwAwayIdentity(suite, "client", Date.now()),
  ];
  const negotiated = {
    group: "X25519MLKEM768",
    signatures: suite.tlsName ?? "",
    ciphers: comparedCiphers,
  };
  return {
    server: { ...negotiated, ...server, peerRoot: client.root },
    client: { ...negotiated, ...client, peerRoot: server.root, peerSpiffeId: server.spiffeId },
  };
}

test("the measured client says what our own links say, byte for byte in length", async (t) => {
  const { client } = await ends();
  const profile = resolveProfile("hybrid");
  const options = clientTlsOptions({
    profile: { ...profile, groups: profile.groups.filter(({ id }) => id === client.group) },
    serverRoots: [client.peerRoot],
    peerSpiffeId: client.peerSpiffeId,
    credentials: client,
  });
  const [here, there] = duplexPair();
  const socket = tls.connect({ ...options, socket: here });
  socket.on("error", () => undefined);
  t.after(() => socket.destroy());
  const [hello] = (await once(there, "data")) as [Uint8Array];
  const lab = await openHandshakeLab([await ends()]);
  t.after(() => lab.close());
  assert.equal((await lab.row(0).bytes()).hello, hello.length);
});

const broken: readonly (readonly [string, (good: Ends) => Ends, RegExp])[] = [
  [
    "a handshake with another group than its row's",
    ({ server, client }) => ({
      server: { ...server, group: "X25519" },
      client: { ...client, group: "X25519:X25519MLKEM768" },
    }),
    /wasn't one with X25519:X25519MLKEM768/,
  ],
  [
    "a server with another name",
    ({ server, client }) => ({ server, client: { ...client, peerSpiffeId: "spiffe://bench.invalid/other" } }),
    /expected the server spiffe:\/\/bench\.invalid\/other/,
  ],
  [
    "a client that the server doesn't trust",
    ({ server, client }) => ({ server: { ...server, peerRoot: client.peerRoot }, client }),
    /the server let in 0 of|alert|ECONNRESET/,
  ],
];
for (const [what, breakIt, expected] of broken) {
  test(`${what} isn't measured`, async (t) => {
    const lab = await openHandshakeLab([breakIt(await ends())]);
    t.after(() => lab.close());
    await assert.rejects(lab.row(0).sample(5), expected);
  });
}
