/** What the log says of people: pseudonyms and keyed digests, which a destroyed key makes meaningless. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test, type TestContext } from "node:test";

import { makeJoinToken } from "../../src/app/certificate-authority.ts";
import { startExpose } from "../../src/app/expose.ts";
import { statePaths } from "../../src/app/state-folder.ts";
import { openSubjectStore } from "../../src/app/subject-names.ts";
import { verifyLogFolder } from "../../src/app/log-verification.ts";
import { openLogReader } from "../../src/host/store/log-reader.ts";
import { systemClock, systemLog } from "../../src/host/system.ts";
import { atEnd } from "../support/cleanup.ts";
import { cli } from "../support/cli.ts";
import {
  clientOf,
  enrol,
  eventually,
  freshState,
  openPolicy,
  stubServer,
  temporaryFolder,
  testGateway,
  toolCall,
} from "../support/gateway.ts";
import { checkLog, entriesOf, recorded } from "../support/records.ts";
import { proofKey, type WebAnswer, webClient, webScene, type WebScene } from "../support/web-gateway.ts";

const alice = "oauth:corp/user/alice";
const app = "oauth:corp/client/app";

interface Scene extends WebScene {
  readonly state: string;
  /** One call of a user's, through the client app. */
  readonly ask: (user: string) => Promise<WebAnswer>;
  /** One of alice's that is answered. */
  readonly call: () => Promise<void>;
}

async function scene(t: TestContext): Promise<Scene> {
  const made = await webScene(t, { listener: "dpop_nonce: false" });
  const [client, key] = [webClient(t, made), await proofKey()];
  const ask = async (user: string): Promise<WebAnswer> => {
    const token = await made.token({ sub: user, cnf: { jkt: key.thumbprint } });
    return await client({ headers: await key.headers(token) });
  };
  const call = async (): Promise<void> => {
    const answer = await ask("alice");
    assert.equal(answer.status, 200, answer.text);
  };
  return { ...made, state: made.gateway.config.state, ask, call };
}

/** Entries as whoever has nothing but the log's folder reads them. */
async function rawTexts(state: string): Promise<readonly string[]> {
  const texts: string[] = [];
  for await (const { bytes } of openLogReader(statePaths(state).log).forwards())
    texts.push(new TextDecoder().decode(bytes));
  return texts;
}

async function subjectOf(state: string, id: string) {
  const store = await openSubjectStore({ state });
  assert.ok(store, "the state folder has subjects");
  try {
    return store.known(id);
  } finally {
    store.close();
  }
}

/**
 * The files of a state folder in which any of these stands. Another process copies them first: whoever closes a file that
 * its own process has open as a database takes away that database's locks.
 */
