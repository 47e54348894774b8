/** The control room in a real browser, against a running gateway with real calls. */
import assert from "node:assert/strict";
import { mkdir, readdir } from "node:fs/promises";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import type { Browser } from "playwright-core";

import { freshToken } from "../../src/app/approvals/approvers.ts";
import {
  desktop,
  loginLink,
  openAsOperator,
  openAt,
  openBrowser,
  phone,
  seriousFindings,
  sideways,
  weigh,
} from "../support/browser.ts";
import { cli } from "../support/cli.ts";
import { installed } from "../support/debian.ts";
import { stubServer } from "../support/gateway.ts";
import { type GatewayProcess, gatewayProcess, loopbackSidecar } from "../support/gateway-process.ts";

const screenshots = fileURLToPath(new URL("../../out/screenshots/", import.meta.url));
const fixture = fileURLToPath(new URL("../fixture/server.ts", import.meta.url));
const missing = installed("chromium", "chromium");

const sources = new URL("../../web/src/pages/", import.meta.url);
/** Each page there is; `login` is another test's. */
const pages = (await readdir(sources)).filter((name) => name !== "login");

/** A secret that calls carry, and no page shows. */
const key = ["ghp", "16C7e42F292c6912E7710c838347Ae178B4a"].join("_");

const looks = [
  { look: "wide", ...desktop },
  { look: "wide-dark", ...desktop, scheme: "dark" },
  { look: "phone", ...phone },
  { look: "phone-light", ...phone, scheme: "light" },
] as const;

