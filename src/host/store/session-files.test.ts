/** The session tokens that the sidecars of one client share through files. */
import assert from "node:assert/strict";
import { mkdtemp, readdir, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test, type TestContext } from "node:test";

import { ownProcess } from "../client-process.ts";
import { sessionFiles } from "./session-files.ts";

const found = ownProcess();
assert.ok(found);
const client = found;
const about = ["https://gateway", "spiffe://t/agent/a"];

async function folder(t: TestContext): Promise<string> {
  const made = await mkdtemp(path.join(tmpdir(), "latticegate-"));
  t.after(() => rm(made, { recursive: true, force: true }));
  return path.join(made, "sessions");
}

test("all who start at once agree on one token, also when it is replaced", async (t) => {
  const at = await folder(t);
  const sidecars = await Promise.all(Array.from({ length: 20 }, () => sessionFiles(at, client, about)));
  const first = await Promise.all(sidecars.map((each, n) => each.put(`token-${n}`, 0)));
  assert.equal(new Set(first.map(({ token }) => token)).size, 1);
  assert.deepEqual(await sidecars[3]?.newest(), first[0]);
  const second = await Promise.all(sidecars.map((each, n) => each.put(`next-${n}`, first[n]?.number ?? 0)));
  assert.equal(new Set(second.map(({ token }) => token)).size, 1);
  assert.match(second[0]?.token ?? "", /^next-/);
  const late = await sidecars[0]?.put("late", 0);
  assert.equal(late?.token, second[0]?.token, "whoever comes late takes the newest");
});

test("another client, gateway or caller has another token", async (t) => {
  const at = await folder(t);
  await (await sessionFiles(at, client, about)).put("mine", 0);
  for (const [whose, what] of [
    [{ ...client, pid: 1 }, about],
    [{ ...client, started: "later" }, about],
    [client, ["https://other", about[1] ?? ""]],
    [client, [...about, "for somebody"]],
  ] as const) {
    assert.equal(await (await sessionFiles(at, whose, what)).newest(), undefined);
  }
});

test("nobody else may read them", async (t) => {
  const at = await folder(t);
  await (await sessionFiles(at, client, about)).put("mine", 0);
  assert.equal((await stat(at)).mode & 0o777, 0o700);
  const [file = ""] = await readdir(at);
  assert.equal((await stat(path.join(at, file))).mode & 0o777, 0o600);
});

test("tokens of clients that are gone, or a day old, are removed; those of others stay", async (t) => {
  const at = await folder(t);
  const elsewhere = { ...client, machine: "another" };
  const gone = { ...client, started: "long ago" };
  for (const whose of [client, elsewhere, gone]) await (await sessionFiles(at, whose, about)).put("x", 0);
  assert.equal((await readdir(at)).length, 3);
  await sessionFiles(at, client, about);
  assert.equal((await readdir(at)).length, 2, "the one that is gone");
  for (const file of await readdir(at)) await utimes(path.join(at, file), 1, 1);
  await sessionFiles(at, client, about);
  assert.deepEqual(await readdir(at), []);
});

test("a file that can't be read is replaced", async (t) => {
  const at = await folder(t);
  const files = await sessionFiles(at, client, about);
  await files.put("mine", 0);
  const [file = ""] = await readdir(at);
  await writeFile(path.join(at, file), "{");
  assert.equal(await files.newest(), undefined);
  assert.equal((await files.put("next", 0)).token, "next");
  assert.equal((await files.newest())?.token, "next");
});
