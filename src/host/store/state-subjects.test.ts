import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { promisify } from "node:util";

import { openSubjects } from "./state-subjects.ts";

const run = promisify(execFile);
const secret = randomBytes(32);
const newFile = (): string => join(mkdtempSync(join(tmpdir(), "latticegate-subjects-")), "state.sqlite");

test("processes that meet the same new subjects at once all have the same keys", async () => {
  const file = newFile();
  openSubjects(file, secret).close();
  const script = `
    import { openSubjects } from ${JSON.stringify(new URL("state-subjects.ts", import.meta.url).href)};
    const store = openSubjects(${JSON.stringify(file)}, Buffer.from("${secret.toString("hex")}", "hex"));
    const keys = Array.from({ length: 40 }, (_, i) => Buffer.from(store.of("oauth:corp/user/" + i, 1).key).toString("hex"));
    store.close();
    process.stdout.write(keys.join(" "));
  `;
  const outputs = await Promise.all(
    Array.from({ length: 4 }, () => run(process.execPath, ["--input-type=module", "-e", script])),
  );
  const [first, ...others] = outputs.map(({ stdout }) => stdout);
  assert.equal(first?.split(" ").length, 40);
  for (const other of others) assert.equal(other, first);
});

test("a subject is found by its id and by its pseudonym until it is erased, and is somebody else after that", () => {
  const store = openSubjects(newFile(), secret);
  const made = store.of("oauth:corp/user/a", 5);
  assert.deepEqual(store.of("oauth:corp/user/a", 9), made);
  assert.deepEqual(store.byPseudonym(made.pseudonym), made);
  assert.deepEqual(store.list(10), [made]);
  const erasure = store.erase(made.pseudonym, { atUnixMs: 7, by: "test", entries: 3 });
  assert.equal(erasure?.pseudonym, made.pseudonym);
  assert.equal(store.known("oauth:corp/user/a"), undefined);
  assert.equal(store.byPseudonym(made.pseudonym), undefined);
  assert.deepEqual(store.unrecorded(), [erasure]);
  store.recorded(erasure.id);
  assert.deepEqual(store.unrecorded(), []);
  assert.deepEqual(store.erasedSince(0), [erasure]);
  assert.notEqual(store.of("oauth:corp/user/a", 9).pseudonym, made.pseudonym);
  assert.equal(
    store.erase("pseudonym:AAAAAAAAAAAAAAAAAAAAAA", { atUnixMs: 7, by: "", entries: 0 }),
    undefined,
  );
  store.close();
});

test("rows that changed places in the file open for nobody, nor does another secret open any", () => {
  const file = newFile();
  const store = openSubjects(file, secret);
  const a = store.of("oauth:corp/user/a", 1);
  store.of("oauth:corp/user/b", 1);
  store.close();
  const stranger = openSubjects(file, randomBytes(32));
  assert.equal(stranger.known("oauth:corp/user/a"), undefined);
  assert.throws(() => stranger.byPseudonym(a.pseudonym), { code: "bad_state" });
  stranger.close();
  const db = new DatabaseSync(file);
  db.exec(
    "update subjects set (nonce, sealed) = (select nonce, sealed from subjects order by rowid desc limit 1)",
  );
  db.close();
  const again = openSubjects(file, secret);
  assert.throws(() => again.known("oauth:corp/user/a"), { code: "bad_state" });
  again.close();
});

test("erasing takes what is only on record of an id along, and says what stays because it is in force", () => {
  const file = newFile();
  const store = openSubjects(file, secret);
  const db = new DatabaseSync(file);
  const [day, now, id] = [86_400_000, 1e12, "spiffe://example.org/agent/a"];
  db.exec(`
    create table certificates (serial text, spiffe_id text, not_after_unix_ms integer, revoked_unix_ms integer);
    create table join_grants (secret_hash text, spiffe_id text, expires_unix_ms integer, used_unix_ms integer);
    create table peer_memory (direction text, peer text);
    create table shut_out (spiffe_id text);
    insert into certificates values ('old', '${id}', ${now - 31 * day}, null), ('new', '${id}', ${now - day}, null),
      ('other', '${id}b', ${now - 31 * day}, null);
    insert into join_grants values ('used', '${id}', ${now + day}, 1), ('open', '${id}', ${now + day}, null);
    insert into peer_memory values ('incoming', '${id}'), ('incoming', '${id}b'), ('incoming', 'oauth:c for ${id}'),
      ('incoming', 'oauth:c for ${id}b'), ('outgoing', 'files');
    insert into shut_out values ('${id}');
  `);
  const { pseudonym } = store.of(id, now);
  const stays = store.staying(id, now).map(({ rows }) => rows);
  store.erase(pseudonym, { atUnixMs: now, by: "test", entries: 0 });
  const column = (table: string, name: string): readonly unknown[] =>
    db
      .prepare(`select ${name} as x from ${table} order by 1`)
      .all()
      .map((row) => row["x"]);
  assert.deepEqual(column("certificates", "serial"), ["new", "other"]);
  assert.deepEqual(column("join_grants", "secret_hash"), ["open"]);
  assert.deepEqual(column("peer_memory", "peer"), ["files", `oauth:c for ${id}b`, `${id}b`]);
  assert.deepEqual(column("shut_out", "spiffe_id"), [id]);
  assert.deepEqual(stays, [1, 1, 1]);
  db.close();
  store.close();
});

test("subjects that are made together are there together, or not at all; where nobody is new, nothing is waited for", () => {
  const file = newFile();
  const [store, other] = [openSubjects(file, secret, 0), openSubjects(file, secret)];
  const make = (...ids: readonly string[]) => ids.map((id) => store.of(`oauth:corp/user/${id}`, 1).pseudonym);
  const before = other.version();
  const made = store.together(() => make("a", "b"));
  assert.deepEqual(
    other.list(9).map(({ pseudonym }) => pseudonym),
    made,
  );
  assert.notEqual(other.version(), before);
  const failing = (): void => {
    make("c", "a");
    assert.equal(other.known("oauth:corp/user/c"), undefined, "not before all are made");
    throw new Error("enough");
  };
  assert.throws(() => store.together(failing), /enough/);
  assert.equal(store.known("oauth:corp/user/c"), undefined);
  const db = new DatabaseSync(file);
  db.exec("begin immediate");
  assert.deepEqual(
    store.together(() => make("b", "a")),
    made.toReversed(),
  );
  assert.throws(() => store.together(() => make("d")), /locked/);
  db.exec("rollback");
  assert.equal(store.together(() => make("d")).length, 1);
  for (const each of [db, store, other]) each.close();
});
