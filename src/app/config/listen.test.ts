/** `listen`: one address for sidecars, listeners for clients with tokens, and what can't be meant. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { Refusal } from "../../kernel/refusal.ts";
import { parseConfig } from "../config.ts";

const file = "/etc/latticegate/latticegate.yaml";

interface Parts {
  readonly listener?: string;
  readonly listen?: string;
  readonly more?: string;
}

function parsed({ listener = "", listen, more = "" }: Parts) {
  const web = `{ address: 0.0.0.0:443, authentication: web-certificate, url: https://mcp.acme.test, issuers: [corp], certificates: [{ certificate: web.pem, key: /run/web.key }] ${listener} }`;
  const text = `
issuers: { corp: { issuer: "https://as.acme.test" } }
servers: { files: { url: "http://127.0.0.1:1" } }
virtual_servers: { all: { servers: [files] } }
listen: ${listen ?? `[127.0.0.1:8443, ${web}]`}
${more}`;
  return parseConfig(text, file);
}

test("one address is for sidecars, alone or in a list", () => {
  assert.equal(parsed({ listen: "127.0.0.1:1" }).listen, "127.0.0.1:1");
  const entry = "{ address: 127.0.0.1:2, authentication: ml-dsa-mtls, key_exchange: hybrid-required }";
  assert.equal(parsed({ listen: entry }).listen, "127.0.0.1:2");
  assert.equal(parsed({ listen: `[${entry}]` }).listen, "127.0.0.1:2");
});

test("a listener for clients with tokens asks for the most by default, and its files count from the config", () => {
  const { listen, webListeners } = parsed({});
  assert.equal(listen, "127.0.0.1:8443");
  assert.deepEqual(webListeners, [
    {
      address: "0.0.0.0:443",
      authentication: "web-certificate",
      key_exchange: "hybrid-required",
      classical_servers: [],
      url: "https://mcp.acme.test",
      certificates: [{ certificate: "/etc/latticegate/web.pem", key: "/run/web.key" }],
      issuers: ["corp"],
      audiences: [],
      plain_jwt: false,
      sender_constraint: "required",
      dpop_nonce: true,
      client_certificates: true,
      origins: [],
    },
  ]);
});

test("under a profile with classical groups a listener may let links without ML-KEM in, by name of servers", () => {
  const more = "profile: transition";
  const entry = "{ address: a:1, key_exchange: hybrid-preferred, classical_servers: [files] }";
  assert.deepEqual(parsed({ listen: entry, more }).classicalServers, ["files"]);
  assert.equal(parsed({ listen: "a:1", more }).classicalServers, undefined);
  const [web] = parsed({
    listener: ", key_exchange: hybrid-preferred, classical_servers: [files]",
    more,
  }).webListeners;
  assert.deepEqual([web?.key_exchange, web?.classical_servers], ["hybrid-preferred", ["files"]]);
});

const wrong: readonly (readonly [string, Parts, RegExp])[] = [
  ["no address for sidecars", { listen: "[]" }, /listen/],
  ["two of them", { listen: "[127.0.0.1:1, 127.0.0.1:2]" }, /exactly one address for sidecars/],
  [
    "sidecars without ML-KEM that may reach nothing",
    { listen: "{ address: a:1, key_exchange: hybrid-preferred }", more: "profile: transition" },
    /go together/,
  ],
  [
    "sidecars without ML-KEM under a profile that has no classical groups",
    { listen: "{ address: a:1, key_exchange: hybrid-preferred, classical_servers: [files] }" },
    /listen \(a:1\).*profile "hybrid": classical is tolerated only under `transition`, where a listener/,
  ],
  [
    "classical servers of sidecars that there aren't",
    {
      listen: "{ address: a:1, key_exchange: hybrid-preferred, classical_servers: [b] }",
      more: "profile: transition",
    },
    /no server "b"/,
  ],
  [
    "clients without ML-KEM under cnsa-2.0",
    { listener: ", key_exchange: hybrid-preferred, classical_servers: [files]", more: "profile: cnsa-2.0" },
    /profile "cnsa-2.0": classical is tolerated only under `transition`/,
  ],
  [
    "clients without ML-KEM under a profile of one's own that left the classical groups out",
    {
      listener: ", key_exchange: hybrid-preferred, classical_servers: [files]",
      more: "profile: own\ncrypto: { profiles: { own: { based_on: transition, allowed_algos: [ML-KEM-768, ML-DSA-65] } } }",
    },
    /profile "own"/,
  ],
  [
    "an issuer nobody configured",
    {
      listener: "",
      more: "",
      listen:
        "[a:1, { address: a:2, authentication: web-certificate, url: https://a.test, issuers: [b], certificates: [{ certificate: a, key: b }] }]",
    },
    /no issuer "b"/,
  ],
  [
    "a url that isn't https",
    {
      listen:
        "[a:1, { address: a:2, authentication: web-certificate, url: http://a.test, issuers: [corp], certificates: [{ certificate: a, key: b }] }]",
    },
    /https origin/,
  ],
  [
    "a url in another spelling",
    {
      listen:
        "[a:1, { address: a:2, authentication: web-certificate, url: https://A.test/, issuers: [corp], certificates: [{ certificate: a, key: b }] }]",
    },
    /https origin/,
  ],
  [
    "classical clients that may reach nothing",
    { listener: ", key_exchange: hybrid-preferred" },
    /go together/,
  ],
  ["classical servers where hybrid is required", { listener: ", classical_servers: [files]" }, /go together/],
  [
    "a classical server there isn't",
    { listener: ", key_exchange: hybrid-preferred, classical_servers: [b]" },
    /no server "b"/,
  ],
  [
    "classical clients where the operator allows certain algorithms only",
    {
      listener: ", key_exchange: hybrid-preferred, classical_servers: [files]",
      more: "p2p_connectivity: { allowed_algos: [ML-KEM-768, ML-DSA-65] }",
    },
    /p2p_connectivity rules out/,
  ],
  [
    "classical clients where every link is to be post-quantum",
    {
      listener: ", key_exchange: hybrid-preferred, classical_servers: [files]",
      more: "p2p_connectivity: { enforce_pqc: true }",
    },
    /p2p_connectivity rules out/,
  ],
  ["scopes that name a virtual server", { listener: ", scopes: { a: [all/x] }" }, /virtual server "all"/],
  ["a scope's target without a server", { listener: ", scopes: { a: [read] }" }, /server\/name/],
  ["a scope with a quote in it", { listener: `, scopes: { 'a"b': [files/x] }` }, /scope/],
  ["a page's origin with a path", { listener: ", origins: [https://a.test/x]" }, /origin without a path/],
  ["any page", { listener: `, origins: ["*"]` }, /origin without a path/],
];
for (const [what, parts, reason] of wrong) {
  test(`refused: ${what}`, () => {
    assert.throws(
      () => parsed(parts),
      (error: unknown) => {
        assert.ok(error instanceof Refusal);
        assert.equal(error.code, "bad_config");
        assert.match(error.message, reason);
        return true;
      },
    );
  });
}
