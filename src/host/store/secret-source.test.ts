/** Where unlock secrets come from: taken once, bounded, and never from outside the folder they were named in. */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test, type TestContext } from "node:test";

import { fromUtf8 } from "../../kernel/bytes.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { isCredentialName, readSecretSource, type SecretSource } from "./secret-source.ts";

const secret = "a passphrase of enough length";

async function place(t: TestContext): Promise<string> {
  const root = await mkdtemp(path.join(tmpdir(), "latticegate-"));
  t.after(() => rm(root, { recursive: true }));
  return root;
}

function withCredentials(t: TestContext, folder: string | undefined): void {
  const before = process.env["CREDENTIALS_DIRECTORY"];
  const set = (value: string | undefined): void => {
    if (value === undefined) delete process.env["CREDENTIALS_DIRECTORY"];
    else process.env["CREDENTIALS_DIRECTORY"] = value;
  };
  set(folder);
  t.after(() => set(before));
}

async function read(source: SecretSource): Promise<string | undefined> {
  return fromUtf8(await readSecretSource(source, "It can't be opened"));
}

function isRefusal(text: RegExp): (error: unknown) => boolean {
  return (error) => error instanceof Refusal && error.code === "bad_state" && text.test(error.message);
}

test("a secret is the same from a file, a variable or a credential, without the white space around it", async (t) => {
  const folder = await place(t);
  const file = path.join(folder, "unlock");
  await writeFile(file, `  ${secret}\r\n`);
  withCredentials(t, folder);
  process.env["LATTICEGATE_TEST_SECRET"] = `${secret}\n`;
  t.after(() => delete process.env["LATTICEGATE_TEST_SECRET"]);
  for (const source of [{ file }, { env: "LATTICEGATE_TEST_SECRET" }, { credential: "unlock" }])
    assert.equal(await read(source), secret, JSON.stringify(source));
});

test("a variable that held a secret is gone from the environment, also when it was too short", async (t) => {
  t.after(() => delete process.env["LATTICEGATE_TEST_SECRET"]);
  for (const text of [secret, "short"]) {
    process.env["LATTICEGATE_TEST_SECRET"] = text;
    await readSecretSource({ env: "LATTICEGATE_TEST_SECRET" }, "x").catch(() => undefined);
    assert.ok(!("LATTICEGATE_TEST_SECRET" in process.env));
  }
});

test("what is missing, too short or too long is refused, with where it was looked for", async (t) => {
  const folder = await place(t);
  withCredentials(t, folder);
  const file = path.join(folder, "unlock");
  await assert.rejects(read({ file }), isRefusal(/It can't be opened: .*unlock/));
  await assert.rejects(read({ env: "LATTICEGATE_NO_SUCH" }), isRefusal(/variable LATTICEGATE_NO_SUCH/));
  await assert.rejects(read({ credential: "none" }), isRefusal(/systemd credential none/));
  for (const text of ["", "   \n", "fifteen letters", "x".repeat(4097), "x".repeat(100_000)]) {
    await writeFile(file, text);
    await assert.rejects(read({ file }), isRefusal(/at least 16 characters/), text.slice(0, 20));
  }
  await writeFile(file, "x".repeat(4096));
  assert.equal((await read({ file }))?.length, 4096);
  await assert.rejects(read({ file: folder }), isRefusal(/can't be read \(EISDIR\)/));
});

test("a credential is a plain file of the credentials' folder, whatever its name or a link says", async (t) => {
  const root = await place(t);
  const folder = path.join(root, "credentials");
  await mkdir(folder);
  await writeFile(path.join(root, "outside"), secret);
  await symlink(path.join(root, "outside"), path.join(folder, "link"));
  withCredentials(t, folder);
  for (const credential of ["link", "../outside", path.join(root, "outside"), ".", "..", "", "a/b"])
    await assert.rejects(read({ credential }), isRefusal(/systemd credential/), credential);
  await writeFile(path.join(folder, "inside"), secret);
  for (const wrong of [undefined, "", path.relative(process.cwd(), folder)]) {
    withCredentials(t, wrong);
    await assert.rejects(read({ credential: "inside" }), isRefusal(/systemd credential/), String(wrong));
  }
});

test("a credential's name is a file's name", () => {
  for (const name of ["unlock", "latticegate.unlock", "a_b-c@1"]) assert.ok(isCredentialName(name), name);
  for (const name of ["", ".", "..", "a/b", "a\0b", "a b", "a:b", "x".repeat(256)])
    assert.ok(!isCredentialName(name), JSON.stringify(name));
});
