/**
 * What shells and terminals do with the program: completion typed into bash, zsh and fish, colours and progress on a
 * terminal. The shells are Debian's; bash and zsh read from a pseudoterminal, as a person types.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, before, describe, test } from "node:test";

import { latticegate, cli } from "../support/cli.ts";
import { installed } from "../support/debian.ts";
import { temporaryFolder } from "../support/gateway.ts";
import { type GatewayProcess, gatewayProcess, loopbackSidecar } from "../support/gateway-process.ts";

/** What is typed, and what stands there after the Tab key. */
const typed: readonly (readonly [string, string])[] = [
  ["latticegate aud", "latticegate audit "],
  ["latticegate audit verify-b", "latticegate audit verify-bundle "],
  ["latticegate audit verify --se", "latticegate audit verify --seen "],
  ["latticegate crypto rotate mani", "latticegate crypto rotate manifest "],
  ["latticegate playbooks check some-f", "latticegate playbooks check some-file.yaml "],
  ["latticegate tools diff st", "latticegate tools diff stub "],
  [
    "latticegate ca revoke spiffe://latticegate.local/agent/",
    "latticegate ca revoke spiffe://latticegate.local/agent/typist ",
  ],
  ["latticegate crypto plan tran", "latticegate crypto plan transition "],
  ["latticegate fly", "latticegate fly"],
];

/** In zsh: starts a shell on a pseudoterminal, types each line into it with a Tab, and prints what stands there then. */
const typist = [
  "zmodload zsh/zpty",
  'zpty shell "TERM=dumb $SHELL_STARTED"',
  `zpty -w shell "$SETUP; echo READ''Y"`,
  "zpty -r shell seen '*READY*'",
  "while IFS= read -r line; do",
  `  zpty -w -n shell "$line"$'\\t\\x18'`,
  String.raw`  zpty -r shell seen '*SEEN\[*\]*'`,
  String.raw`  seen=${"$"}{seen##*SEEN\[}; print -r -- "${"$"}{seen%%\]*}"`,
  "done",
  "zpty -d shell",
].join("\n");

const setups = {
  zsh: {
    started: "PS1= zsh -f -i",
    setup:
      'autoload -U compinit; compinit -u -d zcompdump; source completion.zsh; show() { printf "SEEN[%s]" "$BUFFER"; BUFFER= }; zle -N show; bindkey "^X" show',
  },
  bash: {
    started: "PS1= bash --norc --noprofile -i",
    setup:
      'source completion.bash; bind "set enable-bracketed-paste off"; show() { printf "SEEN[%s]" "$READLINE_LINE"; READLINE_LINE=; }; bind -x \'"\\C-x": show\'',
  },
} as const;

