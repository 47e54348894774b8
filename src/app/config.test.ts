/** The config file: strict, with every complaint at its place. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { mission } from "../../test/support/mission.ts";
import { Refusal } from "../kernel/refusal.ts";
import { type Config, loadConfig, parseConfig } from "./config.ts";

const parse = (yaml: string): Config => parseConfig(yaml, "/etc/latticegate/latticegate.yaml");
const allow = 'policies: [{ name: a, callers: ["*"], tools: ["*"], effect: allow, because: x }]';

test("an empty file is a config: loopback, hybrid, nothing behind it, nobody let in", () => {
  const config = parse("");
  assert.equal(config.listen, "127.0.0.1:8443");
  assert.equal(config.state, "/etc/latticegate/.latticegate");
  assert.deepEqual([config.servers, config.policies, config.notYet], [{}, [], []]);
});

test("units are read once, into numbers", () => {
  const { limits } = parse("limits: { request: 1MiB, answer_timeout: 90s }");
  assert.deepEqual([limits.request, limits.answer_timeout], [1_048_576, 90_000]);
});

test("versions are written without quotes, and claims as they stand in _meta", () => {
  const server = 'servers: { x: { command: [a], minimum_protocol: "2024-11-05" }, y: { command: [a] } }';
  const keys = ["com.acme/agent", "agent_id", "x-1.test/a.b-c"];
  const text = `protocol: { minimum: 2025-06-18 }\ncaller_claims: [${keys.join(", ")}]\n${server}`;
  const { protocol, caller_claims, servers } = parse(text);
  assert.deepEqual([protocol, caller_claims], [{ minimum: "2025-06-18" }, keys]);
  const minimums = Object.values(servers).map(({ minimum_protocol }) => minimum_protocol);
  assert.deepEqual(minimums, ["2024-11-05", undefined]);
  assert.deepEqual([parse("").protocol, parse("").caller_claims], [{}, []]);
});

const wrong: readonly (readonly [string, string, RegExp])[] = [
  ["a key nobody knows", "lisen: x", /lisen/],
  ["a key nobody knows, further in", "limits: { reqest: 1MiB }", /limits.*reqest/s],
  [
    "roots that are replaced before the ones before them can go",
    "crypto: { rotation: { roots: 30d } }",
    /crypto\.rotation\.roots: .*expected 31 days \("31d"\) or more/,
  ],
  [
    "keys that are replaced all the time",
    "crypto: { rotation: { tls_keys: 23h } }",
    /crypto\.rotation\.tls_keys: .*expected a day/,
  ],
  ["a unit nobody knows", "limits: { request: 8MB }", /limits\.request/],
  ["a number without a unit", "limits: { drain: 10 }", /limits\.drain/],
  ["an address without a port", "listen: localhost", /listen.*host:port/s],
  ["a port that is none", "listen: localhost:99999", /65535/],
  ["a key twice", "listen: a:1\nlisten: b:1", /unique|duplicate/i],
  ["an alias", "a: &x [1]\nb: *x", /aliases/],
  ["YAML that is none", "servers: {", /latticegate\.yaml/],
  ["a list", "- a", /top/],
  ["a key that every object has already", 'servers: { "__proto__": { url: "http://a/" } }', /__proto__/],
  ["the same key on a line of its own", "servers:\n  __proto__:\n    url: http://a/", /__proto__/],
  ["a tag nobody knows", "listen: !evil 127.0.0.1:1", /evil/],
  ["a limit of nothing", "limits: { request: 0B }", /limits\.request/],
  ["a server's name that is no name", 'servers: { "../x": { url: "http://a/" } }', /servers/],
  ["a server that is a file", 'servers: { x: { url: "file:///etc/passwd" } }', /servers\.x/],
  [
    "a transport nobody knows",
    'servers: { x: { url: "http://a/", transport: "sse" } }',
    /servers\.x\.transport.*"http\+sse"/s,
  ],
  [
    "an exposed server over HTTP+SSE",
    'servers: { x: { url: "https://a/", peer: "spiffe://a/server/x", transport: "http+sse" } }',
    /servers\.x\.transport: expected streamable-http/,
  ],
  ...["user:canary", "canary", ":canary"].map((userinfo): readonly [string, string, RegExp] => [
    `a URL with ${userinfo}@`,
    `servers: { x: { url: "http://${userinfo}@a/" } }`,
    /^(?!.*canary).*servers\.x\.url: expected no user or password/s,
  ]),
  [
    "a secret as a value",
    'servers: { x: { url: "http://a/", headers: { authorization: "Bearer t" } } }',
    /headers/,
  ],
  [
    "a version of the protocol nobody knows",
    "protocol: { minimum: 2025-06-19 }",
    /protocol\.minimum: .*2024-11-05.*2025-03-26.*2025-06-18.*2025-11-25.*2026-07-28/,
  ],
  [
    "a server's own, too",
    'servers: { x: { url: "http://a/", minimum_protocol: latest } }',
    /servers\.x\.minimum_protocol: .*2024-11-05.*2026-07-28/,
  ],
  ["a key of the protocol's section nobody knows", "protocol: { minimun: 2025-06-18 }", /protocol.*minimun/],
  ["a claim that is no key", 'caller_claims: ["com.acme agent"]', /caller_claims\.0: .*com\.acme\/agent/],
  ["a claim without a name", 'caller_claims: ["com.acme/"]', /caller_claims\.0/],
  ...["io.modelcontextprotocol/clientInfo", "progressToken", "com.MCP.x/a"].map(
    (key): readonly [string, string, RegExp] => [
      `a claim in the protocol's own ${key}`,
      `caller_claims: ["${key}"]`,
      /caller_claims\.0: .*protocol's own/,
    ],
  ),
  ...["https://a.test", "http://*", "http://a.test/mcp", "http://2130706433"].map(
    (origin): readonly [string, string, RegExp] => [
      `a forward server to ${origin}`,
      `servers: { x: { forward: ["${origin}"] } }`,
      /servers\.x\.forward\.0: expected an origin/,
    ],
  ),
  ["a forward server to nowhere", "servers: { x: { forward: [] } }", /servers\.x\.forward/],
  [
    "a server at an address and a forward server in one",
    'servers: { x: { url: "http://a/", forward: ["http://a"] } }',
    /servers\.x/,
  ],
  ...[
    ["a server nobody configured", "[x, y]", /there is no server "y"/],
    ["a server twice", "[x, x]", /named twice/],
    ["a server without an address of its own", "[w]", /"w" has no address/],
    ["a name that couldn't be told apart", "[a_b]", /servers\.0: expected/],
  ].map(([what, members, complaint]): readonly [string, string, RegExp] => [
    `a virtual server that joins ${String(what)}`,
    `servers: { x: { url: "http://a/" }, a_b: { url: "http://a/" }, w: { forward: ["http://a"] } }\nvirtual_servers: { all: { servers: ${String(members)} } }`,
    complaint as RegExp,
  ]),
  [
    "a virtual server of a server's name",
    'servers: { x: { url: "http://a/" } }\nvirtual_servers: { x: { servers: [x] } }',
    /virtual_servers\.x: there is a server of that name/,
  ],
  [
    "a rule about a virtual server, which would be about nothing",
    `servers: { x: { url: "http://a/" } }\nvirtual_servers: { all: { servers: [x] } }\n${allow.replace('tools: ["*"]', 'tools: ["all/delete"]')}`,
    /names the virtual server "all"/,
  ],
  ["an effect nobody knows", allow.replace("effect: allow", "effect: alow"), /policies\.0\.effect/],
  [
    "two rules of one name",
    allow.replace("}]", '}, { name: a, callers: ["*"], tools: ["*"], effect: deny, because: x }]'),
    /Two policies/,
  ],
  [
    "an algorithm nobody knows",
    'p2p_connectivity: { allowed_algos: ["ML-KEM-768", "ML-DSA-65", "RSA-2048"] }',
    /RSA-2048/,
  ],
  ["post-quantum links turned off", "p2p_connectivity: { enforce_pqc: false }", /enforce_pqc/],
  [
    "downgrades let through",
    "threat_detection: { block_downgrade_attempts: false }",
    /block_downgrade_attempts/,
  ],
];
for (const [what, yaml, expected] of wrong) {
  test(`${what} is refused at its place`, () => {
    assert.throws(
      () => parse(yaml),
      (error: unknown) => {
        assert.ok(error instanceof Refusal, String(error));
        assert.equal(error.code, "bad_config");
        assert.match(error.message, expected);
        return true;
      },
    );
  });
}

test("a condition of a rule is checked when the file is read, and its mistake is named with its place", () => {
  assert.equal(parse(allow.replace("effect", 'when: "link.pq", effect')).policies[0]?.when, "link.pq");
  assert.throws(
    () => parse(allow.replace("effect", 'when: "link.lvl > 2", effect')),
    (error: unknown) =>
      error instanceof Refusal && error.code === "bad_config" && /line 1, column 6.*lvl/.test(error.message),
  );
});

test("a file that isn't there is named", () => {
  assert.throws(() => parse("policies: ./nowhere.yaml"), /\/etc\/latticegate\/nowhere\.yaml can't be read/);
});

test("the mission document loads as it is written, and narrows the profile to what it allows", () => {
  const config = parse(mission);
  assert.equal(config.connection?.name, "pharmacy-inventory-sync");
  assert.deepEqual(config.connection.tools, [
    { name: "get_stock_levels", endpoint: "/v1/inventory/query", pqc_signing: "ml-dsa" },
  ]);
  assert.deepEqual(
    [config.profile.identity.id, ...config.profile.groups.map(({ id }) => id)],
    ["ML-DSA-65", "X25519MLKEM768", "SecP256r1MLKEM768"],
  );
});

test("the mission document's connection is a server of its name, made of its OpenAPI document", () => {
  const { servers, notYet } = parse(mission);
  const server = servers["pharmacy-inventory-sync"];
  assert.ok(server !== undefined && "openapi" in server);
  assert.deepEqual(
    [server.openapi, server.endpoints?.length, server.tools.pin],
    ["./api/swagger.json", 1, "first-use"],
  );
  assert.deepEqual(notYet, []);
});

test("a connection without a document offers nothing, and says so", () => {
  const asked = mission.replace('  schema_source: "./api/swagger.json"\n', "");
  const { servers, notYet } = parse(asked);
  assert.deepEqual([servers, notYet.map(({ at }) => at)], [{}, ["connection"]]);
});

for (const [line, place] of [
  ["  secret_level: 1", /connection: .*secret_level/],
  ["  name: 1", /connection\.name/],
  ['  protocol: "mcp"', /connection\.protocol/],
  ['  security_level: "classical"', /connection\.security_level/],
] as const) {
  test(`the mission document with "${line.trim()}" is refused at its place`, () => {
    const key = line.slice(0, line.indexOf(":") + 1);
    const isKnown = mission.includes(`\n${key}`);
    const text = isKnown
      ? mission.replace(new RegExp(`\\n${key}.*`), `\n${line}`)
      : mission.replace("connection:", `connection:\n${line}`);
    assert.throws(
      () => parse(text),
      (error: unknown) =>
        error instanceof Refusal && error.code === "bad_config" && place.test(error.message),
    );
  });
}

test("aliases that would grow to a million values are refused, also where any value may stand", () => {
  const lines = Array.from({ length: 6 }, (_, i) => `a${i + 1}: &a${i + 1} [${`*a${i},`.repeat(10)}]`);
  const bomb = ["a0: &a0 [x]", ...lines];
  const inProbe = `servers:\n  x:\n    url: http://a/\n    probe:\n      tool: t\n      arguments:\n`;
  for (const text of [bomb.join("\n"), inProbe + bomb.map((line) => `        ${line}`).join("\n")]) {
    assert.throws(
      () => parse(text),
      (error: unknown) =>
        error instanceof Refusal && error.code === "bad_config" && /aliases/.test(error.message),
    );
  }
});

test("a config file that isn't there is named, with what to do", () => {
  assert.throws(
    () => loadConfig("/nowhere/latticegate.yaml"),
    (error: unknown) =>
      error instanceof Refusal &&
      error.code === "bad_config" &&
      error.message.startsWith("/nowhere/latticegate.yaml can't be read. Write it"),
  );
});

test("what unlocks the keys is named: a file, a variable or a systemd credential, by a name without a path", () => {
  for (const source of ["file: /run/secret", "env: LATTICEGATE_UNLOCK", "credential: latticegate.unlock"])
    assert.ok(parse(`unlock: { ${source} }`).unlock);
  for (const source of ["credential: ../secret", "credential: ''", "value: swordfish", "file: a, env: B"])
    assert.throws(() => parse(`unlock: { ${source} }`), Refusal, source);
});

test("a signer's socket counts from the config's folder", () => {
  assert.equal(parse("signer: { socket: run/s }").signer?.socket, "/etc/latticegate/run/s");
  assert.throws(() => parse("signer: {}"), Refusal);
  assert.throws(() => parse("signer: { socket: s, key: x }"), Refusal);
});

test("servers' tools are pinned on first use unless something else is said, and what is said wrongly is refused", () => {
  const tools = (said: string): unknown => {
    const server = parse(`servers: { a: { url: "http://a/"${said} } }`).servers["a"];
    return server !== undefined && "tools" in server ? server.tools : undefined;
  };
  assert.deepEqual(tools(""), { pin: "first-use", accept: [], publishers: [] });
  const publisher = "f".repeat(43);
  assert.deepEqual(
    tools(`, tools: { pin: approve, accept: [new, icons], manifest: m.json, publishers: [${publisher}] }`),
    { pin: "approve", accept: ["new", "icons"], manifest: "m.json", publishers: [publisher] },
  );
  for (const wrong of ["pin: always", "accept: [hidden-text]", "publishers: [me]", "pins: off"]) {
    assert.throws(() => tools(`, tools: { ${wrong} }`), Refusal, wrong);
  }
});
