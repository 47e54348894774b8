import assert from "node:assert/strict";
import { test } from "node:test";

import * as fc from "fast-check";

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
  const [shown = ""] = withoutSecrets(["http://u:password1@a.example/s/ODk3NDMxNjEtZjE0Zi00ZDVi-NmU3/mcp"]);
  assert.equal(plainUrl(shown), "http://a.example/s/<secret>/mcp");
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
  for (const part of [
    "a",
    "a=",
    "token=",
    "token: ",
    "--token ",
    "token  ",
    "://",
    "a:",
    '"',
    "${",
    "Bearer ",
    "-a.",
    "https://",
  ]) {
    const text = part.repeat(200_000 / part.length);
    assert.ok(withoutSecrets([text, "--token", text]).length === 3);
  }
});

test("wherever a random secret stands in a command line, nothing of it is left", () => {
  const secret = fc.stringMatching(/^[a-z]{4}[A-Za-z0-9]{12,30}[0-9]{2}$/);
  const places: readonly ((value: string) => readonly string[])[] = [
    (value) => ["x", "--token", value],
    (value) => ["x", `--api-key=${value}`],
    (value) => ["x", "-e", `GITHUB_TOKEN=${value}`],
    (value) => ["x", "--header", `Authorization: Bearer ${value}`],
    (value) => ["x", "-H", `"X-Api-Key": "${value}"`],
    (value) => ["x", `https://u:${value}@a.example/`],
    (value) => ["x", `https://${value}@a.example/`],
    (value) => ["x", `https://a.example/mcp?x=1&access_token=${value}`],
    (value) => ["sh", "-c", `PASSWORD='${value}' run --secret ${value}`],
    (value) => ["x", `{"password":"${value}"}`],
    (value) => ["x", `postgres://u:${value}@db:5432/x?sslmode=require`],
  ];
  fc.assert(
    fc.property(secret, fc.nat(places.length - 1), (value, at) => {
      const shown = withoutSecrets(places[at]?.(value) ?? []);
      assert.ok(!shown.join("\n").includes(value), shown.join(" "));
    }),
    { numRuns: 500 },
  );
});