describe("the page", { skip: missing ?? false }, () => {
  const undo: (() => unknown)[] = [];
  const t = { after: (step: () => unknown) => void undo.push(step) };
  let browser: Browser;
  let gateway: GatewayProcess;
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
    const sidecar = await loopbackSidecar(t, gateway, "fixture", "browser");
    client = new Client({ name: "browser-test", version: "1" });
    await client.connect(new StreamableHTTPClientTransport(new URL(sidecar.url)));
    await client.listTools();
    await client.callTool({ name: "test_simple_text", arguments: { note: `the token is ${key}` } });
    await client.callTool({ name: "test_error_handling", arguments: {} });
    t.after(() => client.close());
    browser = await openBrowser(t);
    await mkdir(screenshots, { recursive: true });
  });
  after(async () => {
    for (const step of undo.reverse()) await step();
  });

  test("the overview shows the link's crypto, the servers, the calls, and counts the next one by itself", async () => {
    const { page, problems } = await openAsOperator(browser, gateway);
    for (const text of [gateway.address, "X25519MLKEM768", "ML-DSA-65"])
      await page.getByText(text).first().waitFor();
    for (const name of ["fixture", "stub"])
      await page.getByRole("rowheader", { name, exact: true }).waitFor();
    await page.getByRole("rowheader", { name: "fixture/test_simple_text" }).first().waitFor();
    await page.getByText("it names no schema_source").waitFor();
    const figure = page.getByRole("link", { name: /^Calls, 24 hours/ });
    const value = figure.locator(".figure-value");
    const before = Number(await value.innerText());
    assert.ok(before >= 2, String(before));
    await client.callTool({ name: "test_simple_text", arguments: {} });
    await value.getByText(String(before + 1), { exact: true }).waitFor();
    assert.equal(new URL(page.url()).hash, "", "the code doesn't stay in the address");
    assert.deepEqual(problems, [], "nothing is blocked, missing or thrown");
  });

  for (const { look, ...size } of looks) {
    test(`each page on ${look} scrolls down only, and axe finds nothing serious`, async () => {
      const { page, problems } = await openAsOperator(browser, gateway, size);
      for (const name of pages) {
        const place = name === "overview" ? "/" : `/${name}`;
        await page.goto(new URL(place, page.url()).href);
        await page.getByRole("heading", { level: 1 }).waitFor();
        assert.equal(await page.getByText("There is no such page").count(), 0, place);
        await page.waitForLoadState("load");
        await page
          .locator("[role=status] .waiting-row, [aria-busy=true]")
          .first()
          .waitFor({ state: "detached" });
        assert.ok((await sideways(page)) <= 0, `${place} stands out on the right`);
        assert.deepEqual(await seriousFindings(page), [], place);
        await page.screenshot({ path: path.join(screenshots, `${name}-${look}.png`) });
      }
      assert.deepEqual(problems, []);
    });
  }

  test("a stranger sees the login page, is told why, and comes back to where it wanted to go", async () => {
    const link = await loginLink(gateway);
    const { page } = await openAt(browser, new URL("/tools", link).href);
    await page.getByRole("heading", { name: "Log in to Latticegate" }).waitFor();
    assert.equal(new URL(page.url()).search, "?back=%2Ftools");
    assert.equal(await page.getByText(gateway.address).count(), 0);
    assert.deepEqual(await seriousFindings(page), []);
    await page.getByLabel("One-time code").fill("wrong");
    await page.getByRole("button", { name: "Log in", exact: true }).click();
    await page.getByRole("alert").waitFor();
    await page
      .getByLabel("One-time code")
      .fill(new URLSearchParams(new URL(link).hash.slice(1)).get("code") ?? "");
    await page.getByRole("button", { name: "Log in", exact: true }).click();
    await page.getByRole("heading", { name: "Tools", level: 1 }).waitFor();
    await page.getByRole("button", { name: "Log out" }).click();
    await page.getByRole("heading", { name: "Log in to Latticegate" }).waitFor();
    await page.goto(new URL("/tools", link).href);
    await page.getByRole("heading", { name: "Log in to Latticegate" }).waitFor();
  });

  test("a link to a held call shows nothing without a login, decides nothing by being opened, and somebody who may approves it", async () => {
    const call = { name: "test_image_content", arguments: { "for\u200b": "<b>bob</b>" } };
    const held = async (): Promise<string> => JSON.stringify(await client.callTool(call));
    const id = /"request":"([0-9a-f]{16})"/.exec(await held())?.[1] ?? "";
    const { page } = await openAt(browser, new URL(`/approvals/${id}`, await loginLink(gateway)).href);
    await page.getByRole("heading", { name: "Log in to Latticegate" }).waitFor();
    assert.equal(await page.getByText("test_image_content").count(), 0);
    await page.getByText("I approve calls and have a token").click();
    await page.getByLabel("Approval token").fill(alice.token);
    await page.getByRole("button", { name: "Log in with the token" }).click();
    const request = page.getByRole("article", { name: `Request ${id}` });
    for (const text of ["Images are looked at.", "⟨U+200B", "<b>bob</b>"])
      await request.getByText(text).first().waitFor();
    assert.equal(
      await page.getByRole("link", { name: "Overview" }).count(),
      0,
      "whoever approves sees that alone",
    );
    assert.match(await held(), /"state":"waiting"/, "opening it decided nothing");
    await page.screenshot({ path: path.join(screenshots, "approval.png") });
    await request.getByRole("button", { name: "Approve" }).click();
    const dialog = page.getByRole("dialog", { name: "Approve it?" });
    await dialog.getByLabel("Why").fill("It is Bob's own.");
    await dialog.getByRole("button", { name: "Approve" }).click();
    await request.getByText("It is Bob's own.").waitFor();
    assert.match(await held(), /"type":"image"/);
    assert.match(await held(), /"state":"waiting"/, "one approval lets one call through");
  });

  test("a quarantine shows up by itself, and is lifted with a reason", async () => {
    const { page, problems } = await openAsOperator(browser, gateway);
    const force = page.getByRole("region", { name: "In force" });
    await force.getByText("Nothing is restricted").waitFor();
    await run("respond", "quarantine", "--caller", "agent/other", "--because", "It isn't itself.");
    await force.getByText("Quarantine: agent/other").waitFor();
    await force.getByRole("button", { name: "Lift" }).click();
    const dialog = page.getByRole("dialog", { name: "Lift this restriction?" });
    await dialog.getByRole("button", { name: "Lift" }).click();
    await dialog.getByText("Say why: the log keeps it.").waitFor();
    await dialog.getByLabel("Why it is lifted").fill("It is.");
    await dialog.getByRole("button", { name: "Lift" }).click();
    await force.getByText("Nothing is restricted").waitFor();
    assert.match(await run("response", "list"), /nothing is in force/);
    assert.deepEqual(problems, []);
  });

  test("what was found is an incident that the menu counts, told as a story without the secret", async () => {
    const { page, problems } = await openAsOperator(browser, gateway);
    await page.getByRole("link", { name: "Incidents 1 open" }).click();
    await page
      .getByText("agent/browser sent a key, token or password (fixture/test_simple_text)")
      .first()
      .click();
    await page
      .getByText(/latticegate incidents close \S+ --because/)
      .or(page.getByRole("button", { name: /Close/ }))
      .first()
      .waitFor();
    assert.equal(await page.getByText(key).count(), 0);
    await page.screenshot({ path: path.join(screenshots, "incident.png") });
    assert.deepEqual(problems, []);
  });

  test("a first visit loads less than 150 kB", async () => {
    const link = await loginLink(gateway);
    const { page } = await openAt(browser, "about:blank");
    const weight = weigh(page);
    await page.goto(link);
    await page.getByRole("rowheader", { name: "fixture", exact: true }).waitFor();
    const bytes = await weight();
    assert.ok(bytes > 10_000 && bytes < 150_000, `${bytes} bytes`);
  });

  test("the keyboard leads to the content, to each page, and says how", async () => {
    const { page } = await openAsOperator(browser, gateway);
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    assert.equal(await page.evaluate("document.activeElement.id"), "main");
    await page.keyboard.press("g");
    await page.keyboard.press("i");
    await page.getByRole("heading", { name: "Incidents", level: 1 }).waitFor();
    assert.equal(await page.evaluate("document.activeElement.textContent"), "Incidents");
    assert.equal(await page.title(), "Incidents · Latticegate");
    await page.keyboard.press("?");
    await page.getByRole("dialog", { name: "Keys" }).waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await page.goBack();
    await page.getByRole("heading", { name: "Overview", level: 1 }).waitFor();
  });

  test("all that is stopped nobody overlooks, on whatever page", async () => {
    const { page } = await openAsOperator(browser, gateway);
    await page.goto(new URL("/crypto", page.url()).href);
    await killing("on", "Smoke.");
    await page.getByRole("alert").getByText("Smoke.").waitFor();
    await page.getByRole("status", { name: "Gateway" }).getByText("STOPPED").waitFor();
    await killing("off", "Only toast.");
    await page.getByRole("status", { name: "Gateway" }).getByText("live").waitFor();
  });

  test("when the gateway is gone, the page says so", async () => {
    const { page } = await openAsOperator(browser, gateway);
    await gateway.stop();
    await page.getByRole("status", { name: "Gateway" }).getByText("gateway unreachable").waitFor();
  });

  async function killing(what: "on" | "off", because: string): Promise<void> {
    await run("kill", what, "--because", because);
  }

  async function run(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await cli([...args, "--config", gateway.configFile]);
    assert.equal(code, 0, stderr);
    return stdout;
  }
});
