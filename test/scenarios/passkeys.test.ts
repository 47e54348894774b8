/** Passkeys of people in the control room: what is registered, what logs in, and what is refused with which reason. */
import assert from "node:assert/strict";
import { after, test } from "node:test";

import { fetch } from "undici";

import { freshToken } from "../../src/app/approvals/approvers.ts";
import { type Entry, readEntry } from "../../src/audit/entry.ts";
import { statePaths } from "../../src/app/state-folder.ts";
import { openLogReader } from "../../src/host/store/log-reader.ts";
import { type Answered, asked, type Browser, controlOf, loggedIn } from "../support/control.ts";
import {
  openPolicy,
  stubServer,
  temporaryFolder,
  type TestGateway,
  testGateway,
  type TestGatewayOptions,
} from "../support/gateway.ts";
import { type Otherwise, type PasskeyDevice, passkeyDevice } from "../support/passkey-device.ts";

const stub = await stubServer({ after });
const olgaToken = freshToken();
const people = "vera: { roles: [viewer] }, olga: { roles: [operator] }";

function yaml(named: string): string {
  return `servers: { stub: { url: "${stub.url}" } }
approvals: { people: { olga: { token_hash: "${olgaToken.hash}" } } }
control: { people: { ${named} } }
${openPolicy}`;
}

async function gatewayOf(
  t: { readonly after: (undo: () => unknown) => void },
  named = people,
  options: TestGatewayOptions = {},
): Promise<TestGateway> {
  return await testGateway(t, yaml(named), { dashboard: "127.0.0.1:0", ...options });
}

/** Registers a passkey of that browser's person. */
async function register(
  browser: Browser,
  device: PasskeyDevice,
  { name = "Laptop", ...otherwise }: Otherwise & { readonly name?: string } = {},
): Promise<Answered> {
  const started = await browser.ask("POST /passkeys/start", {});
  if (started.status !== 200) return started;
  return await browser.ask("POST /passkeys", {
    name,
    answer: device.create(started.body["options"], otherwise),
  });
}

interface Enter {
  readonly start: () => Promise<unknown>;
  readonly finish: (answer: unknown, agent?: string) => Promise<Answered>;
  readonly enter: (device: PasskeyDevice, otherwise?: Otherwise) => Promise<Answered>;
}

/** A browser in which nobody is logged in. */
function stranger(gateway: TestGateway): Enter {
  const { ask, origin } = controlOf(gateway);
  const start = async (): Promise<unknown> => {
    const { status, body } = await ask("POST /session/passkey/start", {}, null);
    assert.equal(status, 200, JSON.stringify(body));
    return body["options"];
  };
  const finish = async (answer: unknown, agent?: string): Promise<Answered> => {
    if (agent === undefined) return await ask("POST /session/passkey", answer, null);
    const response = await fetch(`${origin}/api/v1/session/passkey`, {
      method: "POST",
      headers: { "content-type": "application/json", "user-agent": agent },
      body: JSON.stringify(answer),
    });
    const body = (await response.json()) as Answered["body"];
    return { status: response.status, headers: response.headers, body };
  };
  return {
    start,
    finish,
    enter: async (device, otherwise) => await finish(device.get(await start(), otherwise)),
  };
}

async function entriesOf({ config, audit }: TestGateway, event: string): Promise<readonly Entry[]> {
  await audit.journal.checkpoint();
  const found: Entry[] = [];
  for await (const { bytes } of openLogReader(statePaths(config.state).log).forwards()) {
    const reading = readEntry(bytes);
    if (reading.kind === "entry" && reading.entry.event === event) found.push(reading.entry);
  }
  return found;
}

