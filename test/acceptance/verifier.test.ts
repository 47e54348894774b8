/** The offline verifier in a real browser, opened as a file: what it says, what it names, and that it asks nobody. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";

import { type Browser, chromium, type Page } from "playwright-core";

import { receiptBytes } from "../../src/audit/receipt.ts";
import { verifyBundle } from "../../src/audit/verify-audit-bundle.ts";
import { sha256 } from "../../src/crypto/hash.ts";
import { formatLogKey } from "../../src/crypto/log-key.ts";
import { leafHash } from "../../src/merkle/hashing.ts";
import { inclusionProof } from "../../src/merkle/proofs.ts";
import { subtreeFromLeaves } from "../../src/merkle/tiles.ts";
import { bundleBytes, type ExportedLog, exportedLog } from "../support/audit-bundle.ts";
import { readBundleVectors } from "../support/bundle-vectors.ts";
import { cli } from "../support/cli.ts";
import { installed } from "../support/debian.ts";
import { draft } from "../support/log-fixture.ts";

const screenshots = fileURLToPath(new URL("../../out/screenshots/", import.meta.url));
/** Without a sandbox, since tests run as root; without services of its own, since there is no network. */
const flags = [
  "--no-sandbox",
  "--disable-quic",
  "--disable-background-networking",
  "--disable-component-update",
];
const missing = installed("chromium", "chromium");
const hostile = `<img src=x onerror="document.title='ran'"><script>document.title='ran'</script>`;

