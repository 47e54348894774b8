/** The filter of system calls, run as the kernel would run it. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { systemCallFilter } from "./system-calls.ts";

interface Call {
  readonly arch: number;
  readonly number: number;
  readonly firstArgument?: number;
}

const [allow, noSuchCall, noSuchFamily] = [0x7fff_0000, 0x0005_0026, 0x0005_0061];

function run(program: Uint8Array, { arch, number, firstArgument = 0 }: Call): number {
  const bytes = Buffer.from(program);
  const data = new Map([
    [0, number],
    [4, arch],
    [16, firstArgument],
  ]);
  let accumulator = 0;
  for (let at = 0; at < bytes.length; at += 8) {
    const [code, k] = [bytes.readUInt16LE(at), bytes.readUInt32LE(at + 4)];
    const jump = (isTrue: boolean): void => void (at += 8 * bytes.readUInt8(at + (isTrue ? 2 : 3)));
    if (code === 0x06) return k;
    if (code === 0x20) accumulator = data.get(k) ?? assert.fail(`reads at ${k}`);
    else if (code === 0x15) jump(accumulator === k);
    else if (code === 0x35) jump(accumulator >= k);
    else assert.fail(`unknown instruction ${code}`);
  }
  return assert.fail("it ends without a verdict");
}

const machines = [
  { name: "x64", arch: 0xc000_003e, socket: 41, write: 1, ioUring: 425, keyctl: 250 },
  { name: "arm64", arch: 0xc000_00b7, socket: 198, write: 64, ioUring: 425, keyctl: 219 },
] as const;

for (const { name, arch, socket, write, ioUring, keyctl } of machines) {
  const filter = systemCallFilter(name);
  assert.ok(filter);

  test(`${name}: sockets of the usual families are made, and no others`, () => {
    for (const family of [1, 2, 10, 16])
      assert.equal(run(filter, { arch, number: socket, firstArgument: family }), allow, String(family));
    for (const family of [0, 3, 17, 31, 38, 40, 44, 0xffff_ffff])
      assert.equal(
        run(filter, { arch, number: socket, firstArgument: family }),
        noSuchFamily,
        String(family),
      );
  });

  test(`${name}: what makes sockets past a filter, and keyrings, there is not; the rest there is`, () => {
    for (const number of [ioUring, keyctl]) assert.equal(run(filter, { arch, number }), noSuchCall);
    for (const number of [write, 0, 2, 999]) assert.equal(run(filter, { arch, number }), allow);
  });

  test(`${name}: calls in another machine's numbers there are none of`, () => {
    assert.equal(run(filter, { arch: 0x4000_0003, number: write }), noSuchCall);
  });
}

test("on x64 the numbers of x32 are another machine's, too", () => {
  const filter = systemCallFilter("x64");
  assert.ok(filter);
  assert.equal(run(filter, { arch: 0xc000_003e, number: 0x4000_0000 + 41, firstArgument: 2 }), noSuchCall);
});

test("for a machine whose numbers aren't known there is none", () => {
  assert.equal(systemCallFilter("riscv64"), undefined);
});