test("a person registers a passkey, logs in with it as what the config says, sees it and removes it, all of it on record", async (t) => {
  const gateway = await gatewayOf(t);
  const { ask, origin } = controlOf(gateway);
  const device = passkeyDevice(origin, { isSynced: true });
  const { enter } = stranger(gateway);
  assert.equal((await ask("GET /login-methods", undefined, null)).body["passkeys"], false);

  const olga = await loggedIn(gateway, "olga");
  const made = await register(olga, device, { name: "Phone" });
  assert.equal(made.status, 200, JSON.stringify(made.body));
  assert.equal((await ask("GET /login-methods", undefined, null)).body["passkeys"], true);
  const entered = await enter(device);
  assert.deepEqual(
    [entered.status, entered.body["name"], entered.body["roles"]],
    [200, "person:olga", ["operator"]],
    JSON.stringify(entered.body),
  );
  assert.match(entered.headers.get("set-cookie") ?? "", /^latticegate-session=[\w-]{43}; Path=\/; HttpOnly/);

  const { body } = await olga.ask("GET /passkeys");
  const [passkey] = body["passkeys"] as readonly Readonly<Record<string, unknown>>[];
  const { id, name, host, algorithm, isSynced, usedUnixMs } = passkey ?? {};
  assert.deepEqual([name, host, algorithm, isSynced], ["Phone", "localhost", "ES256", true]);
  assert.equal(typeof usedUnixMs, "number");
  const vera = await loggedIn(gateway, "vera");
  assert.deepEqual((await vera.ask("GET /passkeys")).body["passkeys"], [], "hers alone");
  assert.equal((await vera.ask(`DELETE /passkeys/${String(id)}`, {})).status, 409);
  assert.equal((await olga.ask(`DELETE /passkeys/${String(id)}`, {})).status, 200);
  const again = await enter(device);
  assert.deepEqual([again.status, again.body["code"]], [403, "denied"]);
  assert.match(String(again.body["detail"]), /Nobody here has it/);

  const short = String(id).slice(0, 16);
  const logins = (await entriesOf(gateway, "control.login")).filter(
    ({ facts }) => facts["login"] === "passkey",
  );
  assert.deepEqual(
    logins.map(({ outcome, facts: { by, passkey, why } }) => [outcome, by, passkey, why]),
    [
      ["allowed", "person:olga", short, undefined],
      ["denied", "nobody", undefined, "unknown"],
    ],
  );
  const actions = (await entriesOf(gateway, "control.action"))
    .map(({ outcome, facts: { by, route, about } }) => [outcome, by, route, about])
    .filter(
      ([, , route]) => /^(POST|DELETE) \/passkeys/.test(String(route)) && route !== "POST /passkeys/start",
    );
  assert.deepEqual(actions, [
    ["allowed", "person:olga", "POST /passkeys", short],
    ["denied", "person:vera", "DELETE /passkeys/{id}", undefined],
    ["allowed", "person:olga", "DELETE /passkeys/{id}", short],
  ]);
});

test("the operator of the machine logs in with a passkey, post-quantum where its device can make one", async (t) => {
  const gateway = await gatewayOf(t);
  const { origin } = controlOf(gateway);
  const device = passkeyDevice(origin, { algorithm: "-49" });
  const operator = await loggedIn(gateway);
  const made = await register(operator, device);
  assert.deepEqual([made.status, made.body["algorithm"]], [200, "ML-DSA-65"], JSON.stringify(made.body));
  const entered = await stranger(gateway).enter(device);
  assert.deepEqual([entered.body["name"], entered.body["roles"]], ["operator:local", ["admin"]]);
});

