/** The page in a real browser: Debian's Chromium, driven from outside. */
import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { type Browser, chromium, type Page } from "playwright-core";

import { cli } from "../support/cli.ts";
import { installed } from "../support/debian.ts";
import { stubServer } from "../support/gateway.ts";
import { type GatewayProcess, gatewayProcess, loopbackSidecar } from "../support/gateway-process.ts";

const screenshots = fileURLToPath(new URL("../../out/screenshots/", import.meta.url));
/** Without a sandbox, since tests run as root; without services of its own, since there is no network. */
const flags = [
  "--no-sandbox",
  "--disable-quic",
  "--disable-background-networking",
  "--disable-component-update",
];
const fixture = fileURLToPath(new URL("../fixture/server.ts", import.meta.url));

const missing = installed("chromium", "chromium");

describe("the page", { skip: missing ?? false }, () => {
  const undo: (() => unknown)[] = [];
  const t = { after: (step: () => unknown) => void undo.push(step) };
  let browser: Browser;
  let gateway: GatewayProcess;
  let link: string;

  before(async () => {
    const stub = await stubServer(t);
    const command = JSON.stringify([process.execPath, fixture, "--stdio"]);
    gateway = await gatewayProcess(
      t,
      `servers:
  fixture: { command: ${command} }
  stub: { url: "${stub.url}" }
threat_detection: { alert_on_latency_spike: true }`,
    );
    const status = await cli(["status", "--config", gateway.configFile]);
    link = /http:\/\/\S+#token=\S+/.exec(status.stdout)?.[0] ?? "";
    assert.notEqual(link, "", status.stdout + status.stderr);
    const sidecar = await loopbackSidecar(t, gateway, "fixture", "browser");
    const client = new Client({ name: "browser-test", version: "1" });
    await client.connect(new StreamableHTTPClientTransport(new URL(sidecar.url)));
    await client.callTool({ name: "test_simple_text", arguments: {} });
    await client.callTool({ name: "test_error_handling", arguments: {} });
    await client.close();
    browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: flags });
    t.after(() => browser.close());
  });
  after(async () => {
    for (const step of undo.reverse()) await step();
  });

  test("it shows the link's crypto, the servers, and the calls just made", async () => {
    const { page, problems } = await open(browser, link);
    await page.getByRole("status").getByText("serving").waitFor();
    for (const text of [gateway.address, "X25519MLKEM768", "ML-DSA-65"])
      await page.getByText(text).first().waitFor();
    for (const name of ["fixture", "stub"])
      await page.getByRole("rowheader", { name, exact: true }).waitFor();
    await page.getByRole("rowheader", { name: "fixture/test_simple_text" }).waitFor();
    await page.getByText("not yet carried out").waitFor();
    assert.equal(new URL(page.url()).hash, "", "the token doesn't stay in the address");
    assert.deepEqual(problems, [], "nothing is blocked, missing or thrown");
    await mkdir(screenshots, { recursive: true });
    await page.screenshot({ path: path.join(screenshots, "page.png"), fullPage: true });
  });

  test("on a narrow screen it scrolls down only, its tables within themselves", async () => {
    const { page } = await open(browser, link, { width: 390, height: 844 });
    await page.getByRole("rowheader", { name: "fixture/test_simple_text" }).waitFor();
    const overflow = await page.evaluate("document.documentElement.scrollWidth - window.innerWidth");
    assert.ok(Number(overflow) <= 0, "nothing stands out on the right");
    await page.screenshot({ path: path.join(screenshots, "page-narrow.png"), fullPage: true });
  });

  test("with another token it says that the link has expired, and shows nothing", async () => {
    const { page } = await open(browser, link.replace(/token=.*/, "token=wrong"));
    await page.getByRole("heading", { name: "This link has expired" }).waitFor();
    assert.equal(await page.getByText(gateway.address).count(), 0);
  });

  test("when the gateway is gone, it says so", async () => {
    const { page } = await open(browser, link);
    await page.getByRole("status").getByText("serving").waitFor();
    await gateway.stop();
    await page.getByRole("status").getByText("gateway unreachable").waitFor({ timeout: 15_000 });
  });
});

async function open(
  browser: Browser,
  url: string,
  viewport = { width: 1280, height: 800 },
): Promise<{ readonly page: Page; readonly problems: readonly string[] }> {
  const context = await browser.newContext({ viewport });
  const page = await context.newPage();
  const problems: string[] = [];
  page.on("pageerror", (error) => problems.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error") problems.push(message.text());
  });
  await page.goto(url);
  return { page, problems };
}
