import assert from "node:assert/strict";
import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, test } from "node:test";

import { openKeys } from "../state-folder.ts";
import { shippedModel } from "../shipped-models.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { readCallModel } from "./calls/call-model-file.ts";
import { signModel } from "./signed-model.ts";

const folder = await mkdtemp(path.join(tmpdir(), "latticegate-"));
after(() => rm(folder, { recursive: true, force: true }));
const unsigned = path.join(folder, "unsigned.json");
await copyFile(shippedModel("calls"), unsigned);
const text = await readFile(unsigned, "utf8");
const signed = path.join(folder, "signed.json");
const keys = await openKeys(path.join(folder, "keys"), undefined);
const publisher = await signModel(signed, JSON.parse(text) as object, keys);

const refusing = (reason: RegExp) => (error: unknown) =>
  error instanceof Refusal && error.code === "bad_config" && reason.test(error.message);

test("a model signed by a publisher that counts is the model that was signed", async () => {
  const { cold, sha256 } = await readCallModel(signed, [publisher]);
  assert.deepEqual(
    { cold, sha256 },
    await readCallModel(unsigned).then((m) => ({ cold: m.cold, sha256: m.sha256 })),
  );
});

test("one that isn't signed, or by somebody else, is refused where publishers are named", async () => {
  await assert.rejects(readCallModel(unsigned, [publisher]), refusing(/isn't signed/));
  await assert.rejects(readCallModel(signed, [publisher.replace(/^./, "x")]), refusing(/isn't among/));
});

test("one that was changed is refused, signed or not", async () => {
  const digest = /"sha256":"([\w-]{43})","model"/;
  const changed = path.join(folder, "changed.json");
  await writeFile(changed, text.replace('"depth":', '"depth": '));
  await readCallModel(changed); // White space says nothing.
  await writeFile(changed, text.replace(/"base":-?\d/, '"base":7'));
  await assert.rejects(readCallModel(changed), refusing(/digest differs/));
  await writeFile(
    changed,
    text.replace(digest, (all, old: string) => all.replace(old, "A".repeat(43))),
  );
  await assert.rejects(readCallModel(changed), refusing(/digest differs/));
  const whole = await readFile(signed, "utf8");
  await writeFile(changed, whole.replace(/"base": -?\d/, '"base": 7'));
  assert.notEqual(await readFile(changed, "utf8"), whole);
  await assert.rejects(readCallModel(changed), refusing(/signatures .* don't count \(bad_signature\)/));
});
