/** What keeps a sandbox from being had, said before anything runs; and what may be shown in one. */
import assert from "node:assert/strict";
import { chmod, mkdir, symlink, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import path from "node:path";
import { test, type TestContext } from "node:test";

import { temporaryFolder } from "../../../test/support/gateway.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { contained, isShown, isWithin } from "./bubblewrap.ts";
import { commandInside, findBubblewrap, planSandbox, trySandbox } from "./open-sandbox.ts";

const found = { bwrap: "/usr/bin/bwrap", isModern: true };

/** A PATH on which `bwrap` is this script; without one there is none. */
async function withBwrap(t: TestContext, script?: string): Promise<void> {
  const folder = await temporaryFolder(t);
  if (script !== undefined) {
    const file = path.join(folder, "bwrap");
    await writeFile(file, `#!/bin/sh\n${script}\n`);
    await chmod(file, 0o755);
  }
  const before = process.env["PATH"];
  process.env["PATH"] = folder;
  t.after(() => (process.env["PATH"] = before));
}

test("where bubblewrap is missing it is said, with what to do", async (t) => {
  await withBwrap(t);
  await assert.rejects(
    findBubblewrap(),
    (error) =>
      error instanceof Refusal &&
      error.code === "bad_config" &&
      /The server isn't started, .* there is no "bwrap" in PATH; install it/.test(error.message),
  );
});

test("where user namespaces are forbidden it is said, with bubblewrap's own words", async (t) => {
  await withBwrap(
    t,
    'if [ "$1" = --version ]; then echo "bubblewrap 0.8.0"; exit 0; fi\necho "bwrap: No permissions to create new namespace" >&2; exit 1',
  );
  await assert.rejects(
    findBubblewrap(),
    /isn't started, .*bwrap: No permissions to create new namespace; user namespaces may be forbidden here .*kernel\.unprivileged_userns_clone/,
  );
});

test("a bubblewrap that can't be run, or says nothing, is none", async (t) => {
  await withBwrap(t, "exit 3");
  await assert.rejects(findBubblewrap(), /can't be run/);
});

test("an older bubblewrap isn't asked for what it hasn't", async (t) => {
  await withBwrap(
    t,
    'if [ "$1" = --version ]; then echo "bubblewrap 0.6.1"; exit 0; fi\ncase "$*" in *--disable-userns*) exit 1;; esac',
  );
  assert.equal((await findBubblewrap()).isModern, false);
});

const holes: readonly (readonly [what: string, seen: object, says: RegExp])[] = [
  ["a network", { outward: ["eth0"], readable: [], reachesProxy: true }, /network isn't cut off/],
  ["the sidecar's keys", { outward: [], readable: ["KEYS"], reachesProxy: true }, /own state can be read/],
  ["no proxy", { outward: [], readable: [], reachesProxy: false }, /proxy can't be reached/],
];
for (const [what, seen, says] of holes) {
  test(`a sandbox from which one sees ${what} is none`, async (t) => {
    const at = await place(t);
    const told = JSON.stringify(seen).replace("KEYS", path.join(at.state, "keys"));
    const bwrap = path.join(at.work, "bwrap");
    await writeFile(bwrap, `#!/bin/sh\necho '${told}'\n`);
    await chmod(bwrap, 0o755);
    await assert.rejects(trySandbox({ ...plan(at, {}), bwrap }), says);
  });
}

test("a sandbox that seems to hold isn't refused, nor one that shows the empty place of the state", async (t) => {
  const at = await place(t);
  const bwrap = path.join(at.work, "bwrap");
  const told = JSON.stringify({ outward: [], readable: [at.state], reachesProxy: true });
  await writeFile(bwrap, `#!/bin/sh\necho '${told}'\n`);
  await chmod(bwrap, 0o755);
  await trySandbox({ ...plan(at, {}), bwrap });
});

interface Place {
  readonly state: string;
  readonly work: string;
  readonly folder: string;
}

async function place(t: TestContext): Promise<Place> {
  const folder = await temporaryFolder(t);
  const [state, work] = [path.join(folder, "state"), path.join(folder, "work")];
  await mkdir(state);
  await mkdir(work);
  return { state, work, folder };
}

function plan(
  { state }: Place,
  shown: {
    readonly readable?: readonly string[];
    readonly writable?: readonly string[];
    readonly holding?: readonly string[];
  },
): ReturnType<typeof planSandbox> {
  return planSandbox({ readable: [], writable: [], holding: [], ...shown, state, socket: "/s" }, found);
}

test("the sidecar's own state isn't shown, however it is named, nor may be written around", async (t) => {
  const at = await place(t);
  const link = path.join(at.folder, "link");
  await symlink(at.state, link);
  assert.throws(() => plan(at, { readable: [at.state] }), /state folder, which stays hidden/);
  assert.throws(() => plan(at, { readable: [link] }), /state folder, which stays hidden/);
  assert.throws(() => plan(at, { writable: [path.join(at.work, "..", "state")] }), /stays hidden/);
  assert.throws(() => plan(at, { writable: [at.folder] }), /holds the sidecar's own state folder/);
  const shown = plan(at, { readable: [at.folder], writable: [at.work] });
  assert.ok(isShown(at.work, shown));
  assert.ok(!isShown(path.join(at.state, "keys"), shown));
  const { command } = contained(
    { name: "x", command: ["a"], env: {}, stderrFolder: "", maxLineBytes: 1, log: quiet },
    shown,
  );
  const [binds, covers] = [command.lastIndexOf("--bind"), command.lastIndexOf(at.state)];
  assert.ok(binds !== -1 && covers > binds, "covered after all else is shown");
});

test("a server may write neither its own rules nor the program that holds it", async (t) => {
  const at = await place(t);
  const rules = path.join(at.work, "egress.yaml");
  await writeFile(rules, "");
  assert.throws(
    () => plan(at, { writable: [at.work], holding: [rules] }),
    /--writable .* holds .*egress\.yaml, by which the server is held/,
  );
  assert.throws(
    () => plan(at, { writable: [path.dirname(process.execPath)] }),
    /by which the server is held/,
  );
  assert.throws(() => plan(at, { writable: [import.meta.dirname] }), /by which the server is held/);
  plan(at, { readable: [at.work], holding: [rules] });
});

test("a whole home, or everything, is too much to show", async (t) => {
  const at = await place(t);
  assert.throws(() => plan(at, { readable: ["/"] }), /too much/);
  assert.throws(() => plan(at, { readable: [homedir()] }), /whole home folder/);
  assert.throws(() => plan(at, { writable: [path.dirname(homedir())] }), /too much/);
  assert.throws(() => plan(at, { readable: [path.join(at.work, "gone")] }), /isn't there/);
});

test("a program that the sandbox doesn't show is told before it fails, and files among its arguments, too", async (t) => {
  const at = await place(t);
  const program = path.join(at.work, "server");
  await writeFile(program, "#!/bin/sh\n");
  await chmod(program, 0o755);
  assert.throws(
    () => commandInside([program], plan(at, {})),
    /isn't shown to it; name its folder with --readable/,
  );
  assert.throws(() => commandInside(["no-such-program-anywhere"], plan(at, {})), /no program/);
  const shown = commandInside([program], plan(at, { readable: [at.work] }));
  assert.deepEqual(shown, { command: [program], unseen: [] });
  const script = path.join(at.work, "server");
  assert.deepEqual(commandInside(["sh", script, "--flag", "/"], plan(at, {})).unseen, [script]);
});

test("the sidecar's own node is there, wherever it is installed", async (t) => {
  const at = await place(t);
  const link = path.join(at.work, "node");
  await symlink(process.execPath, link);
  for (const program of [process.execPath, link])
    assert.equal(commandInside([program], plan(at, {})).command[0], "/run/latticegate/node");
});

test("what lies within a folder isn't what only begins like it", () => {
  assert.ok(isWithin("/a/b", "/a"));
  assert.ok(isWithin("/a", "/a"));
  assert.ok(isWithin("/a/..b", "/a"));
  assert.ok(!isWithin("/ab", "/a"));
  assert.ok(!isWithin("/", "/a"));
});

test("the server's environment leads to the proxy, and its own home", async (t) => {
  const shown = plan(await place(t), {});
  const child = {
    name: "x",
    command: ["a"],
    env: { HOME: "/root", KEY: "k" },
    stderrFolder: "",
    maxLineBytes: 1,
  } as const;
  const { env, command } = contained({ ...child, log: quiet }, shown);
  assert.deepEqual(
    [env["HOME"], env["KEY"], env["HTTP_PROXY"], env["no_proxy"]],
    ["/home/server", "k", "http://127.0.0.1:3128", "localhost,127.0.0.1,::1"],
  );
  for (const flag of [
    "--unshare-all",
    "--unshare-user",
    "--new-session",
    "--die-with-parent",
    "--disable-userns",
  ])
    assert.ok(command.includes(flag), flag);
});

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
