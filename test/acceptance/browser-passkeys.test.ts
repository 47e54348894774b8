/** Passkeys and sessions in a real browser, with an authenticator of its own (CDP's virtual one). */
import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import type { Browser, Page } from "playwright-core";

import {
  desktop,
  loginLink,
  openAsOperator,
  openAt,
  openBrowser,
  phone,
  seriousFindings,
  sideways,
} from "../support/browser.ts";
import { installed } from "../support/debian.ts";
import { stubServer } from "../support/gateway.ts";
import { type GatewayProcess, gatewayProcess } from "../support/gateway-process.ts";

const screenshots = fileURLToPath(new URL("../../out/screenshots/", import.meta.url));
const missing = installed("chromium", "chromium");

describe("passkeys", { skip: missing ?? false }, () => {
  const undo: (() => unknown)[] = [];
  const t = { after: (step: () => unknown) => void undo.push(step) };
  let browser: Browser;
  let gateway: GatewayProcess;

  before(async () => {
    const stub = await stubServer(t);
    gateway = await gatewayProcess(
      t,
      `servers: { stub: { url: "${stub.url}" } }\ncontrol: { people: { vera: { roles: [viewer] } } }`,
    );
    browser = await openBrowser(t);
    await mkdir(screenshots, { recursive: true });
  });
  after(async () => {
    for (const step of undo.reverse()) await step();
  });

  test("the operator adds a passkey, logs in with it, and removes it; what the browser refuses is said in words", async () => {
    const { page, problems } = await openAsOperator(browser, gateway);
    const device = await authenticator(page);
    await page.goto(new URL("/account", page.url()).href);
    const passkeys = page.getByRole("region", { name: "Passkeys" });
    await passkeys.getByText("You have none yet").waitFor();
    await add(page, "Test device");
    const row = passkeys.getByRole("row", { name: /Test device/ });
    await row.getByText("on its device alone").waitFor();
    await row.getByText("never").waitFor();
    assert.deepEqual(await seriousFindings(page), []);
    await page.screenshot({ path: path.join(screenshots, "account-passkey.png"), fullPage: true });
    await page.setViewportSize({ width: phone.width, height: phone.height });
    assert.ok((await sideways(page)) <= 0);
    assert.deepEqual(await seriousFindings(page), []);
    await page.screenshot({ path: path.join(screenshots, "account-passkey-phone.png"), fullPage: true });
    await page.setViewportSize({ width: desktop.width, height: desktop.height });
    await add(page, "The same again");
    await passkeys.getByRole("alert").getByText("This device has a passkey of yours already.").waitFor();

    await page.getByRole("button", { name: "Log out" }).click();
    const enter = page.getByRole("button", { name: "Log in with a passkey" });
    await enter.waitFor();
    assert.deepEqual(await seriousFindings(page), []);
    await device.verify(false);
    await enter.click();
    await page
      .getByRole("alert")
      .getByText(/No passkey was used/)
      .waitFor();
    await device.verify(true);
    await enter.click();
    await page.getByRole("status", { name: "Gateway" }).getByText("live").waitFor();
    await page.goto(new URL("/account", page.url()).href);
    await page.getByText("Logged in by").locator("..").getByText("passkey").waitFor();
    await row.getByText("just now").last().waitFor();
    await page
      .getByRole("row", { name: /operator:local/ })
      .getByText("admin")
      .waitFor();

    await row.getByRole("button", { name: "Remove" }).click();
    const dialog = page.getByRole("dialog", { name: "Remove this passkey?" });
    await dialog.getByRole("button", { name: "Remove" }).click();
    await passkeys.getByText("You have none yet").waitFor();
    await page.getByRole("button", { name: "Log out" }).click();
    await page.getByLabel("One-time code").waitFor();
    assert.equal(await enter.count(), 0, "nobody has one any more");
    assert.deepEqual(problems, []);
  });

  test("a session is ended from another browser; who isn't admin sees its own alone, on a phone too", async () => {
    const { page } = await openAsOperator(browser, gateway);
    await page.goto(new URL("/account", page.url()).href);
    const { page: other } = await openAt(browser, await loginLink(gateway, "vera"), phone);
    await other.getByRole("status", { name: "Gateway" }).getByText("live").waitFor();
    await other.goto(new URL("/account", other.url()).href);
    const own = other.getByRole("region", { name: "Your sessions" });
    await own.getByText("this one").waitFor();
    assert.equal(await own.getByRole("row").count(), 2, "the heading, and hers");
    assert.equal(await other.getByRole("region", { name: "People" }).count(), 0);
    assert.ok((await sideways(other)) <= 0);
    assert.deepEqual(await seriousFindings(other), []);
    const all = page.getByRole("region", { name: "Open sessions" });
    const end = all.getByRole("button", { name: "End the session of person:vera" });
    await end.click();
    await end.waitFor({ state: "detached" });
    await other.reload();
    await other.getByRole("heading", { name: "Log in to Latticegate" }).waitFor();
  });

  test("a page that was opened by address offers none, and says why", async () => {
    const link = (await loginLink(gateway)).replace("localhost", "127.0.0.1");
    const { page } = await openAt(browser, link);
    await page.getByRole("status", { name: "Gateway" }).getByText("live").waitFor();
    await page.goto(new URL("/account", page.url()).href);
    await page.getByText("they need a page with a name, not an address").waitFor();
    assert.equal(await page.getByRole("button", { name: "Add a passkey" }).count(), 0);
  });
});

async function add(page: Page, name: string): Promise<void> {
  await page.getByLabel("Name of a new passkey").fill(name);
  await page.getByRole("button", { name: "Add a passkey" }).click();
}

/** A device within the page's machine that is always at hand. */
async function authenticator(
  page: Page,
): Promise<{ readonly verify: (isVerified: boolean) => Promise<void> }> {
  const session = await page.context().newCDPSession(page);
  await session.send("WebAuthn.enable");
  const { authenticatorId } = await session.send("WebAuthn.addVirtualAuthenticator", {
    options: {
      protocol: "ctap2",
      transport: "internal",
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  });
  return {
    verify: async (isUserVerified) => {
      await session.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified });
    },
  };
}
