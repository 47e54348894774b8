/**
 * The loopback side of `latticegate grant` (RFC 8252 §7.3): a page that says who is asked for what, and the address to
 * which the authorization server sends the person back. It serves one consent, once, to the browser that began it.
 */
import { randomBytes } from "node:crypto";
import http from "node:http";

import { Refusal } from "../../kernel/refusal.ts";
import { readBody } from "./body.ts";
import { checkLoopbackRequest, isSameSecret } from "./loopback.ts";

/** What the page says. */
interface ConsentFacts {
  readonly server: string;
  readonly caller: string;
  readonly issuer: string;
  readonly client: string;
  readonly clientId: string;
  readonly scope: string;
  readonly resource: string;
  readonly redirectUri: string;
  readonly authorizeUrl: string;
  /** What the authorization server has to send back. */
  readonly state: string;
}

export interface ConsentPage {
  readonly server: http.Server;
  /** Path of the page; unguessable. */
  readonly path: string;
  /** The page has something to show from then on. */
  readonly show: (facts: ConsentFacts) => void;
  /** Query with which the person came back. Rejects with Refusal `denied` if the person says no. */
  readonly answered: Promise<string>;
  /** What the person is told at the end, in the window that waits for it. */
  readonly conclude: (text: string) => void;
}

const maxFormBytes = 1024;
/** How long the window waits to be told how it ended. */
const concludeMs = 60_000;

export function consentPage(): ConsentPage {
  const asking = new Asking();
  const server = http.createServer({ requestTimeout: 15_000, headersTimeout: 10_000 });
  server.on("request", (request, response) => {
    asking.serve(request, response).catch((error: unknown) => {
      const text = error instanceof Refusal ? error.message : "This failed.";
      response.shouldKeepAlive = false;
      write(response, 403, sentence(text));
    });
  });
  return {
    server,
    path: asking.path,
    show: (facts) => (asking.facts = facts),
    answered: asking.answered.promise,
    conclude: asking.concluded.resolve,
  };
}

/** One question, from the page that asks it to the answer that comes back. */
class Asking {
  readonly path = `/consent/${secret()}`;
  readonly answered = Promise.withResolvers<string>();
  readonly concluded = Promise.withResolvers<string>();
  facts: ConsentFacts | undefined;
  readonly #formToken = secret();
  /** Of its own: browsers keep cookies by host, and another command may be asking on another port. */
  readonly #cookie = `consent-${secret().slice(0, 8)}=${secret()}`;
  #step: "asking" | "consented" | "answered" = "asking";

  constructor() {
    this.answered.promise.catch(() => undefined); // Whoever waits for it hears of it.
  }

