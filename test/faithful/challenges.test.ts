/** Class 8: who is asked to prove himself hears it in the server's own words, each challenge by itself and in order. */
import assert from "node:assert/strict";
import { after, test } from "node:test";

import { bytesAnswer, legacyCall, listening, modernCall, same, ways } from "../support/ways.ts";

const all = await ways({ after });
const metadata = 'resource_metadata="https://mcp.example/.well-known/oauth-protected-resource/mcp"';

const challenges: readonly (readonly [string, number, string | readonly string[], string])[] = [
  ["a 401 with one challenge", 401, `Bearer ${metadata}, scope="files:read files:write"`, ""],
  [
    "a 401 with several challenges in headers of their own",
    401,
    [`Bearer ${metadata}`, 'DPoP algs="ES256 ML-DSA-65"', 'Basic realm="a, b"'],
    "",
  ],
  ["a 401 with several challenges in one header", 401, `Bearer realm="x", Basic realm="y"`, "who are you?"],
  [
    "a 401 with an error in its body",
    401,
    'Bearer error="invalid_token", error_description="expired"',
    '{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"Unauthorized","data":1.0}}',
  ],
  [
    "a 403 that asks for more scope",
    403,
    `Bearer error="insufficient_scope", scope="files:write", ${metadata}, error_description="Write access"`,
    '{"error":"insufficient_scope"}',
  ],
];
for (const [what, status, challenge, body] of challenges) {
  test(`${what} arrives as it was, on every verb and in both eras`, async () => {
    const headers = { "www-authenticate": challenge, "content-type": "application/json" };
    all.answering(bytesAnswer(body, headers as Record<string, string | string[]>, status));
    for (const asked of [
      { body: legacyCall() },
      modernCall("a"),
      { method: "GET", headers: listening },
      { method: "DELETE", headers: {} },
    ]) {
      const answered = await same(all, asked, ["content-type", "www-authenticate"]);
      assert.equal(answered.status, status);
      assert.deepEqual(answered.headers["www-authenticate"], [challenge].flat());
    }
  });
}

test("where nobody asks for a proof, we don't: an answer has no challenge of ours", async () => {
  all.answering(bytesAnswer("", { "content-length": "0" }, 401));
  for (const way of all.ours) {
    const { status, headers } = await way.ask({ body: legacyCall() });
    assert.deepEqual([status, headers["www-authenticate"]], [401, undefined], way.name);
  }
});
