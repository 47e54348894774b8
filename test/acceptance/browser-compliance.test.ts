/** Compliance in a real browser: the tests run from there, the evidence opened, the report taken away and checked. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { checkReport } from "../../src/app/compliance/signed-report.ts";
import { openAsOperator, openBrowser, phone, seriousFindings, sideways } from "../support/browser.ts";
import { installed } from "../support/debian.ts";
import { stubServer } from "../support/gateway.ts";
import { gatewayProcess } from "../support/gateway-process.ts";

const missing = installed("chromium", "chromium");

test(
  "compliance: tests run from the page, each verdict shows its entries, and the report that is taken away is signed",
  {
    skip: missing ?? false,
  },
  async (t) => {
    const stub = await stubServer(t);
    const gateway = await gatewayProcess(t, `servers: { stub: { url: "${stub.url}" } }`, "");
    const browser = await openBrowser(t);
    const { page, problems } = await openAsOperator(browser, gateway);
    await page.goto(new URL("/compliance/soc2", page.url()).href);
    const control = page.locator("details").filter({ hasText: "CC6.2" });
    await control.getByText("no evidence").waitFor();

    await page.getByRole("button", { name: "Run tests" }).click();
    await page.getByText(/tests were run for this report/).waitFor();
    await page.getByRole("tab", { name: /Tests/ }).click();
    const row = page.getByRole("row").filter({ hasText: "join-token-twice" });
    await row.getByText("passed").waitFor();
    assert.match((await row.getByRole("link").getAttribute("href")) ?? "", /^\/audit\/\d+$/);

    await page.getByRole("tab", { name: /CoSAI/ }).click();
    const dimension = page.getByRole("listitem").filter({ hasText: "Authorization and delegation" });
    await dimension.locator("summary").click();
    await page.getByRole("button", { name: "AD-passthrough.L2" }).click();
    await page.getByText("A caller's token is never sent to a server.").waitFor();

    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("link", { name: "Report" }).click(),
    ]);
    const checked = checkReport(await readFile(await download.path()));
    assert.ok(checked.kind === "signed");
    const joins = checked.report.tests.find((each) => each.test === "join-token-twice");
    assert.equal(joins?.result?.result, "passed");
    assert.deepEqual(problems, []);

    const small = await openAsOperator(browser, gateway, phone);
    await small.page.goto(new URL("/compliance/cosai", page.url()).href);
    await small.page.locator("details summary").filter({ hasText: "TN-origin.L2" }).click();
    await small.page.getByText("changes are safe from forged requests").waitFor();
    assert.ok((await sideways(small.page)) <= 0);
    assert.deepEqual(await seriousFindings(small.page), []);
  },
);
