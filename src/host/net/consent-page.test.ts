/** The page on loopback against everybody who isn't the person in front of it. */
import assert from "node:assert/strict";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";

import { type ConsentPage, consentPage } from "./consent-page.ts";

const facts = {
  server: `<script>"'&`,
  caller: "spiffe://a.test/agent/x",
  issuer: "https://as.test",
  client: "Latticegate (a.test)",
  clientId: "client-1",
  scope: "tools:read",
  resource: "https://s.test/mcp",
  redirectUri: "http://127.0.0.1:1/callback",
  authorizeUrl: "https://as.test/auth?state=st&x=1",
  state: "st",
};

interface Answered {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly text: string;
}

interface Opened extends ConsentPage {
  readonly ask: (path: string, options?: Asked) => Promise<Answered>;
}

interface Asked {
  readonly headers?: http.OutgoingHttpHeaders;
  readonly form?: Readonly<Record<string, string>>;
}

async function opened(t: TestContext): Promise<Opened> {
  const page = consentPage();
  await new Promise<void>((resolve) => void page.server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    page.server.closeAllConnections();
    page.server.close();
  });
  const { port } = page.server.address() as AddressInfo;
  page.show(facts);
  const ask = (path: string, { headers = {}, form }: Asked = {}): Promise<Answered> =>
    new Promise((resolve, reject) => {
      const method = form === undefined ? "GET" : "POST";
      const request = http.request({ port, host: "127.0.0.1", path, method, headers }, (answer) => {
        let text = "";
        answer.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
        answer.on("end", () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text }));
      });
      request.on("error", reject).end(form && new URLSearchParams(form).toString());
    });
  return { ...page, ask };
}

async function questioned(page: Opened): Promise<{ readonly cookie: string; readonly token: string }> {
  const { headers, text, status } = await page.ask(page.path);
  assert.equal(status, 200);
  const [cookie = ""] = (headers["set-cookie"]?.[0] ?? "").split(";");
  return { cookie, token: /name="token" value="([^"]+)"/.exec(text)?.[1] ?? "" };
}

test("the page says who is asked for what, shows it as text, and can't be framed", async (t) => {
  const page = await opened(t);
  const { text, headers } = await page.ask(page.path);
  for (const part of [
    facts.caller,
    facts.issuer,
    facts.clientId,
    facts.scope,
    facts.resource,
    facts.redirectUri,
  ])
    assert.ok(text.includes(part), part);
  assert.ok(!text.includes("<script"));
  assert.match(String(headers["content-security-policy"]), /default-src 'none'.*frame-ancestors 'none'/);
  assert.equal(headers["cache-control"], "no-store");
});

test("a page of another site can't open, answer or finish it", async (t) => {
  const page = await opened(t);
  const { cookie, token } = await questioned(page);
  const form = { token, answer: "yes" };
  const tries: readonly (readonly [string, Asked])[] = [
    ["another host's name", { headers: { host: "evil.test", cookie }, form }],
    ["another origin", { headers: { origin: "https://evil.test", cookie }, form }],
    ["no cookie", { form }],
    ["another cookie", { headers: { cookie: `${cookie}x` }, form }],
    ["another form token", { headers: { cookie }, form: { token: "x", answer: "yes" } }],
    ["no form token", { headers: { cookie }, form: { answer: "yes" } }],
  ];
  for (const [what, asked] of tries) assert.equal((await page.ask(page.path, asked)).status, 403, what);
  assert.equal((await page.ask("/consent/guessed", { headers: { cookie }, form })).status, 403);
  assert.equal(
    (await page.ask("/callback?state=st&code=c", { headers: { cookie } })).status,
    403,
    "not consented",
  );
  assert.equal((await page.ask(page.path, { headers: { cookie }, form })).status, 200);
});

test("it is answered once, and comes back once, with its own state", async (t) => {
  const page = await opened(t);
  const { cookie, token } = await questioned(page);
  const headers = { cookie };
  const onward = await page.ask(page.path, { headers, form: { token, answer: "yes" } });
  assert.match(onward.text, /url=https:\/\/as\.test\/auth\?state=st&amp;x=1/);
  assert.equal((await page.ask(page.path, { headers, form: { token, answer: "yes" } })).status, 403);
  assert.equal((await page.ask("/callback?state=other&code=c", { headers })).status, 403);
  assert.equal((await page.ask("/callback?code=c", { headers })).status, 403);
  page.conclude("Done.");
  assert.match((await page.ask("/callback?state=st&code=c", { headers })).text, /Done\./);
  assert.equal(await page.answered, "state=st&code=c");
  assert.equal((await page.ask("/callback?state=st&code=c2", { headers })).status, 403);
});
