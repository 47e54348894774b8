/** Keys on disk: made once, sealed, private, and refused when something is wrong with them. */
import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test, type TestContext } from "node:test";

import { exportSecret } from "../../crypto/keys.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { ensureUnlockFile, openKeyFolder } from "./key-folder.ts";

async function place(t: TestContext): Promise<{ readonly folder: string; readonly file: string }> {
  const root = await mkdtemp(path.join(tmpdir(), "latticegate-"));
  t.after(() => rm(root, { recursive: true }));
  const file = path.join(root, "unlock.key");
  await ensureUnlockFile(file);
  return { folder: path.join(root, "keys"), file };
}

function defined<T>(value: T | undefined): T {
  assert.ok(value !== undefined);
  return value;
}

const isBadState = (error: unknown): boolean => error instanceof Refusal && error.code === "bad_state";

test("keys are made once, are the same after opening again, and lie sealed in private files", async (t) => {
  const { folder, file } = await place(t);
  const first = await openKeyFolder(folder, { file });
  const seed = exportSecret(await first.key("root", "ML-DSA-65"));
  const secret = await first.secret("sessions");
  const again = await openKeyFolder(folder, { file });
  assert.deepEqual(exportSecret(await again.key("root", "ML-DSA-65")), seed);
  assert.deepEqual(Buffer.from(await again.secret("sessions")), Buffer.from(secret));
  assert.equal((await stat(folder)).mode & 0o777, 0o700);
  for (const name of await readdir(folder)) {
    const bytes = await readFile(path.join(folder, name));
    assert.equal((await stat(path.join(folder, name))).mode & 0o777, 0o600, name);
    for (const clear of [seed, secret]) {
      const [text, buffer] = [bytes.toString(), Buffer.from(clear)];
      assert.ok(
        !bytes.includes(buffer) &&
          !text.includes(buffer.toString("base64url")) &&
          !text.includes(buffer.toString("hex")),
      );
    }
  }
});

test("two who open a folder at once, and ask for the same new keys, get the same ones", async (t) => {
  const { folder, file } = await place(t);
  for (let round = 0; round < 5; round++) {
    const at = `${folder}${round}`;
    const both = await Promise.all([openKeyFolder(at, { file }), openKeyFolder(at, { file })]);
    const [seed, sameSeed] = await Promise.all(both.map((keys) => keys.key("root.2", "ML-DSA-87")));
    assert.deepEqual(exportSecret(defined(seed)), exportSecret(defined(sameSeed)));
    const [secret, sameSecret] = await Promise.all(both.map((keys) => keys.secret("sessions")));
    assert.deepEqual(secret, sameSecret);
    const later = await openKeyFolder(at, { file });
    assert.deepEqual(exportSecret(await later.key("root.2", "ML-DSA-87")), exportSecret(defined(seed)));
  }
});

test("another unlock secret, a short one or none opens nothing, and changes nothing", async (t) => {
  const { folder, file } = await place(t);
  await (await openKeyFolder(folder, { file })).key("root", "Ed25519");
  const before = await readFile(path.join(folder, "root.json"), "utf8");
  process.env["LATTICEGATE_TEST_UNLOCK"] = "a secret of another gateway";
  t.after(() => delete process.env["LATTICEGATE_TEST_UNLOCK"]);
  const other = await openKeyFolder(folder, { env: "LATTICEGATE_TEST_UNLOCK" });
  await assert.rejects(other.key("root", "Ed25519"), isBadState);
  await writeFile(file, "short\n");
  await assert.rejects(openKeyFolder(folder, { file }), /at least 16 characters/);
  await assert.rejects(openKeyFolder(folder, { env: "LATTICEGATE_NO_SUCH_NAME" }), isBadState);
  assert.equal(await readFile(path.join(folder, "root.json"), "utf8"), before);
});

test("a damaged, swapped or retyped key file is refused and never written over", async (t) => {
  const { folder, file } = await place(t);
  const keys = await openKeyFolder(folder, { file });
  await keys.key("root", "Ed25519");
  await keys.key("log", "Ed25519");
  const [root, log] = [path.join(folder, "root.json"), path.join(folder, "log.json")];
  const good = await readFile(root, "utf8");
  for (const bad of [
    "",
    "{}",
    good.slice(0, -3),
    good.replace("Ed25519", "ML-DSA-65"),
    await readFile(log, "utf8"),
  ]) {
    await writeFile(root, bad);
    await assert.rejects(keys.key("root", "Ed25519"), isBadState, bad.slice(0, 20));
    assert.equal(await readFile(root, "utf8"), bad);
  }
});

test("a cost of unlocking that was written down to nothing isn't taken", async (t) => {
  const { folder, file } = await place(t);
  await openKeyFolder(folder, { file });
  const kdf = path.join(folder, "kdf.json");
  const stored = JSON.parse(await readFile(kdf, "utf8")) as object;
  await writeFile(kdf, JSON.stringify({ ...stored, memoryKiB: 8 }));
  await assert.rejects(openKeyFolder(folder, { file }), isBadState);
});

test("the unlock file is made once, in private, and never replaced", async (t) => {
  const { file } = await place(t);
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  const first = await readFile(file, "utf8");
  assert.match(first, /^[A-Za-z0-9_-]{43}\n$/);
  await ensureUnlockFile(file);
  assert.equal(await readFile(file, "utf8"), first);
});

test("a folder that others could look into is closed to them", async (t) => {
  const { folder, file } = await place(t);
  await mkdir(folder, { mode: 0o755 });
  await chmod(folder, 0o755);
  await openKeyFolder(folder, { file });
  assert.equal((await stat(folder)).mode & 0o777, 0o700);
});

test("a wrong unlock secret is refused with what may be wrong, a damaged kdf.json with what to do", async (t) => {
  const { folder, file } = await place(t);
  await (await openKeyFolder(folder, { file })).secret("sessions");
  await writeFile(file, "another secret of enough length\n");
  const other = await openKeyFolder(folder, { file });
  await assert.rejects(other.secret("sessions"), /wrong unlock secret, or it was changed/);
  const kdf = path.join(folder, "kdf.json");
  for (const bad of ["", "{}", "[1]"]) {
    await writeFile(kdf, bad);
    await assert.rejects(openKeyFolder(folder, { file }), /restore it from a backup/);
    assert.equal(await readFile(kdf, "utf8"), bad);
  }
});

test("two who ask for a new key at once get the same one", async (t) => {
  const { folder, file } = await place(t);
  const keys = await openKeyFolder(folder, { file });
  const [a, b] = await Promise.all([keys.key("root", "Ed25519"), keys.key("root", "Ed25519")]);
  assert.deepEqual(exportSecret(a), exportSecret(b));
});

test("a salt that is none isn't taken", async (t) => {
  const { folder, file } = await place(t);
  await openKeyFolder(folder, { file });
  const kdf = path.join(folder, "kdf.json");
  const stored = JSON.parse(await readFile(kdf, "utf8")) as object;
  for (const salt of ["", "AAAA", "%".repeat(22)]) {
    await writeFile(kdf, JSON.stringify({ ...stored, salt }));
    await assert.rejects(openKeyFolder(folder, { file }), isBadState, salt);
  }
});