const wrongLogins: readonly (readonly [what: string, Otherwise, why: string, text: RegExp])[] = [
  ["from another site's page", { origin: "http://localhost:1" }, "origin", /another page/],
  ["from the same page over https", { origin: "https://localhost" }, "origin", /another page/],
  ["for another host", { host: "evil.example" }, "host", /another host/],
  ["without a look at who it is", { isUnverified: true }, "unverified", /PIN, finger or face/],
  ["from within another site's frame", { isInFrame: true }, "cross_origin", /another site's page/],
  ["whose counter stands still", { counter: 2 }, "counter", /counts backwards/],
  ["whose counter went back", { counter: 1 }, "counter", /counts backwards/],
  ["as somebody else's", { handle: Buffer.alloc(32).toString("base64url") }, "unknown", /Nobody here/],
  ["of a challenge that nobody asked", { challenge: "AAAA" }, "challenge", /begin again/],
];

test("a passkey that is used wrongly lets nobody in, and the reason is told and recorded", async (t) => {
  const clock = movable();
  const gateway = await gatewayOf(t, people, { clock });
  const device = passkeyDevice(controlOf(gateway).origin);
  const { enter } = stranger(gateway);
  await register(await loggedIn(gateway, "olga"), device);
  assert.equal((await enter(device)).status, 200, "counter 2");
  for (const [what, otherwise, , text] of wrongLogins) {
    clock.advance(minuteMs);
    const refused = await enter(device, otherwise);
    assert.deepEqual([refused.status, refused.body["code"]], [403, "denied"], what);
    assert.match(String(refused.body["detail"]), text, what);
  }
  clock.advance(minuteMs);
  assert.equal((await enter(device)).status, 200, "none of it was taken");
  const refused = (await entriesOf(gateway, "control.login")).filter(({ outcome }) => outcome === "denied");
  assert.deepEqual(
    refused.map(({ facts }) => facts["why"]),
    wrongLogins.map(([, , why]) => why),
  );
  assert.equal(refused.find(({ facts }) => facts["why"] === "counter")?.facts["whose"], "person:olga");
});

test("an answer counts once, within five minutes, and in the browser that was asked", async (t) => {
  const clock = movable();
  const gateway = await gatewayOf(t, people, { clock });
  const device = passkeyDevice(controlOf(gateway).origin);
  const { start, finish } = stranger(gateway);
  const olga = await loggedIn(gateway, "olga");
  await register(olga, device);
  const once = device.get(await start());
  assert.equal((await finish(once)).status, 200);
  assert.match(String((await finish(once)).body["detail"]), /begin again/, "a second time");
  const elsewhere = device.get(await start());
  assert.match(String((await finish(elsewhere, "another browser")).body["detail"]), /begin again/);
  assert.match(String((await finish(elsewhere)).body["detail"]), /begin again/, "it was used up by that");
  clock.advance(minuteMs);
  const late = device.get(await start());
  clock.advance(5 * minuteMs);
  assert.match(String((await finish(late)).body["detail"]), /begin again/, "too late");
  const { body } = await olga.ask("POST /passkeys/start", {});
  const asLogin = device.get({ ...(body["options"] as object), rpId: "localhost" });
  assert.match(
    String((await finish(asLogin)).body["detail"]),
    /begin again/,
    "what was asked for another end",
  );
});

test("the tries of an address are counted, as those of the other ways in", async (t) => {
  const { ask } = controlOf(await gatewayOf(t));
  const statuses: number[] = [];
  for (let i = 0; i < 12; i++) statuses.push((await ask("POST /session/passkey/start", {}, null)).status);
  assert.deepEqual([statuses[0], statuses.at(-1)], [200, 429]);
});

const wrongRegistrations: readonly (readonly [what: string, Otherwise, RegExp])[] = [
  ["in another site's page", { origin: "https://evil.example" }, /another page/],
  ["for another host", { host: "evil.example" }, /another host/],
  ["by who wasn't looked at", { isUnverified: true }, /PIN, finger or face/],
  ["in another site's frame", { isInFrame: true }, /another site's page/],
  ["with a challenge that nobody asked", { challenge: "AAAA" }, /begin again/],
  [
    "with an attestation of a kind that nobody knows",
    { attestation: ["made-up", new Map()] },
    /certificates/,
  ],
];

test("a passkey that is made wrongly isn't kept, and no certificate that it brings is looked into", async (t) => {
  const clock = movable();
  const gateway = await gatewayOf(t, people, { clock });
  const device = passkeyDevice(controlOf(gateway).origin);
  const olga = await loggedIn(gateway, "olga");
  const brought = new Map([["x5c", [Buffer.from("not even one")]]]);
  const attested: typeof wrongRegistrations = ["packed", "fido-u2f", "android-key", "apple", "tpm"].map(
    (format) => [`with a ${format} attestation`, { attestation: [format, brought] }, /certificates/],
  );
  for (const [what, otherwise, text] of [...wrongRegistrations, ...attested]) {
    clock.advance(minuteMs);
    const refused = await register(olga, device, otherwise);
    assert.deepEqual([refused.status, refused.body["code"]], [403, "denied"], what);
    assert.match(String(refused.body["detail"]), text, what);
  }
  assert.deepEqual((await olga.ask("GET /passkeys")).body["passkeys"], []);
  clock.advance(minuteMs);
  const odd = {
    name: "x",
    answer: { ...device.create((await begun(olga)).body["options"]), id: "not/base64url" },
  };
  assert.equal((await olga.ask("POST /passkeys", odd)).status, 400);
});

test("only who has just logged in by a good way adds a passkey, for itself, at the page's own name, and not without end", async (t) => {
  const clock = movable();
  const gateway = await gatewayOf(t, people, { clock });
  const { ask, origin } = controlOf(gateway);
  const device = passkeyDevice(origin);
  // Her token decides calls, and nothing else that the config gives her.
  const session = await ask("POST /session/token", { token: olgaToken.token }, null);
  const own = {
    cookie: (session.headers.get("set-cookie") ?? "").split(";")[0] ?? "",
    "x-latticegate-csrf": String(session.body["csrf"]),
  };
  for (const byToken of [
    await ask("POST /passkeys/start", {}, olgaToken.token),
    await asked(origin, "POST /passkeys/start", { body: {}, headers: own }),
  ]) {
    assert.deepEqual([byToken.status, byToken.body["code"]], [403, "denied"]);
    assert.match(String(byToken.body["detail"]), /by a link/);
  }
  assert.equal(
    (await ask("POST /passkeys/start", {})).status,
    403,
    "by the socket, whose session nobody has",
  );

  const olga = await loggedIn(gateway, "olga");
  const vera = await loggedIn(gateway, "vera");
  const hers = device.create((await begun(olga)).body["options"]);
  const taken = await vera.ask("POST /passkeys", { name: "Mine", answer: hers });
  assert.match(String(taken.body["detail"]), /begin again/, "what olga was asked for, handed in by vera");
  const byAddress = await fetch(`${origin.replace("localhost", "127.0.0.1")}/api/v1/session/passkey/start`, {
    method: "POST",
  });
  assert.equal(byAddress.status, 409);
  assert.match(await byAddress.text(), /Passkeys are for pages with a name; open http:\/\/localhost:\d+/);

  for (let n = 1; n <= 17; n++) {
    clock.advance(minuteMs / 2);
    const made = await register(olga, device, { name: `Key ${n}` });
    assert.equal(made.status, n <= 16 ? 200 : 409, `${n}: ${JSON.stringify(made.body)}`);
  }
  assert.equal((await vera.ask("GET /session")).status, 200, "not idle");
  clock.advance(15 * minuteMs - 17 * (minuteMs / 2));
  const old = await begun(vera);
  assert.equal(old.status, 403);
  assert.match(String(old.body["detail"]), /Log in again/);
});

test("who is taken out of the config stays out with its passkey, and who has less roles there has less at once", async (t) => {
  const folder = await temporaryFolder(t);
  const first = await gatewayOf(t, people, { folder });
  const { origin } = controlOf(first);
  const device = passkeyDevice(origin);
  await register(await loggedIn(first, "olga"), device);
  await first.stop();

  const port = new URL(origin).port;
  const options = { folder, dashboard: `127.0.0.1:${port}` };
  const less = await gatewayOf(t, "olga: { roles: [viewer] }", options);
  assert.deepEqual((await stranger(less).enter(device)).body["roles"], ["viewer"]);
  await less.stop();

  const without = await gatewayOf(t, "vera: { roles: [viewer] }", options);
  const refused = await stranger(without).enter(device);
  assert.equal(refused.status, 403);
  assert.match(String(refused.body["detail"]), /doesn't name you \(any more\)/);
  const { ask } = controlOf(without);
  const { people: told } = (await ask("GET /people")).body as unknown as { people: readonly Told[] };
  const olga = told.find(({ name }) => name === "person:olga");
  assert.deepEqual([olga?.ways.passkeys, olga?.roles], [1, ["approver"]], "what her token still gives her");
  assert.equal((await ask("DELETE /people/person%3Aolga/passkeys", {})).status, 200);
  assert.match(String((await stranger(without).enter(device)).body["detail"]), /Nobody here has it/);
  const removed = (await entriesOf(without, "control.action")).findLast(
    ({ facts }) => facts["about"] !== undefined,
  );
  assert.deepEqual([removed?.facts["by"], removed?.facts["about"]], ["operator:local", "person:olga"]);
});

interface Told {
  readonly name: string;
  readonly roles: readonly string[];
  readonly isNamed: boolean;
  readonly ways: {
    readonly link: boolean;
    readonly oidc: boolean;
    readonly token: boolean;
    readonly passkeys: number;
  };
  readonly lastLogin: { readonly way: string; readonly atUnixMs: number } | null;
  readonly sessions: number;
}

test("everybody sees and ends its own sessions; admins all, and who may come in by which ways", async (t) => {
  const gateway = await gatewayOf(t);
  const { ask, origin } = controlOf(gateway);
  const device = passkeyDevice(origin);
  const [olga, other, vera] = [
    await loggedIn(gateway, "olga"),
    await loggedIn(gateway, "olga"),
    await loggedIn(gateway, "vera"),
  ];
  const seenBy = async (browser: Browser): Promise<readonly Seen[]> =>
    (await browser.ask("GET /sessions")).body["sessions"] as readonly Seen[];
  const own = await seenBy(olga);
  assert.deepEqual(
    own.map(({ name, isThis }) => [name, isThis]),
    [
      ["person:olga", false],
      ["person:olga", true],
    ],
  );
  assert.equal((await vera.ask(`DELETE /sessions/${own[0]?.id}`, {})).status, 409, "another's");
  assert.equal((await other.ask("GET /session")).status, 200);
  assert.equal((await olga.ask(`DELETE /sessions/${own[0]?.id}`, {})).status, 200);
  assert.equal((await other.ask("GET /session")).status, 401);
  const all = (await ask("GET /sessions")).body["sessions"] as readonly Seen[];
  assert.deepEqual(
    all.map(({ name }) => name),
    ["person:vera", "person:olga"],
  );

  await register(olga, device);
  const entered = await stranger(gateway).enter(device);
  const cookie = (entered.headers.get("set-cookie") ?? "").split(";")[0] ?? "";
  const still = async (): Promise<number> =>
    (await fetch(`${origin}/api/v1/session`, { headers: { cookie } })).status;
  assert.equal(await still(), 200);
  const told = (await ask("GET /people")).body["people"] as readonly Told[];
  assert.deepEqual(
    told.map(({ name, roles, ways, sessions, lastLogin }) => [name, roles, ways, sessions, lastLogin?.way]),
    [
      ["operator:local", ["admin"], { link: true, oidc: false, token: false, passkeys: 0 }, 0, undefined],
      ["person:vera", ["viewer"], { link: true, oidc: false, token: false, passkeys: 0 }, 1, "link"],
      ["person:olga", ["operator"], { link: true, oidc: false, token: true, passkeys: 1 }, 2, "passkey"],
    ],
  );
  assert.equal((await olga.ask("GET /people")).status, 403);
  const { passkeys } = (await olga.ask("GET /passkeys")).body as { passkeys: readonly { id: string }[] };
  assert.equal((await olga.ask(`DELETE /passkeys/${passkeys[0]?.id}`, {})).status, 200);
  assert.equal(await still(), 401, "the session that it began");
  assert.equal((await olga.ask("GET /session")).status, 200, "not the one in which it was removed");
});

interface Seen {
  readonly id: string;
  readonly name: string;
  readonly isThis: boolean;
}

const minuteMs = 60_000;

function movable() {
  let aheadMs = 0;
  return {
    nowUnixMs: () => Date.now() + aheadMs,
    advance: (ms: number): void => void (aheadMs += ms),
  };
}

function begun(browser: Browser): Promise<Answered> {
  return browser.ask("POST /passkeys/start", {});
}
