import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";

import { linuxMachine, listening } from "./linux-processes.ts";

const signal = new AbortController().signal;
const isLinux = process.platform === "linux";

test(
  "this process and a port it listens on are found",
  { skip: !isLinux && "Linux alone has /proc" },
  async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    try {
      const { processes, listeners } = await linuxMachine(signal);
      const own = processes.find(({ pid }) => pid === process.pid);
      assert.deepEqual([own?.parent, own?.command[0]], [process.ppid, process.argv0]);
      const address = server.address();
      assert.ok(typeof address === "object" && address !== null);
      assert.deepEqual(
        listeners.find(({ port }) => port === address.port),
        { host: "127.0.0.1", port: address.port, pid: process.pid },
      );
    } finally {
      server.close();
    }
  },
);

test("rows of the kernel's tables are read, and what has another shape is no row", () => {
  const row = (address: string, state = "0A", inode = "4242"): string =>
    `   0: ${address} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000  1000        0 ${inode} 1 0`;
  const table = [
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode",
    row("0100007F:1F90"),
    row("00000000000000000000000001000000:0050"),
    row("0000000000000000FFFF00000100007F:0051"),
    row("00000000000000000000000000000000:0052"),
    row("0100007F:1F91", "01"),
    row("0100007F:1F92", "0A", "x"),
    row("7F:1F93"),
    row("ZZZZZZZZ:1F94"),
    " ".repeat(100_000),
    "0:".repeat(50_000),
  ].join("\n");
  assert.deepEqual(
    listening(table).map(({ host, port }) => [host, port]),
    [
      ["127.0.0.1", 8080],
      ["::1", 80],
      ["127.0.0.1", 81],
      ["::", 82],
    ],
  );
});

test("processes that end, hide or write nonsense about themselves hold nothing up", async () => {
  const proc = mkdtempSync(path.join(tmpdir(), "proc-"));
  try {
    const folder = (pid: string, files: Readonly<Record<string, string>>): void => {
      mkdirSync(path.join(proc, pid, "fd"), { recursive: true });
      for (const [name, text] of Object.entries(files)) writeFileSync(path.join(proc, pid, name), text);
    };
    folder("1", { cmdline: "init\0", status: "Name:\tinit\nPPid:\t0\nUid:\t0\t0\t0\t0\n" });
    folder("2", {});
    folder("3", { cmdline: "a\0".repeat(5000), status: "\0\0\0" });
    folder("4", { cmdline: `x\0${"y".repeat(1024 * 1024)}\0`, status: `PPid:\t${"9".repeat(400)}\n` });
    folder("not-a-pid", { cmdline: "z\0" });
    symlinkSync("socket:[77]", path.join(proc, "1", "fd", "0"));
    symlinkSync("socket:[77]", path.join(proc, "3", "fd", "1"));
    const { processes, problems } = await linuxMachine(signal, proc);
    assert.deepEqual(
      [1, 3, 4].map((pid) => {
        const one = processes.find((process) => process.pid === pid);
        return [pid, one?.command.length, one?.stdin];
      }),
      [
        [1, 1, "pipe"],
        [3, 512, undefined],
        [4, 2, undefined],
      ],
    );
    assert.equal(processes.length, 3);
    assert.ok(processes.every(({ command }) => command.join("").length <= 64 * 1024));
    assert.deepEqual(problems, []);
    const none = await linuxMachine(signal, path.join(proc, "missing"));
    assert.match(none.problems.join(), /is \/proc mounted/);
  } finally {
    rmSync(proc, { recursive: true });
  }
});
