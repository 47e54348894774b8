import assert from "node:assert/strict";
import { readdir, readFile, stat } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";

import { temporaryFolder } from "../../../test/support/gateway.ts";
import { capturedFiles, segmentsIn } from "./captured-files.ts";

const hourMs = 3_600_000;
const mebibyte = 1024 ** 2;

async function linesIn(folder: string): Promise<string> {
  const names = await segmentsIn(folder);
  return (await Promise.all(names.map((name) => readFile(path.join(folder, name), "utf8")))).join("");
}

test("what is older than asked for is deleted, the rest stays, and the files are the owner's alone", async (t) => {
  const folder = path.join(await temporaryFolder(t), "captured");
  const files = capturedFiles(folder, mebibyte);
  for (const [at, line] of [1, 2, 3].entries()) await files.append([`line ${line}`], at * hourMs);
  assert.equal(await linesIn(folder), "line 1\nline 2\nline 3\n");
  await files.expire(hourMs);
  assert.equal(await linesIn(folder), "line 2\nline 3\n");
  const [name = ""] = await readdir(folder);
  assert.deepEqual(
    [(await stat(folder)).mode & 0o777, (await stat(path.join(folder, name))).mode & 0o777],
    [0o700, 0o600],
  );
  await files.expire(100 * hourMs);
  assert.deepEqual(await readdir(folder), []);
  await files.append(["line 4"], 3 * hourMs);
  assert.equal(await linesIn(folder), "line 4\n", "also after the newest was deleted");
  await files.close();
});

test("they never take much more than they may: the oldest make way", async (t) => {
  const folder = await temporaryFolder(t);
  const files = capturedFiles(folder, mebibyte);
  const line = "x".repeat(100 * 1024);
  for (let at = 0; at < 40; at++) {
    await files.append([`${at} ${line}`], at);
    await files.expire(-hourMs);
    const sizes = await Promise.all((await segmentsIn(folder)).map((name) => stat(path.join(folder, name))));
    assert.ok(sizes.reduce((sum, { size }) => sum + size, 0) <= mebibyte);
  }
  const kept = await linesIn(folder);
  assert.match(kept, /^39 x/m);
  assert.doesNotMatch(kept, /^0 x/m);
  await files.close();
});

test("a second run never writes behind what the first one left", async (t) => {
  const folder = await temporaryFolder(t);
  const first = capturedFiles(folder, mebibyte);
  await first.append(["half"], 5);
  const second = capturedFiles(folder, mebibyte);
  await second.append(["whole"], 5);
  assert.deepEqual(await segmentsIn(folder), ["5.jsonl", "6.jsonl"]);
  await first.close();
  await second.close();
});