async function filesWith(
  t: TestContext,
  state: string,
  needles: readonly Buffer[],
): Promise<readonly string[]> {
  const copy = path.join(await temporaryFolder(t), "copy");
  // It fails for a file that was replaced meanwhile, and goes on.
  spawnSync("cp", ["-a", state, copy]);
  const found: string[] = [];
  const names: string[] = [];
  for (const entry of await readdir(copy, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = path.join(entry.parentPath, entry.name);
    names.push(path.relative(copy, file));
    const bytes = await readFile(file);
    if (needles.some((needle) => bytes.includes(needle))) found.push(path.relative(copy, file));
  }
  for (const name of ["state.sqlite", "log-key.txt", "keys/subjects.json"])
    assert.ok(names.includes(name), name);
  return found;
}

/** As bytes may stand in a file; base64 at each of its three alignments. */
function formsOf(bytes: Buffer): readonly Buffer[] {
  const base64 = [0, 1, 2].flatMap((shift) => {
    const text = Buffer.concat([Buffer.alloc(shift), bytes]).toString("base64");
    // What depends on the bytes around it is left out.
    const inner = text.replace(/=+$/, "").slice(shift === 0 ? 0 : 4, -4);
    return [inner, inner.replaceAll("+", "-").replaceAll("/", "_")];
  });
  return [bytes, Buffer.from(bytes.toString("hex")), ...base64.map((text) => Buffer.from(text))];
}

test("who reads the log alone finds pseudonyms; who has the keys reads names", async (t) => {
  const { gateway, state, call } = await scene(t);
  await call();
  const [decision] = await checkLog(gateway);
  assert.equal(decision?.principal, app);
  assert.equal(decision.facts["chain"], JSON.stringify([alice]));
  const raw = (await rawTexts(gateway.config.state)).find((text) => text.includes("call.decision")) ?? "";
  assert.match(raw, /"principal_id":"pseudonym:[A-Za-z0-9_-]{22}"/);
  assert.match(raw, /"chain":"\[\\"pseudonym:[A-Za-z0-9_-]{22}\\"\]"/);
  const named = await cli(["audit", "tail", "--state", state]);
  assert.match(named.stdout, /call\.decision.*oauth:corp\/client\/app.*chain=\["oauth:corp\/user\/alice"\]/);
  const bare = await cli(["audit", "tail", "--state", state, "--pseudonyms"]);
  assert.match(bare.stdout, /call\.decision.*pseudonym:/);
  assert.doesNotMatch(bare.stdout, /oauth:/);
  const copied = await cli(["audit", "tail", "--log", statePaths(state).log]);
  assert.doesNotMatch(copied.stdout, /oauth:/);
  const shown = await cli(["audit", "show", decision.callId, "--state", state]);
  assert.match(shown.stdout, /"principal_id": "oauth:corp\/client\/app"/);
  const listed = await cli(["audit", "subjects", "--state", state]);
  assert.match(listed.stdout, /^pseudonym:\S{22} {2}\S+Z {2}oauth:corp\/user\/alice$/m);
});

test("the database, without what unlocks the keys, doesn't say who is in it", async (t) => {
  const { gateway, state, call } = await scene(t);
  await call();
  const subject = await subjectOf(state, alice);
  assert.ok(subject);
  await gateway.stop();
  const { database } = statePaths(state);
  const db = new DatabaseSync(database);
  const rows = db.prepare("select * from subjects").all();
  db.close();
  const text = JSON.stringify(rows);
  assert.ok(text.includes(subject.pseudonym), "the row is there");
  const forms = [...formsOf(Buffer.from(alice)), ...formsOf(Buffer.from(subject.key))];
  for (const form of forms) assert.ok(!text.includes(form.toString("latin1")), "neither id nor key");
});

test("an erased user leaves no trace in the state folder but its entries, under a pseudonym nobody can make again", async (t) => {
  const { gateway, state, call } = await scene(t);
  await call();
  await eventually("the peer is remembered on disk", async () => {
    const { database } = statePaths(state);
    return (await filesWith(t, state, [Buffer.from(alice)])).some((file) =>
      file.startsWith(path.basename(database)),
    );
  });
  const subject = await subjectOf(state, alice);
  assert.ok(subject);
  const db = new DatabaseSync(statePaths(state).database);
  const row = db.prepare("select * from subjects where pseudonym = ?").get(subject.pseudonym);
  db.close();
  const sealed = [row?.["sealed"], row?.["lookup"]].map((text) => Buffer.from(String(text)));
  const needles = [...formsOf(Buffer.from(alice)), ...formsOf(Buffer.from(subject.key)), ...sealed];
  assert.notDeepEqual(await filesWith(t, state, needles), [], "the search finds what is there");

  const plan = await cli(["audit", "erase", alice, "--state", state]);
  assert.equal(plan.code, 3, plan.stderr);
  assert.ok(plan.stdout.includes(subject.pseudonym));
  assert.match(plan.stdout, /2 entries stay in the log under pseudonym:/);
  assert.ok(await subjectOf(state, alice), "nothing was erased without --yes");

  const done = await cli(["audit", "erase", alice, "--state", state, "--yes"]);
  assert.equal(done.code, 0, done.stderr);
  await eventually(
    "the erasure is on record",
    async () => (await entriesOf(gateway, "subject.erase")).length === 1,
  );
  const [erasure] = await entriesOf(gateway, "subject.erase");
  assert.equal(erasure?.principal, "spiffe://latticegate.local/gateway");
  assert.equal(erasure.facts["pseudonym"], subject.pseudonym);
  assert.equal(erasure.facts["entries"], "2");
  assert.match(erasure.facts["by"] ?? "", /^audit erase \(uid \d+\)$/);
  assert.deepEqual(await filesWith(t, state, needles), []);
  await gateway.audit.journal.checkpoint();
  const paths = statePaths(state);
  assert.equal((await verifyLogFolder({ folder: paths.log, key: paths.logKey })).kind, "intact");
  const tail = await cli(["audit", "tail", "--state", state]);
  assert.ok(tail.stdout.includes(`chain=["${subject.pseudonym}"]`), "shown as it stands");
  assert.match(tail.stdout, /oauth:corp\/client\/app/, "others keep their names");
  const again = await cli(["audit", "erase", subject.pseudonym, "--state", state, "--yes"]);
  assert.match(again.stdout, /was erased before/);
});

test("a running gateway forgets who was erased: a later call comes under another pseudonym", async (t) => {
  const { gateway, state, call } = await scene(t);
  await call();
  const before = await subjectOf(state, alice);
  assert.equal((await cli(["audit", "erase", alice, "--state", state, "--yes"])).code, 0);
  await call();
  const after = await subjectOf(state, alice);
  assert.ok(before && after);
  assert.notEqual(after.pseudonym, before.pseudonym);
  const decisions = (await rawTexts(gateway.config.state)).filter((text) => text.includes("call.decision"));
  assert.ok(decisions[0]?.includes(before.pseudonym));
  assert.ok(decisions[1]?.includes(after.pseudonym));
  assert.ok(!decisions[1]?.includes(before.pseudonym));
  const [first, second] = (await recorded(gateway)).filter(({ event }) => event === "call.decision");
  assert.equal(first?.facts["chain"], JSON.stringify([before.pseudonym]));
  assert.equal(second?.facts["chain"], JSON.stringify([alice]));
});

test("a call that is under way when its caller is erased ends under the pseudonym it began with", async (t) => {
  const reached = Promise.withResolvers<void>();
  const held = Promise.withResolvers<void>();
  const server = await stubServer(t, (_request, response) => {
    reached.resolve();
    void held.promise.then(() => response.writeHead(200, { "content-type": "application/json" }).end("{}"));
  });
  const gateway = await testGateway(t, `servers: { files: { url: "${server.url}" } }\n${openPolicy}`);
  const { state } = gateway.config;
  const asking = clientOf(t, gateway, await enrol(gateway)).post("files", toolCall("slow"));
  await reached.promise;
  const id = "spiffe://latticegate.local/agent/test";
  const before = await subjectOf(state, id);
  const erased = await cli(["audit", "erase", id, "--state", state, "--yes"]);
  assert.equal(erased.code, 0, erased.stderr);
  assert.match(erased.stdout, /stays, because it is in force: .* certificates/);
  held.resolve();
  await asking;
  const outcome = (await rawTexts(gateway.config.state)).find((text) => text.includes("/call.outcome"));
  assert.ok(before && outcome?.includes(before.pseudonym));
});

test("a caller whose key can't be kept is refused, and the log names nobody", async (t) => {
  const { gateway, state, files, ask, call } = await scene(t);
  const db = new DatabaseSync(statePaths(state).database);
  db.exec("alter table subjects rename to gone");
  db.close();
  const answer = await ask("bob");
  assert.equal(answer.status, 503, answer.text);
  assert.equal(files.seen.length, 0);
  const back = new DatabaseSync(statePaths(state).database);
  back.exec("alter table gone rename to subjects");
  back.close();
  await call();
  const texts = await rawTexts(gateway.config.state);
  assert.ok(!texts.some((text) => text.includes("oauth:")), "no name got in");
  const unnamed = texts.filter((text) => text.includes("journal_unavailable"));
  assert.equal(unnamed.length, 1, "how the refused call ended is in the log");
});

test("a file is proven to be what was asked or answered, and nothing else is; equal arguments don't look equal", async (t) => {
  const folder = await temporaryFolder(t);
  const server = await stubServer(t, (_request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write('data: {"jsonrpc":"2.0","method":"notifications/message","params":{}}\n\n');
    response.end('data: {"jsonrpc":"2.0","id":1,"result":{}}\n\n');
  });
  const gateway = await testGateway(t, `servers: { files: { url: "${server.url}" } }\n${openPolicy}`);
  const client = clientOf(t, gateway, await enrol(gateway));
  const message = toolCall("read", 1, { pin: "1234" });
  const answer = await client.post("files", message);
  await client.post("files", message);
  const [first, , second] = await checkLog(gateway);
  assert.match(first?.facts["request_hmac"] ?? "", /^[A-Za-z0-9_-]{43}$/);
  assert.notEqual(first?.facts["request_hmac"], second?.facts["request_hmac"]);
  const [asked, answered, other] = ["asked", "answered", "other"].map((name) => path.join(folder, name));
  await writeFile(asked ?? "", JSON.stringify(message));
  await writeFile(answered ?? "", answer.bytes);
  await writeFile(other ?? "", JSON.stringify(toolCall("read", 1, { pin: "1235" })));
  const digest = async (side: string, file = ""): Promise<number> =>
    (await cli(["audit", "digest", first?.callId ?? "", side, file, "--state", gateway.config.state])).code;
  assert.equal(await digest("--request", asked), 0);
  assert.equal(await digest("--request", other), 1);
  assert.equal(await digest("--answer", answered), 0);
  assert.equal(await digest("--answer", asked), 1);
  assert.equal(
    (await cli(["audit", "erase", first?.principal ?? "", "--state", gateway.config.state, "--yes"])).code,
    0,
  );
  const gone = await cli([
    "audit",
    "digest",
    first?.callId ?? "",
    "--request",
    asked ?? "",
    "--state",
    gateway.config.state,
  ]);
  assert.equal(gone.code, 1);
  assert.match(gone.stderr, /key of pseudonym:\S+ isn't in this state folder/);
});

test("an exposed server's own log names nobody either, and forgets whom its operator erases", async (t) => {
  const stub = await stubServer(t);
  const gateway = await testGateway(t, openPolicy);
  const grant = { path: "server/stub", address: gateway.address };
  const state = await freshState(t);
  const exposed = await startExpose({
    server: { url: stub.url },
    listen: "127.0.0.1:0",
    allow: ["spiffe://latticegate.local/agent/*"],
    state,
    joinToken: await makeJoinToken(gateway.config, grant, systemClock),
    clock: systemClock,
    log: systemLog({ level: "error", form: "json", write: () => undefined }),
  });
  atEnd(t, exposed.stop);
  const enrolment = await enrol(gateway, "agent/direct");
  const client = clientOf(
    t,
    { ...gateway, address: new URL(exposed.url).host },
    { ...enrolment, identity: { ...enrolment.identity, gateway: exposed.spiffeId } },
  );
  assert.equal((await client.post("stub", toolCall("read"))).status, 200);
  const raw = await rawTexts(state);
  assert.ok(raw.some((text) => text.includes('"principal_id":"pseudonym:')));
  assert.ok(!raw.some((text) => text.includes("agent/direct")));
  const id = "spiffe://latticegate.local/agent/direct";
  assert.ok((await cli(["audit", "tail", "--state", state])).stdout.includes(id));
  assert.equal((await cli(["audit", "erase", id, "--state", state, "--yes"])).code, 0);
  await eventually("the erasure is on record", async () =>
    (await rawTexts(state)).some(
      (text) => text.includes('"event_type":"subject.erase"') && text.includes(exposed.spiffeId),
    ),
  );
  assert.ok(!(await cli(["audit", "tail", "--state", state])).stdout.includes(id));
});

test("each of these commands says what it needs, and what it can't find", async (t) => {
  const { gateway, state, call } = await scene(t);
  await call();
  const [decision] = await recorded(gateway);
  const empty = await freshState(t);
  const file = path.join(gateway.folder, "secret");
  const wrong: readonly (readonly [args: readonly string[], code: number, says: RegExp])[] = [
    [["subjects", "--state", empty], 1, /There are no subjects in/],
    [["erase", "--state", state], 2, /Name one subject by its exact name or pseudonym/],
    [
      ["erase", "oauth:corp/user/nobody", "--state", state],
      1,
      /The log has no subject "oauth:corp\/user\/nobody"/,
    ],
    [["erase", "pseudonym:AAAAAAAAAAAAAAAAAAAAAA", "--state", state, "--yes"], 1, /The log has no subject/],
    [["digest", "--request", file, "--state", state], 2, /Expected a call's id/],
    [
      ["digest", "x", "--request", file, "--answer", file, "--state", state],
      2,
      /either --request FILE or --answer/,
    ],
    [["digest", "x", "--request", file, "--state", state], 1, /no digest of the request of x/],
    [["digest", decision?.callId ?? "", "--request", "none", "--state", state], 2, /none can't be read/],
  ];
  const ended = await Promise.all(wrong.map(([args]) => cli(["audit", ...args])));
  for (const [i, { code, stderr }] of ended.entries()) {
    const [args, expected, says] = wrong[i] ?? [[], -1, /./];
    assert.equal(code, expected, `${args.join(" ")}: ${stderr}`);
    assert.match(stderr, says, args.join(" "));
  }
});

test("an erasure while no gateway runs is put on record by the next one, and counts from then on", async (t) => {
  const server = await stubServer(t);
  const yaml = `servers: { files: { url: "${server.url}" } }\n${openPolicy}`;
  const first = await testGateway(t, yaml);
  const enrolment = await enrol(first);
  await clientOf(t, first, enrolment).post("files", toolCall("read"));
  const { state } = first.config;
  await first.stop();
  const before = await subjectOf(state, enrolment.identity.spiffe_id);
  const { code } = await cli(["audit", "erase", enrolment.identity.spiffe_id, "--state", state, "--yes"]);
  assert.equal(code, 0);
  const second = await testGateway(t, yaml, { folder: first.folder });
  await eventually("it is on record", async () => (await entriesOf(second, "subject.erase")).length === 1);
  await clientOf(t, second, enrolment).post("files", toolCall("read"));
  const decisions = (await checkLog(second)).filter(({ event }) => event === "call.decision");
  assert.deepEqual(
    decisions.map(({ principal }) => principal),
    [before?.pseudonym, enrolment.identity.spiffe_id],
  );
});