describe("the offline verifier", { skip: missing ?? false }, () => {
  const undo: (() => unknown)[] = [];
  let browser: Browser;
  let folder: string;
  let page: string;
  let log: ExportedLog;

  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "latticegate-verifier-"));
    undo.push(() => rm(folder, { recursive: true, force: true }));
    page = path.join(folder, "verify.html");
    const written = await cli(["audit", "verifier", "-o", page]);
    assert.equal(written.code, 0, written.stderr);
    const digest = createHash("sha256")
      .update(await readFile(page))
      .digest("hex");
    assert.equal(written.stdout, `${page}: SHA-256 ${digest}\n`);
    log = await exportedLog(60, [20, 45], (i) => draft(i, i === 30 ? { tool: hostile } : {}));
    browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: flags });
    undo.push(() => browser.close());
  });
  after(async () => {
    for (const step of undo.reverse()) await step();
  });

  async function verified(
    files: Readonly<Record<string, Uint8Array>>,
    fingerprint: string,
  ): Promise<{ readonly page: Page; readonly answer: string; readonly asked: readonly string[] }> {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
    const tab = await context.newPage();
    const asked: string[] = [];
    const problems: string[] = [];
    tab.on("request", (request) => asked.push(request.url()));
    tab.on("pageerror", (error) => problems.push(error.message));
    tab.on("console", (message) => problems.push(message.text()));
    await tab.goto(pathToFileURL(page).href);
    const names: string[] = [];
    for (const [name, bytes] of Object.entries(files)) {
      names.push(path.join(folder, name));
      await writeFile(path.join(folder, name), bytes);
    }
    await tab.getByLabel(/^The bundle/).setInputFiles(names);
    await tab.getByLabel(/^Fingerprint/).fill(fingerprint);
    await tab.getByRole("button", { name: "Verify" }).click();
    const heading = tab.getByRole("heading", { name: /^(Yes|No)$/ });
    await heading.waitFor({ timeout: 60_000 });
    assert.deepEqual(problems, [], "nothing is blocked, missing or thrown");
    return { page: tab, answer: await heading.innerText(), asked };
  }

  /** Only itself, and what it made of itself. */
  async function askedNobody(tab: Page, asked: readonly string[]): Promise<void> {
    const others = asked.filter((url) => !url.startsWith("file:") && !/^(blob|data):/.test(url));
    assert.deepEqual(others, []);
    assert.deepEqual(
      asked.filter((url) => url.startsWith("file:")),
      [pathToFileURL(page).href],
    );
    const resources = await tab.evaluate("performance.getEntriesByType('resource').map(({ name }) => name)");
    assert.deepEqual(
      (resources as readonly string[]).filter((name) => !/^(blob|data):/.test(name)),
      [],
    );
  }

  test("it says yes to a good bundle: which log, which entries, signed when and with what; and asks nobody", async () => {
    const bundle = bundleBytes(await log.bundle(10, 50));
    const { page: tab, answer, asked } = await verified({ "good.json": bundle }, log.fingerprint(1));
    assert.equal(answer, "Yes");
    for (const text of [
      "Entries 10 to 49 are exactly what the log",
      "log.example/gateway-1",
      "covers the log's first 60 entries",
      "2026-11-21T12:00:00.000Z",
      "Ed25519, ML-DSA-65, ML-DSA-44",
      "3, which follows from generation 1",
    ])
      await tab.getByText(text).first().waitFor();
    assert.equal(await tab.locator("tbody tr").count(), 40);
    assert.equal(await tab.getByText(hostile).count(), 1, "what entries say is text");
    assert.notEqual(await tab.title(), "ran");
    await askedNobody(tab, asked);
    await mkdir(screenshots, { recursive: true });
    await tab.screenshot({ path: path.join(screenshots, "verifier-yes.png") });
  });

  test("its policy lets nothing out, whatever runs in it", async () => {
    const tab = await (await browser.newContext()).newPage();
    await tab.goto(pathToFileURL(page).href);
    const blocked = await tab.evaluate(`new Promise((resolve) => {
      const seen = [];
      addEventListener("securitypolicyviolation", ({ effectiveDirective }) => {
        seen.push(effectiveDirective);
        if (seen.length === 3) resolve(seen.sort());
      });
      fetch("http://127.0.0.1:9/").catch(() => {});
      const script = document.createElement("script");
      script.textContent = "document.title = 'ran'";
      document.head.append(script);
      const image = document.createElement("img");
      image.src = "http://127.0.0.1:9/x.png";
      document.body.append(image);
    })`);
    assert.deepEqual(blocked, ["connect-src", "img-src", "script-src-elem"]);
    assert.notEqual(await tab.title(), "ran");
  });

  test("it says no to a bundle with a changed entry, and names it", async () => {
    const good = await log.bundle(10, 50);
    const entries = good.entries.with(20, good.entries[20]?.replace("allowed", "denied") ?? "");
    const bytes = bundleBytes({ ...good, entries });
    const { page: tab, answer, asked } = await verified({ "changed.json": bytes }, log.fingerprint(1));
    assert.equal(answer, "No");
    await tab.getByText("entry 30 was changed: its event_hash isn't that of its content").waitFor();
    assert.equal(await tab.locator("tr.broken th").innerText(), "30");
    await askedNobody(tab, asked);
    await tab.screenshot({ path: path.join(screenshots, "verifier-no.png") });
  });

  test("it refuses another fingerprint, shows no other, and refuses what is cut", async () => {
    const good = bundleBytes(await log.bundle(10, 50));
    const { page: tab, answer } = await verified({ "good.json": good }, "ab".repeat(32));
    assert.equal(answer, "No");
    await tab.getByText("no keys in the bundle have the fingerprint that you gave").waitFor();
    assert.ok(!(await tab.content()).includes(log.fingerprint(1)));
    const cut = await verified({ "cut.json": good.subarray(0, 9000) }, log.fingerprint(1));
    assert.equal(cut.answer, "No");
    await cut.page.getByText("it is cut: its end is missing").waitFor();
  });

  test("it says yes to a receipt with its log key file, and no with a stranger's", async () => {
    const bundle = await log.bundle(47, 48);
    const receipt = receiptBytes({
      entry: Buffer.from(bundle.entries[0] ?? ""),
      index: 47,
      proof: inclusion(log, 47),
      checkpoint: Buffer.from(bundle.checkpoint),
    });
    const key = Buffer.from(formatLogKey(log.generations));
    const good = await verified({ "receipt.tlog-proof": receipt, "log-key.txt": key }, log.fingerprint(3));
    assert.equal(good.answer, "Yes", await good.page.locator("main").innerText());
    await good.page.getByText("This entry stands at place 47").waitFor();
    const strangers = await exportedLog(2);
    const other = Buffer.from(formatLogKey(strangers.generations));
    const bad = await verified({ "receipt.tlog-proof": receipt, "other-key.txt": other }, log.fingerprint(3));
    assert.equal(bad.answer, "No");
  });

  test("a file dropped anywhere is taken", async () => {
    const tab = await (await browser.newContext()).newPage();
    await tab.goto(pathToFileURL(page).href);
    const text = Buffer.from(bundleBytes(await log.bundle(10, 50))).toString();
    const dataTransfer = await tab.evaluateHandle(`(() => {
      const dropped = new DataTransfer();
      dropped.items.add(new File([${JSON.stringify(text)}], "dropped.json"));
      return dropped;
    })()`);
    await tab.dispatchEvent("html", "drop", { dataTransfer });
    await tab.getByText("dropped.json").waitFor();
    await tab.getByLabel(/^Fingerprint/).fill(log.fingerprint(2));
    await tab.getByRole("button", { name: "Verify" }).click();
    await tab.getByRole("heading", { name: "Yes", exact: true }).waitFor();
    await tab.getByLabel(/^Fingerprint/).fill(log.fingerprint(3));
    assert.equal(
      await tab.getByRole("heading", { name: "Yes", exact: true }).count(),
      0,
      "an answer is about what was asked",
    );
  });

  test("it says of every vector what the command says", async () => {
    for (const { file, bytes, fingerprint, seen, verdict } of await readBundleVectors()) {
      if (seen !== undefined) continue; // The page takes no kept head.
      const { page: tab, answer } = await verified({ [file]: bytes }, fingerprint);
      assert.equal(answer, verdict === "intact" ? "Yes" : "No", file);
      const judged = verifyBundle(bytes, { fingerprint });
      const findings = judged.kind === "broken" ? judged.findings.map(({ text }) => text) : [];
      assert.deepEqual(await tab.locator("section.broken li").allInnerTexts(), findings, file);
    }
  });

  test("10,000 entries are verified, and the first of them shown", async () => {
    const large = await exportedLog(10_000);
    const bundle = bundleBytes(await large.bundle(0, 10_000));
    const { page: tab, answer } = await verified({ "large.json": bundle }, large.fingerprint(1));
    assert.equal(answer, "Yes");
    await tab.getByText("300 of the 10000 entries").waitFor();
  });
});

function inclusion(log: ExportedLog, index: number): readonly Uint8Array[] {
  const leaves = log.entries.map((entry) => leafHash(sha256, Buffer.from(entry)));
  return inclusionProof(index, leaves.length, subtreeFromLeaves(sha256, leaves));
}
