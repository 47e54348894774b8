/** The page in a real browser: Debian's Chromium, driven from outside. */
import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { type Browser, chromium, type Page } from "playwright-core";

import { freshToken } from "../../src/app/approvals/approvers.ts";
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
  let client: Client;
  const alice = freshToken();

  before(async () => {
    const stub = await stubServer(t);
    const command = JSON.stringify([process.execPath, fixture, "--stdio"]);
    gateway = await gatewayProcess(
      t,
      `servers:
  fixture: { command: ${command} }
  stub: { url: "${stub.url}" }
detect: { calls: true }
approvals: { people: { alice: { token_hash: "${alice.hash}" } } }
connection: { name: api, protocol: mcp-pqc, security_level: quantum_hardened }`,
      `  - { name: images-wait, callers: ["*"], tools: ["fixture/test_image_content"], effect: hold, because: Images are looked at., approval: { from: ["person:alice"] } }\n`,
    );
    const status = await cli(["status", "--config", gateway.configFile]);
    link = /http:\/\/\S+#token=\S+/.exec(status.stdout)?.[0] ?? "";
    assert.notEqual(link, "", status.stdout + status.stderr);
    const sidecar = await loopbackSidecar(t, gateway, "fixture", "browser");
    client = new Client({ name: "browser-test", version: "1" });
    await client.connect(new StreamableHTTPClientTransport(new URL(sidecar.url)));
    await client.callTool({ name: "test_simple_text", arguments: {} });
    await client.callTool({ name: "test_error_handling", arguments: {} });
    t.after(() => client.close());
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
    await page.getByText("it names no schema_source").waitFor();
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

  test("a link to a held call shows nothing without a login, decides nothing by being opened, and somebody who may approves it", async () => {
    const call = { name: "test_image_content", arguments: { "for\u200b": "bob" } };
    const held = async (): Promise<string> => JSON.stringify(await client.callTool(call));
    const id = /"request":"([0-9a-f]{16})"/.exec(await held())?.[1] ?? "";
    const place = `${new URL(link).origin}/#approval=${id}`;
    const { page, problems } = await open(browser, place);
    await page.getByRole("heading", { name: "This link has expired" }).waitFor();
    assert.equal(await page.getByText("test_image_content").count(), 0);
    await page.getByLabel("Token").fill(alice.token);
    await page.getByRole("button", { name: "Log in" }).click();
    const request = page.getByRole("article", { name: `Request ${id}` });
    for (const text of ["Images are looked at.", "waiting, 0 of 1 approvals", "⟨U+200B", '"bob"'])
      await request.getByText(text).first().waitFor();
    assert.equal(await page.getByText(gateway.address).count(), 0, "a person sees requests and nothing else");
    assert.match(await held(), /"state":"waiting"/, "opening it decided nothing");
    await page.screenshot({ path: path.join(screenshots, "approval.png"), fullPage: true });
    await page.getByLabel("Reason").fill("It is Bob's own.");
    await page.getByRole("button", { name: "Approve" }).click();
    await request.getByText("approved, 1 of 1 approvals").waitFor();
    assert.match(await held(), /"type":"image"/);
    assert.match(await held(), /"state":"waiting"/, "one approval lets one call through");
    assert.deepEqual(
      problems.filter((problem) => !/status of 40[13]/.test(problem)),
      [],
    );
  });

  test("the operator, who may not approve this one, is told so", async () => {
    const { page } = await open(browser, link);
    await page.getByRole("link", { name: "tools/call fixture/test_image_content" }).first().click();
    await page.getByRole("button", { name: "Approve" }).click();
    await page.getByRole("alert").waitFor();
    await page.screenshot({ path: path.join(screenshots, "approvals.png"), fullPage: true });
  });

  test("what was found is an incident that is read in ten seconds, with what to do next", async () => {
    const key = ["ghp", "16C7e42F292c6912E7710c838347Ae178B4a"].join("_");
    await client.callTool({ name: "test_simple_text", arguments: { note: `the token is ${key}` } });
    const { page, problems } = await open(browser, link);
    const story = page.getByRole("article", { name: /^Incident/ });
    await story.getByText("agent/browser sent a key, token or password (fixture/test_simple_text)").waitFor();
    await story.getByText("1 finding since").waitFor();
    await story.getByText("What next, and").click();
    await story.getByText(/^latticegate incidents close \S+ --because/).waitFor();
    assert.equal(await page.getByText(key).count(), 0);
    assert.deepEqual(problems, []);
    await mkdir(screenshots, { recursive: true });
    await story.screenshot({ path: path.join(screenshots, "incident.png") });
  });

  test("what is in force is shown to the operator, who lifts it there with a reason; that all calls are stopped nobody overlooks", async () => {
    const run = async (...args: readonly string[]): Promise<string> => {
      const { code, stdout, stderr } = await cli([...args, "--config", gateway.configFile]);
      assert.equal(code, 0, stderr);
      return stdout;
    };
    await run("respond", "quarantine", "--caller", "agent/other", "--because", "It isn't itself.");
    const { page, problems } = await open(browser, link);
    const section = page.getByRole("region", { name: "In force" });
    await section.getByText("quarantine: caller spiffe://latticegate.local/agent/other").waitFor();
    await section.getByRole("button", { name: "Lift" }).click();
    await page.getByText("Say why it is lifted.").waitFor();
    await section.getByLabel("Why it is lifted").fill("It is.");
    await page.screenshot({ path: path.join(screenshots, "in-force.png"), fullPage: true });
    await section.getByRole("button", { name: "Lift" }).click();
    await section.getByText("Nothing is restricted.").waitFor();
    assert.match(await run("response", "list"), /nothing is in force/);
    await run("kill", "on", "--because", "Smoke.");
    await page.getByRole("alert").getByText("Smoke.").waitFor();
    await page.getByRole("status").getByText("STOPPED").waitFor();
    await page.screenshot({ path: path.join(screenshots, "stopped.png"), fullPage: true });
    await run("kill", "off", "--because", "Only toast.");
    await page.getByRole("status").getByText("serving").waitFor();
    assert.deepEqual(problems, []);
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
