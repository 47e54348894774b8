/** Every command of the table: help, --json, completion, and what mistakes are answered with. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, test } from "node:test";

import { loaded, own, parseCall } from "../../src/cli/command.ts";
import { commands, find } from "../../src/cli/commands.ts";
import { examples } from "../../src/cli/examples.ts";
import { overview, usage } from "../../src/cli/help.ts";
import { completionsOf } from "../../src/cli/completions-of.ts";
import { computing, longWork, progress } from "../../src/cli/progress.ts";
import { firstSteps, topics } from "../../src/cli/topics.ts";
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

test("the help about all has each command under one topic, and its first steps can be typed", () => {
  const words = topics.flatMap(({ things }) => Object.keys(things));
  const first = commands.map(({ name }) => name.split(" ")[0] ?? "");
  assert.deepEqual(words.toSorted(), [...new Set(first)].toSorted());
  const text = overview();
  for (const { name, isPlumbing } of commands) {
    const [thing = "", ...verb] = name.split(" ");
    const part = text.slice(text.search(new RegExp(`^  ${thing} `, "m")));
    const verbs = part
      .split(/\n {2}\S/, 1)[0]
      ?.split(/[,\n]/)
      .map((each) => each.trim().replace(/^or /, ""));
    assert.equal(verb.length === 0 || verbs?.includes(verb.join(" ")), isPlumbing !== true, name);
  }
  for (const [typed] of firstSteps) assert.notEqual(find(typed.split(" ")), undefined, typed);
  assert.ok(text.split("\n").every((line) => line.length <= 120));
});

test("every example of the help is a call that its command takes", async () => {
  for (const [name, lines] of Object.entries(examples)) {
    for (const [typed] of lines) {
      const words = [...typed.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(([, a, b, c]) => a ?? b ?? c ?? "");
      const found = find(words);
      assert.equal(found?.row.name, name, typed);
      const call = parseCall(await loaded(found.row), found.rest, { out: () => undefined });
      assert.ok(!own(found.rest).includes("--help") && call.positionals.every((each) => each !== ""), typed);
    }
  }
});

test("a command that was called otherwise before is still found by that name", () => {
  const renamed = commands.filter(({ before }) => before !== undefined);
  assert.ok(renamed.length > 0);
  for (const { name, before = "" } of renamed) {
    assert.equal(find([...before.split(" "), "--json"])?.row.name, name);
    assert.ok(!commands.some((row) => row.name === before), before);
  }
  assert.equal(find(["outlets", "tst"]), undefined, "a mistyped verb isn't an argument");
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

describe("progress", () => {
  const seen = (isTTY: boolean, isQuiet: boolean, command = "audit verify") => {
    let written = "";
    let nowMs = 0;
    const stream = { isTTY, columns: 40, write: (text: string) => (written += text) === text };
    const shown = progress(command, isQuiet, { stream, nowMs: () => nowMs });
    return { ...shown, written: () => written, at: (ms: number) => void (nowMs = ms) };
  };
  const line = (text: string): string => `\r\u001b[2K${text}`;

  test("is a line that is rewritten, once a second has passed, and wiped before anything is printed", (t) => {
    t.mock.timers.enable({ apis: ["setInterval"] });
    const shown = seen(true, false);
    shown.doing("Verifying the log: 256 of 1000 entries");
    assert.equal(shown.written(), "");
    shown.at(1000);
    t.mock.timers.tick(1000);
    shown.at(1050);
    shown.doing("too soon to be read");
    shown.at(1100);
    shown.doing("Verifying: 512");
    const first = line("Verifying the log: 256 of 1000 entries …".slice(0, 39));
    assert.equal(shown.written(), `${first}${line("Verifying: 512 … 1 s")}`);
    shown.end();
    t.mock.timers.tick(1000);
    assert.equal(shown.written(), `${first}${line("Verifying: 512 … 1 s")}${line("")}`);
  });

  test("is shown at once where work leaves no timer a turn", () => {
    const shown = seen(true, false, "detect train calls");
    shown.doing("Training known");
    shown.end();
    assert.equal(shown.written(), [line("Training …"), line("Training known …"), line("")].join(""));
  });

  test("is shown on terminals alone, and not with --json", (t) => {
    t.mock.timers.enable({ apis: ["setInterval"] });
    for (const shown of [seen(false, false), seen(true, true), seen(true, false, "ca list")]) {
      shown.at(2000);
      t.mock.timers.tick(2000);
      shown.end();
      assert.equal(shown.written(), "");
    }
  });

  test("is told of commands that there are", () => {
    const unknown = Object.keys({ ...longWork, ...computing }).filter(
      (name) => find(name.split(" ")) === undefined,
    );
    assert.deepEqual(unknown, []);
  });
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

test("an option that was called otherwise before says the same", async () => {
  const found = find(["approvals", "approve"]);
  assert.ok(found !== undefined);
  const command = await loaded(found.row);
  for (const option of ["--because", "--reason"]) {
    const call = parseCall(command, ["1", option, "It is."], { out: () => undefined });
    assert.equal(call.text("because"), "It is.");
  }
  assert.ok(!usage(command).includes("--reason"));
});
