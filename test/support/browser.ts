/** The control room in a real browser: Debian's Chromium, driven from outside. */
import { gzipSync } from "node:zlib";

import axe from "axe-core";
import { type Browser, chromium, type Page } from "playwright-core";

import { atEnd, type Cleanup } from "./cleanup.ts";
import { cli } from "./cli.ts";
import type { GatewayProcess } from "./gateway-process.ts";

/** Without a sandbox, since tests run as root; without services of its own, since there is no network. */
const flags = [
  "--no-sandbox",
  "--disable-quic",
  "--disable-background-networking",
  "--disable-component-update",
];

export async function openBrowser(t: Cleanup): Promise<Browser> {
  const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: flags });
  atEnd(t, () => browser.close());
  return browser;
}

export interface Look {
  readonly width: number;
  readonly height: number;
  readonly scheme: "light" | "dark";
}

export const desktop: Look = { width: 1280, height: 860, scheme: "light" };
export const phone: Look = { width: 360, height: 780, scheme: "dark" };

export interface Opened {
  readonly page: Page;
  /** What was blocked, missing or thrown. */
  readonly problems: readonly string[];
}

/** A browser of its own at an address, nobody logged in. */
export async function openAt(browser: Browser, address: string, look: Look = desktop): Promise<Opened> {
  const { width, height, scheme } = look;
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: scheme,
    locale: "en-GB",
  });
  const page = await context.newPage();
  const problems: string[] = [];
  page.on("pageerror", (error) => problems.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error") problems.push(message.text());
  });
  await page.goto(address);
  return { page, problems };
}

/** A browser of its own, the operator logged in by a link that works once. */
export async function openAsOperator(
  browser: Browser,
  gateway: GatewayProcess,
  look: Look = desktop,
): Promise<Opened> {
  const opened = await openAt(browser, await loginLink(gateway), look);
  await opened.page.getByRole("status", { name: "Gateway" }).getByText("live").waitFor();
  return opened;
}

/** A link that logs somebody in, once. @param person of `control.people`; by default the operator */
export async function loginLink(gateway: GatewayProcess, person?: string): Promise<string> {
  const whom = person === undefined ? [] : ["--person", person];
  const { stdout, stderr } = await cli(["login", ...whom, "--config", gateway.configFile]);
  const link = /http:\/\/\S+#code=\S+/.exec(stdout)?.[0];
  if (link === undefined) throw new Error(`no link: ${stdout}${stderr}`);
  return link;
}

/** @returns what axe finds serious or critical, each as one line */
export async function seriousFindings(page: Page): Promise<readonly string[]> {
  await page.evaluate(axe.source);
  // What a phone's menu covers until it is scrolled to isn't too small.
  const size = page.viewportSize();
  if (size !== null) await page.setViewportSize({ ...size, height: await wholeHeight(page) });
  const found = await page.evaluate<readonly AxeFinding[]>(
    `axe.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] }).then(({ violations }) => violations)`,
  );
  if (size !== null) await page.setViewportSize(size);
  return found
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(" | ")}`);
}

async function wholeHeight(page: Page): Promise<number> {
  return Number(await page.evaluate("document.documentElement.scrollHeight"));
}

interface AxeFinding {
  readonly id: string;
  readonly impact: string;
  readonly nodes: readonly { readonly html: string }[];
}

/** How far the page stands out on the right, px. */
export async function sideways(page: Page): Promise<number> {
  return Number(await page.evaluate("document.documentElement.scrollWidth - window.innerWidth"));
}

/** What the browser loads before a page stands: each file's bytes as gzip has them. */
export function weigh(page: Page): () => Promise<number> {
  const files: Promise<number>[] = [];
  page.on("response", (response) => {
    if (new URL(response.url()).pathname.startsWith("/api/")) return;
    files.push(
      response.body().then(
        (body) => gzipSync(body).byteLength,
        () => 0,
      ),
    );
  });
  return async () => (await Promise.all(files)).reduce((sum, bytes) => sum + bytes, 0);
}
