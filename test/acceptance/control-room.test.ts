/**
 * A day's work in the control room, in Chromium, with agents calling all the while: numbers that move, a call's receipt
 * verified in the browser, a tool quarantined and let go, a manifest rolled back, a rule drafted, a report handed out;
 * names that would run as script.
 */
import assert from "node:assert/strict";
import { mkdir, readFile } from "node:fs/promises";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import type { Browser, Page } from "playwright-core";

import { desktop, openAt, openBrowser, type Opened, phone } from "../support/browser.ts";
import { controlScene, type ControlScene } from "../support/control-scene.ts";
import { eventually } from "../support/gateway.ts";
import { installed } from "../support/debian.ts";

const pictures = fileURLToPath(new URL("../../out/screenshots/", import.meta.url));
const missing = installed("chromium", "chromium");

describe("the control room at work", { skip: missing ?? false }, () => {
  const undo: (() => unknown)[] = [];
  const t = { after: (step: () => unknown) => void undo.push(step) };
  let scene: ControlScene;
  let browser: Browser;

  before(async () => {
    scene = await controlScene(t);
    browser = await openBrowser(t);
    t.after(scene.traffic(5));
    await mkdir(pictures, { recursive: true });
  });
  after(async () => {
    for (const step of undo.reverse()) await step();
  });

  const open = async (at: string, look = desktop, person?: string): Promise<Opened> => {
    const link = await scene.link(person);
    const opened = await openAt(browser, link, look);
    await opened.page.getByRole("status", { name: "Gateway" }).getByText("live").waitFor();
    await opened.page.goto(new URL(at, link).href);
    return opened;
  };
  const picture = async (page: Page, name: string): Promise<void> =>
    void (await page.screenshot({ path: path.join(pictures, `${name}.png`) }));

  test("calls show up as they pass; one is opened, and its receipt verified by the browser itself", async () => {
    const { page, problems } = await open("/live");
    const first = page.getByRole("link", { name: "office/send_mail" }).first();
    await first.waitFor();
    const count = page.getByText(/since this page was opened/);
    const counted = async (): Promise<number> => Number.parseInt(await count.innerText(), 10);
    const before = await counted();
    await eventually("it moves", async () => (await counted()) > before);
    await page.getByRole("button", { name: "Pause" }).click();
    await page.getByRole("button", { name: /^Go on \(\d+ new\)/ }).waitFor();
    await picture(page, "live");
    await page.getByLabel("Verdict").selectOption("denied");
    await page.getByRole("link", { name: "office/send_mail" }).first().click();
    await page
      .getByRole("article", { name: /^Call / })
      .getByText("no-mail-out")
      .first()
      .waitFor();
    await page.getByRole("heading", { name: "Its way through the gateway" }).waitFor();
    await page.getByRole("button", { name: "Verify here" }).click();
    await page.getByText("It holds: the log has this entry, as it is shown.").waitFor();
    await page.getByText(/signed with Ed25519, ML-DSA-65/).waitFor();
    await picture(page, "call");
    assert.deepEqual(problems, []);
  });

  test("a receipt with one byte changed is red", async () => {
    const { page } = await open("/live");
    await page.route("**/receipt?*", async (route) => {
      const response = await route.fetch();
      const body = (await response.json()) as { receipt: string };
      const changed = body.receipt.replace(/(\n[A-Za-z0-9+/]{20})[A-Za-z0-9+/]/, "$1A");
      assert.notEqual(changed, body.receipt);
      await route.fulfill({ response, json: { ...body, receipt: changed } });
    });
    await page.getByRole("link", { name: "bank/balance" }).first().click();
    await page.getByRole("button", { name: "Verify here" }).click();
    await page.getByText("It doesn't hold").waitFor();
    assert.equal(await page.getByText("It holds:").count(), 0);
  });

  test("a tool is quarantined and let go again by clicks, and calls follow", async () => {
    const said = (): Promise<string> => scene.call("invoices", "bank/pay", { to: "x", amount: "1" });
    await scene.run(
      "respond",
      "quarantine",
      "--server",
      "bank",
      "--tool",
      "pay",
      "--because",
      "Its text changed.",
    );
    const { page } = await open("/incidents");
    const force = page.getByRole("region", { name: "In force" });
    const ours = force.getByRole("listitem").filter({ hasText: "Its text changed." });
    await ours.waitFor();
    await eventually("it is refused", async () => (await said()).includes("Its text changed"));
    await picture(page, "incidents");
    await ours.getByRole("button", { name: "Lift" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByRole("textbox").fill("It was looked at.");
    await dialog.getByRole("button", { name: "Lift" }).click();
    await ours.waitFor({ state: "detached" });
    await eventually("it passes", async () => (await said()).includes("paid 1 to x"));
  });

  test("a held call is approved by whom the rule names, who sees nothing to act on elsewhere", async () => {
    await scene.call("invoices", "bank/slip", { to: "DE02120300000000202051", amount: "5" });
    const { page } = await open("/approvals", phone, "anna");
    await page
      .getByRole("link", { name: /bank\/slip/ })
      .first()
      .click();
    await page.getByText("Somebody looks at each payment slip.").first().waitFor();
    await picture(page, "approval-phone");
    await page.getByRole("button", { name: "Approve" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByRole("textbox").fill("It is the rent.");
    await dialog.getByRole("button", { name: "Approve" }).click();
    await page.getByText("It is the rent.").waitFor();
    assert.match(
      await scene.call("invoices", "bank/slip", { to: "DE02120300000000202051", amount: "5" }),
      /paid 5 to DE02120300000000202051/,
    );
  });

  test("a viewer is shown everything and no button that changes anything", async () => {
    const { page } = await open("/incidents", desktop, "vera");
    await page.getByRole("heading", { name: "Incidents", level: 1 }).waitFor();
    for (const name of [/^Lift/, /^Close/, /^Quarantine/, /^Stop/])
      assert.equal(await page.getByRole("button", { name }).count(), 0, String(name));
  });

  test("what others call themselves is text, on every page", async () => {
    const { page, problems } = await open("/tools/odd?tool=lookup");
    await page
      .getByText(/<img src=x onerror=/)
      .first()
      .waitFor();
    for (const at of ["/", "/map", "/live", "/tools", "/audit", "/incidents"]) {
      await page.goto(new URL(at, page.url()).href);
      await page.getByRole("heading", { level: 1 }).waitFor();
      assert.equal(await page.locator("img[src=x]").count(), 0, at);
      assert.notEqual(await page.title(), "1", at);
    }
    assert.deepEqual(problems, []);
  });

  test("the log is searched, an entry proven, all of it verified, and a report handed out that holds", async () => {
    const { page, problems } = await open("/audit");
    await page.getByLabel("Tool", { exact: true }).fill("office/send_mail");
    await page.getByRole("button", { name: "Search" }).click();
    await page.getByRole("cell", { name: "office/send_mail" }).first().waitFor();
    await picture(page, "audit");
    await page.getByRole("rowheader").getByRole("link").first().click();
    await page.getByRole("button", { name: "Verify here" }).click();
    await page.getByText("It holds: the log has this entry, as it is shown.").waitFor();
    await page.goto(new URL("/audit?tab=verify", page.url()).href);
    await page.getByRole("button", { name: "Verify" }).click();
    await page.getByText("Intact").waitFor();
    await page.goto(new URL("/compliance", page.url()).href);
    await page.getByRole("heading", { name: "Compliance", level: 1 }).waitFor();
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("link", { name: /JSON/ }).first().click(),
    ]);
    const file = await download.path();
    const checked = await scene.run("assess", "verify", file).catch((error: unknown) => String(error));
    assert.match(checked, /signed/i, (await readFile(file, "utf8")).slice(0, 200));
    assert.deepEqual(problems, []);
  });

  test("a rule is drafted: a mistake is refused in its place, a draft without one leaves as a patch", async () => {
    const { page, problems } = await open("/policy?tab=draft");
    const editor = page.getByRole("textbox", { name: "Rules, as YAML" });
    await page.getByText(/Nothing is wrong with|^0 errors/).waitFor();
    const written = await editor.inputValue();
    const rule = (effect: string): string =>
      `${written.trimEnd()}\n  - { name: no-payments, callers: ["*"], tools: ["bank/pay"], effect: ${effect}, because: Not today. }\n`;
    await editor.fill(rule("alow"));
    const patch = page.getByRole("button", { name: "Export the patch" });
    await page.getByText(/^[1-9]\d* errors?, /).waitFor();
    await page
      .getByRole("button", { name: /^Line \d+:\d+/ })
      .first()
      .waitFor();
    assert.equal(await patch.isDisabled(), true);
    await picture(page, "draft");
    await editor.fill(rule("deny"));
    await page.getByText(/Nothing is wrong with|^0 errors/).waitFor();
    const [download] = await Promise.all([page.waitForEvent("download"), patch.click()]);
    assert.match(await readFile(await download.path(), "utf8"), /^\+ {2}- .*no-payments/m);
    assert.match(
      await scene.call("invoices", "bank/pay", { to: "x", amount: "1" }),
      /paid 1/,
      "nothing is published",
    );
    assert.deepEqual(problems, []);
  });
});
