/** Every command of the table: help, --json, completion, and what mistakes are answered with. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { loaded, usage } from "../../src/cli/command.ts";
import { commands } from "../../src/cli/commands.ts";
import { completionsOf } from "../../src/cli/completions-of.ts";
import { longWork, progress } from "../../src/cli/progress.ts";
import { withoutJson } from "../../src/cli/without-json.ts";
import { cli } from "../support/cli.ts";
import { temporaryFolder } from "../support/gateway.ts";

test("every command has a summary, help for each option, and --json or a reason why not", async () => {
  for (const row of commands) {
    const command = await loaded(row);
    assert.match(row.summary, /^[A-Z].*\.$/, row.name);
    const help = usage(command);
    for (const [name, option] of Object.entries(command.options)) {
      assert.ok(help.includes(`--${name}`) && option.help !== "", `${row.name} --${name}`);
      assert.equal(option.value !== undefined, option.type === "string", `${row.name} --${name} VALUE`);
    }
    assert.equal("json" in command.options, !(row.name in withoutJson), row.name);
  }
  const names = new Set(commands.map(({ name }) => name));
  assert.deepEqual(
    Object.keys(withoutJson).filter((name) => !names.has(name)),
    [],
  );
});

test("completion offers each word of each command, and each of its options", async () => {
  for (const row of commands) {
    const words = row.name.split(" ");
    for (const [at, word] of words.entries()) {
      const offered = await completionsOf([...words.slice(0, at), word.slice(0, 2)]);
      assert.ok(
        offered.some((each) => each.word === word),
        row.name,
      );
    }
    const offered = (await completionsOf([...words, "--"])).map(({ word }) => word);
    const { options } = await loaded(row);
    assert.deepEqual(
      offered,
      [...Object.keys(options), "help"].map((name) => `--${name}`),
    );
  }
});

test("completion offers the servers of the config, profiles and playbooks", async (t) => {
  const file = path.join(await temporaryFolder(t), "latticegate.yaml");
  await writeFile(file, 'listen: 127.0.0.1:0\nservers: { files: { url: "https://files.test/mcp" } }\n');
  const words = async (...line: string[]): Promise<readonly string[]> =>
    (await completionsOf(line)).map(({ word }) => word);
  assert.deepEqual(await words("tools", "diff", "--config", file, ""), ["files"]);
  assert.deepEqual(await words("tools", "diff", "--config", file, "x"), []);
  assert.deepEqual(await words("crypto", "plan", "--config", file, "tr"), ["transition"]);
  assert.deepEqual(await words("playbooks", "show", "--config", file, "rug"), ["rug-pull"]);
});

test("completion offers the words of an argument, names of files, and nothing it can't know", async () => {
  const words = async (line: string): Promise<readonly string[]> =>
    (await completionsOf(line.split(" "))).map(({ word }) => word);
  assert.deepEqual(await words("completion "), ["words", "bash", "zsh", "fish"]);
  assert.deepEqual(await words("crypto rotate c"), ["ca"]);
  assert.deepEqual(await words("ca rotate --for s"), ["server"]);
  assert.deepEqual(await words("playbooks check x"), [":files"]);
  assert.deepEqual(await words("incidents show --config /nowhere.yaml "), []);
});

const shells = [
  ["bash", "-n"],
  ["zsh", "-n"],
  ["fish", "--no-execute"],
] as const;
for (const [shell, flag] of shells) {
  const isThere = spawnSync(shell, ["--version"]).status === 0;
  test(`${shell} parses its completion script`, { skip: !isThere && `no ${shell} here` }, async () => {
    const { stdout, code } = await cli(["completion", shell]);
    assert.equal(code, 0);
    const { status, stderr } = spawnSync(shell, [flag], { input: stdout, encoding: "utf8" });
    assert.deepEqual([status, stderr], [0, ""]);
  });
}

test("in bash, the script offers what the program says", async () => {
  const { stdout } = await cli(["completion", "bash"]);
  const main = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
  const typed = `latticegate() { "$NODE" "$MAIN" "$@"; }
COMP_WORDS=(latticegate audit verify-); COMP_CWORD=2; _latticegate
printf '%s\\n' "\${COMPREPLY[@]}"`;
  const env = { ...process.env, NODE: process.execPath, MAIN: main };
  const ended = spawnSync("bash", [], { input: `${stdout}${typed}\n`, encoding: "utf8", env });
  assert.equal(ended.stdout, "verify-receipt\nverify-bundle\n", ended.stderr);
});

test("progress is shown on terminals alone, and wiped before what is printed", (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  for (const isTTY of [true, false]) {
    let written = "";
    const stream = { isTTY, write: (text: string) => (written += text) } as unknown as NodeJS.WriteStream;
    const shown = progress("audit verify", stream);
    t.mock.timers.tick(1000);
    shown.end();
    t.mock.timers.tick(1000);
    assert.equal(written, isTTY ? "\r\u001b[2KVerifying the log … 1 s\r\u001b[2K" : "");
  }
  assert.deepEqual(
    Object.keys(longWork).filter((name) => !commands.some((row) => row.name === name)),
    [],
  );
});

describe("a mistake is answered with what was meant", () => {
  const mistakes: readonly (readonly [readonly string[], RegExp])[] = [
    [["audit", "verfy"], /no command "audit verfy"; did you mean "latticegate audit verify"\?/],
    [["statsu"], /did you mean "latticegate status"\?/],
    [["audit"], /^ {2}audit tail/],
    [["audit", "verify", "--sen", "x"], /Did you mean --seen\?/],
    [["pins", "forget"], /"latticegate pins forget --help"/],
  ];
  for (const [args, expected] of mistakes) {
    test(args.join(" "), async () => {
      const { code, stderr, stdout } = await cli(args);
      assert.deepEqual([code, stdout], [2, ""]);
      assert.match(stderr, expected);
    });
  }

  test("with --json, an error is one line of JSON on stderr", async () => {
    for (const args of [["pins", "forget"], ["pins", "list", "--jsn"], ["statsu"]]) {
      const { code, stderr, stdout } = await cli([...args, "--json"]);
      const { error } = JSON.parse(stderr) as { error: Record<string, unknown> };
      assert.deepEqual([code, stdout, error["code"], error["exit_code"]], [2, "", "bad_config", 2]);
    }
  });
});