  async serve(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    checkLoopbackRequest(request);
    const { facts } = this;
    const url = new URL(request.url ?? "/", "http://127.0.0.1");
    const isPage = isSameSecret(url.pathname, this.path);
    if (facts === undefined || (!isPage && url.pathname !== "/callback")) throw nothingHere();
    if (!isPage) await this.#comeBack(request, response, { url, facts });
    else if (this.#step !== "asking") throw new Refusal("denied", "This was answered already.");
    else if (request.method === "GET") this.#ask(response, facts);
    else await this.#take(request, response, facts);
  }

  #ask(response: http.ServerResponse, facts: ConsentFacts): void {
    const cookie = `${this.#cookie}; HttpOnly; SameSite=Lax; Path=/`;
    write(response, 200, question(facts, this.path, this.#formToken), { "set-cookie": cookie });
  }

  async #take(
    request: http.IncomingMessage,
    response: http.ServerResponse,
    facts: ConsentFacts,
  ): Promise<void> {
    const form = new URLSearchParams(Buffer.from(await readBody(request, maxFormBytes)).toString());
    checkBrowser(request, this.#cookie);
    if (request.method !== "POST" || !isSameSecret(form.get("token") ?? undefined, this.#formToken)) {
      throw new Refusal("denied", "Open the address that the command printed.");
    }
    // Once, though the body took its time to come.
    if (this.#step !== "asking") throw new Refusal("denied", "This was answered already.");
    if (form.get("answer") === "yes") {
      this.#step = "consented";
      write(response, 200, onward(facts.authorizeUrl));
    } else {
      this.#step = "answered";
      this.answered.reject(new Refusal("denied", "You said no; nothing was granted."));
      write(response, 200, sentence("Nothing was granted. You can close this window."));
    }
  }

  async #comeBack(
    request: http.IncomingMessage,
    response: http.ServerResponse,
    { url, facts }: { readonly url: URL; readonly facts: ConsentFacts },
  ): Promise<void> {
    if (request.method !== "GET" || this.#step !== "consented") throw nothingHere();
    checkBrowser(request, this.#cookie);
    if (!isSameSecret(url.searchParams.get("state") ?? undefined, facts.state)) {
      throw new Refusal("denied", "This is the answer to another question.");
    }
    this.#step = "answered";
    this.answered.resolve(url.search.slice(1));
    const late = setTimeout(() => this.concluded.resolve("No answer came from the gateway."), concludeMs);
    response.shouldKeepAlive = false;
    write(response, 200, sentence(`${await this.concluded.promise} You can close this window.`));
    clearTimeout(late);
  }
}

function nothingHere(): Refusal {
  return new Refusal("denied", "There is nothing here.");
}

/** The browser that was shown the question is the one that answers: nobody else's answer is slipped in. */
function checkBrowser(request: http.IncomingMessage, cookie: string): void {
  const shown = (request.headers.cookie ?? "").split("; ");
  if (shown.some((each) => isSameSecret(each, cookie))) return;
  throw new Refusal(
    "denied",
    "Another browser began this; open the address that the command printed in this one.",
  );
}

function write(
  response: http.ServerResponse,
  status: number,
  html: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  if (response.headersSent) return;
  response.writeHead(status, {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy":
      "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
    ...headers,
  });
  response.end(html);
}

function question(facts: ConsentFacts, path: string, token: string): string {
  const rows = [
    ["Server", facts.server],
    ["Its address", facts.resource],
    ["Who will use it", facts.caller],
    ["You sign in at", facts.issuer],
    ["It may", facts.scope === "" ? "what the authorization server gives by itself" : facts.scope],
    ["Known there as", `${facts.client}, ${facts.clientId}`],
    ["You come back to", facts.redirectUri],
  ].map(([name = "", value = ""]) => `<tr><th>${escaped(name)}</th><td>${escaped(value)}</td></tr>`);
  return document(
    `<h1>May this client use ${escaped(facts.server)} for you?</h1><table>${rows.join("")}</table>
<p>Say yes only if you have just asked for this yourself, with <code>latticegate grant ${escaped(facts.server)}</code>.</p>
<form method="post" action="${path}"><input type="hidden" name="token" value="${token}">
<button name="answer" value="yes">Yes, sign in</button> <button name="answer" value="no">No</button></form>`,
  );
}

/** A page of its own rather than a redirect: browsers hold redirects of a form against its `form-action`. */
function onward(authorizeUrl: string): string {
  const url = escaped(authorizeUrl);
  return document(
    `<p><a href="${url}">To the authorization server</a></p>`,
    `<meta http-equiv="refresh" content="0;url=${url}">`,
  );
}

function sentence(text: string): string {
  return document(`<p>${escaped(text)}</p>`);
}

function document(body: string, head = ""): string {
  const style =
    "body{font:16px/1.5 system-ui;max-width:44rem;margin:3rem auto;padding:0 1rem}th{text-align:left;vertical-align:top;padding-right:2rem}td{overflow-wrap:anywhere}button{font:inherit;padding:.4rem 1rem}";
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Latticegate</title>${head}<style>${style}</style></head><body>${body}</body></html>`;
}

function escaped(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&#39;");
}

function secret(): string {
  return randomBytes(24).toString("base64url");
}