describe("a shell and a terminal", () => {
  const undo: (() => unknown)[] = [];
  const t = { after: (step: () => unknown) => void undo.push(step) };
  let gateway: GatewayProcess;
  let env: NodeJS.ProcessEnv;

  before(async () => {
    gateway = await gatewayProcess(t, 'servers: { stub: { url: "http://127.0.0.1:9/mcp" } }');
    await loopbackSidecar(t, gateway, "stub", "typist");
    const bin = path.join(await temporaryFolder(t), "bin");
    await mkdir(bin);
    const program = [process.execPath, ...latticegate([])].map((word) => `'${word}'`).join(" ");
    await writeFile(path.join(bin, "latticegate"), `#!/bin/sh\nexec ${program} "$@"\n`);
    await chmod(path.join(bin, "latticegate"), 0o755);
    await writeFile(path.join(gateway.folder, "some-file.yaml"), "");
    for (const shell of ["bash", "zsh", "fish"] as const) {
      const { code, stdout } = await cli(["completion", shell]);
      assert.equal(code, 0);
      await writeFile(path.join(gateway.folder, `completion.${shell}`), stdout);
    }
    // Of terminals of CIs Node thinks otherwise.
    const { FORCE_COLOR: _, NO_COLOR: __, CI: ___, ...rest } = process.env;
    env = { ...rest, PATH: `${bin}:${process.env["PATH"] ?? ""}` };
  });
  after(async () => {
    for (const step of undo.reverse()) await step();
  });

  /** @returns what it printed, whatever its exit code */
  const ran = (program: string, args: readonly string[], more: object = {}): string => {
    const options = { cwd: gateway.folder, env, encoding: "utf8", timeout: 120_000, ...more } as const;
    const { stdout, stderr, error } = spawnSync(program, args, options);
    assert.ifError(error);
    return stdout + stderr;
  };

  for (const shell of ["zsh", "bash"] as const) {
    const missing = installed("zsh", "zsh");
    test(`${shell} completes what is typed into it`, { skip: missing ?? false }, () => {
      const { started, setup } = setups[shell];
      const seen = ran("zsh", ["-f", "-c", typist], {
        input: typed.map(([line]) => `${line}\n`).join(""),
        env: { ...env, SHELL_STARTED: started, SETUP: setup },
      });
      assert.deepEqual(
        seen.split("\n").filter((line) => line !== ""),
        typed.map(([, expected]) => expected),
      );
    });
  }

  const noFish = installed("fish", "fish");
  test("fish offers what may follow, and says what it is", { skip: noFish ?? false }, () => {
    for (const [line, expected] of typed) {
      const word = expected.trim().split(" ").at(-1) ?? "";
      const args = ["--no-config", "-c", 'source completion.fish; complete -C"$argv[1]"', line];
      const offered = ran("fish", args).split("\n");
      const found = offered.find((each) => each.split("\t", 1)[0] === word);
      assert.equal(found !== undefined, line !== expected, `${line}: ${offered.join(" ")}`);
    }
    const [offered] = ran("fish", [
      "--no-config",
      "-c",
      'source completion.fish; complete -C"latticegate scan --che"',
    ]).split("\n");
    assert.match(offered ?? "", /^--check\tExit with 1 if /);
  });

  /** As on a terminal of 80 columns. */
  const onTerminal = (command: string, more: NodeJS.ProcessEnv = {}): string =>
    ran("script", ["-qec", command, "/dev/null"], { env: { ...env, TERM: "xterm", ...more } });
  const green = "\u001b[32m";
  const red = "\u001b[31m";

  const noScript = installed("script", "bsdutils");
  describe("on a terminal", { skip: noScript ?? false }, () => {
    test("verdicts and complaints have colours, unless NO_COLOR is set", () => {
      assert.ok(onTerminal("latticegate ca list").includes(`${green}valid`));
      assert.ok(onTerminal("latticegate pins forget").includes(`${red}latticegate pins forget:`));
      assert.ok(
        !onTerminal("latticegate ca list; latticegate pins forget", { NO_COLOR: "1" }).includes("\u001b["),
      );
    });

    test("what programs read has none, also where FORCE_COLOR is set", () => {
      const forced = { FORCE_COLOR: "1" };
      for (const command of [
        "ca list --json",
        "audit query --format csv",
        "pins forget --json",
        "completion zsh",
      ])
        assert.ok(!onTerminal(`latticegate ${command}`, forced).includes("\u001b["), command);
    });

    test("long work is told of in a line of its own, which is gone before the result", () => {
      const seen = onTerminal("latticegate detect mutate text some-file.yaml; latticegate audit verify");
      const erased = "\r\u001b[2K";
      assert.ok(seen.includes(`${erased}Changing and judging …${erased}`), seen);
      assert.match(seen, /intact/);
    });
  });

  test("without a terminal there is no colour and no progress, unless FORCE_COLOR has colours", () => {
    const words = ["ca", "list"];
    assert.ok(!ran("latticegate", words).includes("\u001b["));
    assert.ok(!ran("latticegate", ["detect", "mutate", "some-file.yaml"]).includes("\r"));
    assert.ok(ran("latticegate", words, { env: { ...env, FORCE_COLOR: "1" } }).includes(`${green}valid`));
  });
});
