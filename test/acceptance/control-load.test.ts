/**
 * A thousand calls a second through a gateway, and the control room open: the page answers a person all the while. Tasks
 * of its main thread are taken from Chromium's trace, in CPU time, so that who else uses this machine isn't in them.
 */
import assert from "node:assert/strict";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import type { Browser, Page } from "playwright-core";

import { beginLoad, type Load } from "../../bench/begin-load.ts";
import { fillTraffic } from "../../bench/filled-traffic.ts";
import type { Measured } from "../../bench/load.ts";
import { statePaths } from "../../src/app/state-folder.ts";
import { openAsOperator, openBrowser } from "../support/browser.ts";
import { type MainTask, tracedTasks } from "../support/browser-trace.ts";
import type { Cleanup } from "../support/cleanup.ts";
import { startProcess } from "../support/cli.ts";
import { installed } from "../support/debian.ts";
import { freePort } from "../support/free-port.ts";
import { type GatewayProcess, gatewayProcess, joined } from "../support/gateway-process.ts";

const missing = installed("chromium", "chromium");
const stub = fileURLToPath(new URL("../../bench/stub.ts", import.meta.url));

const perSecond = 1000;
/** Longer than the page waits between two questions about traffic. */
const watchedSeconds = 20;
/** What people notice. */
const longTaskMs = 100;
/** So many calls fill each batch of the stream: of more, the page is told numbers alone. */
const fillsBatches = 250;
const weekMs = 7 * 86_400_000;

const rules = `  - { name: never, callers: ["*"], tools: ["stub/forbidden"], effect: deny, because: Never. }
`;

describe("the control room while a thousand calls a second pass", { skip: missing ?? false }, () => {
  const undo: (() => unknown)[] = [];
  const t = { after: (step: () => unknown) => void undo.push(step) };
  let load: Load;
  let browser: Browser;
  let page: Page;

  before(async () => {
    const port = await freePort();
    await startProcess(t, [process.execPath, stub, String(port)], /^ready$/);
    const gateway = await gatewayProcess(
      t,
      `servers: { stub: { url: "http://127.0.0.1:${port}/mcp" } }`,
      rules,
    );
    const now = Date.now();
    fillTraffic(statePaths(path.join(gateway.folder, "state")).traffic, now, now - weekMs);
    load = await loadOn(t, gateway);
    browser = await openBrowser(t);
    ({ page } = await openAsOperator(browser, gateway));
  });
  after(async () => {
    for (const step of undo.reverse()) await step();
  });

  const goes = async (name: string): Promise<void> => {
    await page.getByRole("navigation").getByRole("link", { name, exact: true }).first().click();
    await page.getByRole("heading", { level: 1, name }).waitFor();
  };

  const days: readonly (readonly [name: string, work: () => Promise<void>])[] = [
    [
      "Live",
      async () => {
        await goes("Live");
        const filter = page.getByRole("textbox", { name: "Filter" });
        await filter.pressSequentially("stock", { delay: 100 });
        await filter.fill("");
        await page.getByLabel("Verdict").selectOption("denied");
        await page.getByRole("button", { name: "Pause" }).click();
        await page.getByRole("link", { name: "stub/forbidden" }).first().click();
        await page
          .getByRole("article", { name: /^Call / })
          .getByText("never")
          .first()
          .waitFor();
      },
    ],
    [
      "Overview",
      async () => {
        await goes("Overview");
        for (const span of ["1 h", "7 d", "24 h"]) {
          await page.getByRole("button", { name: span, exact: true }).click();
          await page.waitForTimeout(1000);
        }
      },
    ],
    [
      "Map",
      async () => {
        await goes("Map");
        await page.getByRole("list", { name: "Callers" }).getByRole("button").first().click();
        await page.waitForTimeout(1000);
        await page.getByRole("list", { name: "Servers" }).getByRole("button").first().click();
      },
    ],
  ];

  for (const [name, work] of days) {
    test(`${name} answers within ${longTaskMs} ms`, async (each) => {
      const { tasks, measured } = await watched(work);
      each.diagnostic(inWords(tasks, measured));
      console.log(`${name}: ${inWords(tasks, measured)}`);
      assert.ok(tasks.length > 100, "the trace shows the page");
      assert.ok(carried(measured) >= fillsBatches, "what passes fills the stream");
      assert.deepEqual(
        tasks.filter(({ cpuMs }) => cpuMs >= longTaskMs),
        [],
      );
    });
  }

  /** @param work of a person; what is left of the time the page is looked at */
  const watched = async (
    work: () => Promise<void>,
  ): Promise<{ readonly tasks: readonly MainTask[]; readonly measured: Measured }> => {
    let measured: Measured | undefined;
    const tasks = await tracedTasks(browser, page, async () => {
      const sent = load.order({ kind: "cheap", perSecond, seconds: watchedSeconds });
      await work();
      measured = await sent;
    });
    if (measured === undefined) throw new Error("nothing was sent");
    return { tasks, measured };
  };
});

async function loadOn(t: Cleanup, gateway: GatewayProcess): Promise<Load> {
  const { identity, credentials } = await joined(gateway, "load");
  const target = {
    url: `https://${gateway.address}/mcp/stub`,
    // What is refused costs the gateway less: more of them pass on a small machine.
    tools: ["stock", "forbidden", "forbidden", "forbidden"],
    mayBeRefused: true,
    tls: {
      ca: identity.server_roots.join(""),
      group: "X25519MLKEM768",
      certificate: credentials.certificate,
      key: credentials.privateKey,
      peer: identity.gateway,
    },
  };
  const load = await beginLoad(t, { target, folder: gateway.folder });
  // Its code is warm, and its session open.
  await load.order({ kind: "paced", perSecond: 200, seconds: 3 });
  return load;
}

function carried({ count, seconds }: Measured): number {
  return count / seconds;
}

function inWords(tasks: readonly MainTask[], measured: Measured): string {
  const long = tasks.slice(0, 3).map(({ cpuMs, wallMs, did }) => {
    const what = did === "" ? "" : ` (${did})`;
    return `${cpuMs.toFixed(0)} ms of CPU in ${wallMs.toFixed(0)} ms${what}`;
  });
  return `${carried(measured).toFixed(0)} calls a second; of ${tasks.length} tasks the longest took ${long.join(", ")}`;
}
