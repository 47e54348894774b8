import assert from "node:assert/strict";
import { test } from "node:test";

import { utf8 } from "../kernel/bytes.ts";
import { readFrame, type RequestFrame } from "./frame.ts";
import { requestWithout } from "./frame-edit.ts";
import { edited, removals } from "./json-edit.ts";
import type { Place } from "./json-scan.ts";

const metas = [
  `{"x":1}`,
  `{"x": {"deep":[1,2]} , "y":"ü"}`,
  `{"y":2,"x":1}`,
  `{ "y" : 2 , "x" : 1 , "io.modelcontextprotocol/protocolVersion" : "2026-07-28" }`,
  `{"x":1,"progressToken":7,"z":{"x":2}}`,
];
const around = [
  (meta: string) => `{"_meta":${meta}}`,
  (meta: string) => `{"name":"ö","arguments":{"a":[1]},"_meta":${meta},"requestState":"s"}`,
  (meta: string) => ` {"requestState":{"k":1} , "_meta" : ${meta} , "name":"t","arguments": {} } `,
];

function request(params: string): RequestFrame {
  const frame = readFrame(utf8(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":${params}}`));
  assert.ok(frame.kind === "request");
  return frame;
}

const placeOf = (frame: RequestFrame, name: string): Place =>
  frame.params?.meta?.members.get(name) ?? assert.fail(name);

test("a frame that is moved along says the same as one that is read again", () => {
  for (const meta of metas) {
    for (const params of around) {
      const frame = request(params(meta));
      const names = [...(frame.params?.meta?.members.keys() ?? [])];
      const chosen = [["x"], names].map((some) => some.map((name) => placeOf(frame, name)));
      const whole = frame.params?.meta?.span ?? assert.fail("no _meta");
      for (const places of [...chosen.slice(0, 1), [whole]]) {
        const again = readFrame(edited(frame.bytes, removals(frame.bytes, places)));
        const moved = requestWithout(frame, places);
        assert.deepEqual({ ...moved, bytes: [...moved.bytes] }, { ...again, bytes: [...again.bytes] });
      }
    }
  }
});

test("params that were made for a signature go with it", () => {
  const frame = request(`{"_meta":{"x":1}}`);
  const span = frame.params?.span ?? assert.fail("no params");
  const { bytes, params } = requestWithout(frame, [span]);
  assert.equal(Buffer.from(bytes).toString(), `{"jsonrpc":"2.0","id":1,"method":"tools/call"}`);
  assert.equal(params, undefined);
});
