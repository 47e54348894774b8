/** `link.key_exchange` of servers: what it is by default, where it can be said, and what the profile allows of it. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { Refusal } from "../../kernel/refusal.ts";
import { type Config, parseConfig } from "../config.ts";

function parsed(server: string, more = ""): Config {
  return parseConfig(`${more}\nservers: { s: { ${server} } }`, "/etc/latticegate/latticegate.yaml");
}

const preferred = "link: { key_exchange: hybrid-preferred }";
const required = "link: { key_exchange: hybrid-required }";
const own = (allowed: string): string =>
  `profile: own\ncrypto: { profiles: { own: { based_on: transition, allowed_algos: [${allowed}] } } }`;

const taken: readonly (readonly [string, string, string])[] = [
  ["hybrid-required under hybrid", `url: "https://s.test/mcp", ${required}`, ""],
  ["hybrid-required under transition", `url: "https://s.test/mcp", ${required}`, "profile: transition"],
  ["hybrid-preferred under transition", `url: "https://s.test/mcp", ${preferred}`, "profile: transition"],
  [
    "hybrid-preferred of a server over http+sse",
    `url: "https://s.test/sse", transport: http+sse, ${preferred}`,
    "profile: transition",
  ],
  [
    "hybrid-preferred under a profile of one's own with classical groups",
    `url: "https://s.test/mcp", ${preferred}`,
    own("ML-KEM-768, ML-DSA-65, X25519"),
  ],
  [
    "hybrid-required of a server with a peer",
    `url: "https://s.test/mcp", peer: "spiffe://a/server/b", ${required}`,
    "",
  ],
];
for (const [what, server, more] of taken) {
  test(`taken: ${what}`, () => assert.ok(parsed(server, more)));
}

test("by default nothing is said, which is hybrid-required whatever the profile", () => {
  assert.equal(
    parsed('url: "https://s.test/mcp"', "profile: transition").servers["s"]?.link.key_exchange,
    undefined,
  );
});

const wrong: readonly (readonly [string, string, string, RegExp])[] = [
  [
    "hybrid-preferred under hybrid",
    `url: "https://s.test/mcp", ${preferred}`,
    "",
    /servers\.s\.link\.key_exchange: .*profile "hybrid": classical is tolerated only under `transition`/,
  ],
  [
    "hybrid-preferred under cnsa-2.0",
    `url: "https://s.test/mcp", ${preferred}`,
    "profile: cnsa-2.0",
    /cnsa-2\.0/,
  ],
  [
    "hybrid-preferred under a profile that left the classical groups out",
    `url: "https://s.test/mcp", ${preferred}`,
    own("ML-KEM-768, ML-DSA-65"),
    /profile "own"/,
  ],
  [
    "hybrid-preferred where every link is to be post-quantum",
    `url: "https://s.test/mcp", ${preferred}`,
    "profile: transition\np2p_connectivity: { enforce_pqc: true }",
    /p2p_connectivity rules out/,
  ],
  [
    "hybrid-preferred of a server with a peer",
    `url: "https://s.test/mcp", peer: "spiffe://a/server/b", ${preferred}`,
    "profile: transition",
    /peer/,
  ],
  [
    "a dial of a plain http URL",
    `url: "http://s.test/mcp", ${required}`,
    "",
    /plain http URL has no key exchange/,
  ],
  ["a dial of a stdio server", `command: [a], ${required}`, "", /stdio has no link/],
  ["a dial of a forward server", `forward: ["http://s.test"], ${required}`, "", /plain http/],
  [
    "a dial there is none of",
    'url: "https://s.test/mcp", link: { key_exchange: classical }',
    "",
    /key_exchange/,
  ],
];
for (const [what, server, more, reason] of wrong) {
  test(`refused: ${what}`, () => {
    assert.throws(
      () => parsed(server, more),
      (error: unknown) => {
        assert.ok(error instanceof Refusal);
        assert.equal(error.code, "bad_config");
        assert.match(error.message, reason);
        return true;
      },
    );
  });
}
