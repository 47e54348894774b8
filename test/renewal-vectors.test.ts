/** A log with renewals as others may verify it: the vectors of docs/formats/renewal.md. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import {
  readEntry,
  readFallen,
  readLogKey,
  readRenewedEntry,
  standingWithout,
  verifyLog,
  verifyStanding,
} from "../src/public/verify.ts";

interface Vector {
  /** Of both generations, and of the first alone. */
  readonly key: string;
  readonly oldKey: string;
  readonly standing: readonly {
    readonly broken: readonly string[];
    readonly key: "key" | "oldKey";
    readonly path: string | null;
  }[];
  readonly entries: Readonly<Record<string, string>>;
  readonly files: Readonly<Record<string, string>>;
  readonly bad: Readonly<Record<string, Bad>>;
}

interface Bad {
  readonly what: string;
  readonly broken: readonly string[];
  readonly verdict: string;
  readonly files: Readonly<Record<string, string | null>>;
}

const vector = JSON.parse(
  await readFile(new URL("vectors/renewal/two-renewals.json", import.meta.url), "utf8"),
) as Vector;

function filesOf(change: Readonly<Record<string, string | null>> = {}) {
  const files: Readonly<Record<string, string | null>> = { ...vector.files, ...change };
  return (path: string): Promise<Uint8Array | undefined> => {
    const base64 = files[path];
    return Promise.resolve(base64 == null ? undefined : Buffer.from(base64, "base64"));
  };
}

test("the log with two renewals is intact, with the keys of either generation", async () => {
  for (const key of [vector.key, vector.oldKey]) {
    const verdict = await verifyLog({ files: filesOf(), logKey: readLogKey(key) });
    assert.ok(verdict.kind === "intact", JSON.stringify(verdict));
    assert.deepEqual(
      verdict.renewals.map(({ size, hash, generations }) => [size, hash, generations]),
      [
        [5, "SHA3-512", [1]],
        [11, "SHA-512", [2]],
      ],
    );
  }
});

for (const { broken, key, path } of vector.standing) {
  const names = broken.join(", ") || "nothing";
  test(`if ${names} fell, ${path ?? "nothing"} vouches to who has ${key}`, async () => {
    const fallen = broken.map(readFallen);
    const verdict = await verifyStanding({ files: filesOf(), logKey: readLogKey(vector[key]), fallen });
    assert.equal(verdict.kind === "proven" ? verdict.by.path : null, path, JSON.stringify(verdict));
  });
}

for (const [name, base64] of Object.entries(vector.entries)) {
  test(`${name} is proven without SHA-256`, () => {
    const standing = standingWithout([readFallen("SHA-256")]);
    const bytes = Buffer.from(base64, "base64");
    const reading = readRenewedEntry(bytes, readLogKey(vector.key), standing);
    assert.ok(reading.kind === "proven", JSON.stringify(reading));
    assert.equal(name, `entry ${reading.index} under renewal ${reading.renewal.number}`);
    assert.equal(readEntry(reading.entry).kind, "entry");
    for (let at = 0; at < bytes.length; at += 97) {
      const bent = Uint8Array.from(bytes);
      bent[at] = (bent[at] ?? 0) ^ 1;
      const other = readRenewedEntry(bent, readLogKey(vector.key), standing);
      const isSame: boolean = other.kind === "proven" && Buffer.compare(other.entry, reading.entry) === 0;
      assert.ok(other.kind === "bad" || isSame, `bent at ${at}`);
    }
  });
}

for (const [name, { what, broken, verdict: expected, files }] of Object.entries(vector.bad)) {
  test(`it is told that ${name}`, async () => {
    const logKey = readLogKey(vector.key);
    const verdict = await verifyLog({ files: filesOf(files), logKey });
    const told = verdict.kind === "broken" ? verdict.findings.map((finding) => finding.what) : [];
    assert.ok(
      told.some((each) => each === what),
      JSON.stringify(verdict),
    );
    const standing = await verifyStanding({
      files: filesOf(files),
      logKey,
      fallen: broken.map(readFallen),
    });
    assert.equal(standing.kind, expected, JSON.stringify(standing));
  });
}
