import assert from "node:assert/strict";
import { test } from "node:test";

import { darwinListeners, darwinProcesses, windowsListeners, windowsProcesses } from "./told-processes.ts";

test("what ps and lsof print on macOS is read", () => {
  const ps =
    "    1     0 root             /sbin/launchd\n 4711   812 ada   /usr/local/bin/node /x/mcp.js --a\n\nnoise\n";
  assert.deepEqual(darwinProcesses(ps), [
    { pid: 1, parent: 0, user: "root", command: ["/sbin/launchd"] },
    { pid: 4711, parent: 812, user: "ada", command: ["/usr/local/bin/node", "/x/mcp.js", "--a"] },
  ]);
  assert.deepEqual(darwinListeners("p4711\nf12\nn127.0.0.1:8080\nf13\nn[::1]:8081\np5\nn*:22\nnx:y\n"), [
    { host: "127.0.0.1", port: 8080, pid: 4711 },
    { host: "::1", port: 8081, pid: 4711 },
    { host: "0.0.0.0", port: 22, pid: 5 },
  ]);
});

test("what PowerShell prints is read, one object or many", () => {
  const one =
    '{"ProcessId":7,"ParentProcessId":4,"CommandLine":"\\"C:\\\\Program Files\\\\node.exe\\" x.js \\"a b\\""}';
  const expected = { pid: 7, parent: 4, command: ["C:\\Program Files\\node.exe", "x.js", "a b"] };
  assert.deepEqual(windowsProcesses(one), [expected]);
  assert.deepEqual(windowsProcesses(`[${one},{"ProcessId":8,"CommandLine":null},7,null]`), [expected]);
  assert.deepEqual(
    windowsListeners('[{"LocalAddress":"::","LocalPort":443,"OwningProcess":4},{"LocalPort":"x"}]'),
    [{ host: "::", port: 443, pid: 4 }],
  );
});

test("output of another shape gives nothing, and costs little", () => {
  for (const output of [
    "",
    "\0",
    "{",
    "[[[",
    "p\nn\n",
    " 1 x ".repeat(50_000),
    '"'.repeat(200_000),
    "\n".repeat(300_000),
  ]) {
    for (const read of [darwinProcesses, darwinListeners, windowsProcesses, windowsListeners])
      assert.deepEqual(read(output), [], output.slice(0, 10));
  }
});
