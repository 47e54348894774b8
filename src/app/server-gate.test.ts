import assert from "node:assert/strict";
import { test } from "node:test";

import { parseConfig } from "./config.ts";
import { gateNotes, serverGates } from "./server-gate.ts";

const parse = (yaml: string) => parseConfig(yaml, "/etc/latticegate/latticegate.yaml");
const publisher = "A".repeat(43);

const cases: readonly (readonly [what: string, gate: string, server: string, lacks: RegExp | undefined])[] = [
  ["an owner that isn't named", "owner: true", "command: [a]", /owner/],
  ["an owner that is", "owner: true", "command: [a], owner: Payments", undefined],
  ["a command has no link", "link: hybrid", "command: [a]", undefined],
  ["http on this machine", "link: hybrid", 'url: "http://localhost:1/mcp"', undefined],
  ["http to elsewhere", "link: hybrid", 'url: "http://10.0.0.1/mcp"', /plain http/],
  ["https", "link: hybrid", 'url: "https://a.test/mcp"', undefined],
  ["origins that clients name", "link: hybrid", 'forward: ["http://a.test:80"]', /clients name/],
  [
    "one identity where two are asked for",
    "link: hybrid-mtls",
    'url: "https://a.test/mcp"',
    /two identities/,
  ],
  [
    "two identities",
    "link: hybrid-mtls",
    'url: "https://a.test/mcp", peer: spiffe://a.test/server/a, link: { authentication: hybrid-mtls }',
    undefined,
  ],
  ["tools that come as they are", "tools: pinned", "command: [a], tools: { pin: off }", /aren't pinned/],
  ["tools that are pinned", "tools: pinned", "command: [a]", undefined],
  ["tools that were only seen", "tools: approved", "command: [a]", /unapproved/],
  ["tools that are approved", "tools: approved", "command: [a], tools: { pin: approve }", undefined],
  ["tools that nobody could sign", "tools: signed", "command: [a]", /no publishers/],
  ["what is behind a forward server", "tools: pinned", 'forward: ["http://a.test:80"]', /can't be pinned/],
];

for (const [what, gate, server, lacks] of cases) {
  test(`${lacks === undefined ? "connected" : "not connected"}: ${what}`, () => {
    const found = serverGates(parse(`gate: { ${gate} }\nservers: { s: { ${server} } }`)).get("s");
    if (lacks === undefined) assert.deepEqual(found?.lacks ?? [], []);
    else assert.match(found?.lacks.join() ?? "", lacks);
  });
}

test("a link that may be classical isn't hybrid", () => {
  const link = "link: { key_exchange: hybrid-preferred }";
  const yaml = `profile: transition\ngate: { link: hybrid }\nservers: { s: { url: "https://a.test/mcp", ${link} } }`;
  assert.match(serverGates(parse(yaml)).get("s")?.lacks.join() ?? "", /without ML-KEM/);
});

test("all that is missing is said, to the operator too; an exemption says why", () => {
  const yaml = (more: string) => `gate: { owner: true, link: hybrid, tools: signed }
servers: { s: { url: "http://10.0.0.1/mcp"${more} } }`;
  const [note = ""] = gateNotes(parse(yaml("")));
  assert.match(note, /"s" isn't connected: .*owner; .*plain http; .*publishers/);
  const exempt = yaml(", exempt: { from: [owner, link, tools], because: Goes away in May. }");
  assert.deepEqual(gateNotes(parse(exempt)), ['"s" is exempt from owner, link, tools: Goes away in May.']);
  assert.equal(serverGates(parse(exempt)).size, 0);
  const signed = yaml(
    `, owner: x, exempt: { from: [link], because: x }, tools: { publishers: [${publisher}] }`,
  );
  assert.deepEqual(serverGates(parse(signed)).get("s"), { lacks: [], signed: "asked" });
});
