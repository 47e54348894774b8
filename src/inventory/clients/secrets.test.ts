import assert from "node:assert/strict";
import { test } from "node:test";

import { isSecretName, plainUrl, withoutSecrets } from "./secrets.ts";

test("a command line without its secrets keeps everything else", () => {
  const token = `sk-ant-api03-${"aB3-".repeat(24)}AA`;
  assert.deepEqual(
    withoutSecrets([
      "mcp-remote",
      "https://u:pw123456@a.example/mcp?api_key=abcdef&x=1",
      "Authorization: Bearer abc.def.ghi",
      "--token",
      "t0psecret",
      "--password=hunter2",
      "--port",
      "80",
      token,
      "sh -c 'API_TOKEN=abcdef run'",
      "--env=API_TOKEN=abcdef",
      "--api-key",
      "${KEY}",
      "DB_PASSWORD=pass word",
    ]),
    [
      "mcp-remote",
      "https://<secret>@a.example/mcp?api_key=<secret>&x=1",
      "Authorization: <secret>",
      "--token",
      "<secret>",
      "--password=<secret>",
      "--port",
      "80",
      "<secret>",
      "sh -c 'API_TOKEN=<secret> run'",
      "--env=API_TOKEN=<secret>",
      "--api-key",
      "${KEY}",
      "DB_PASSWORD=<secret>",
    ],
  );
});

test("a URL that is shown has no user, no query, and no long random part", () => {
  assert.equal(plainUrl("HTTPS://u:p@A.example:443/Mcp?x=1#y"), "https://a.example/Mcp");
  assert.equal(
    plainUrl("http://a.example/s/ODk3NDMxNjEtZjE0Zi00ZDVi/mcp"),
    "http://a.example/s/<secret>/mcp",
  );
  assert.equal(
    plainUrl("http://a.example/897431a1-f14f-4d5b-9d2a-0123456789ab"),
    "http://a.example/897431a1-f14f-4d5b-9d2a-0123456789ab",
  );
  for (const other of ["file:///etc/passwd", "${URL}", "", "javascript:1"])
    assert.equal(plainUrl(other), undefined);
});

test("names say whether a value is secret", () => {
  for (const name of [
    "GITHUB_TOKEN",
    "apiKey",
    "--api-key",
    "X-Api-Key",
    "Authorization",
    "clientSecret",
    "PGPASSWORD",
  ])
    assert.ok(isSecretName(name), name);
  for (const name of ["MAX_TOKENS", "TOKEN_FILE", "tokenizer", "keyboard", "bearer_token_env_var", "path"])
    assert.ok(!isSecretName(name), name);
});

test("long hostile texts cost time in proportion to their length", () => {
  for (const part of ["a", "a=", "token=", "token: ", "://", "a:", '"', "${", "Bearer ", "-a.", "https://"]) {
    const text = part.repeat(200_000 / part.length);
    assert.ok(withoutSecrets([text, "--token", text]).length === 3);
  }
});
