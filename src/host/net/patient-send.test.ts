import assert from "node:assert/strict";
import { test } from "node:test";

import { Refusal } from "../../kernel/refusal.ts";
import { systemLog } from "../system.ts";
import type { HttpAnswer } from "./http-exchange.ts";
import { patientSend } from "./patient-send.ts";

const log = systemLog({ level: "error", form: "json", write: () => undefined });
const request = { method: "POST", path: "/", headers: [] } as const;
const whole: HttpAnswer = { kind: "whole", status: 200, headers: [], body: new Uint8Array(0) };
const refusal = (cause: string, sent: boolean): Refusal =>
  new Refusal("upstream_failed", cause, { facts: { cause, sent } });

/** What comes of a request whose tries end like this, one after the other; and how many there were. */
async function outcome(...tries: readonly Refusal[]): Promise<readonly [string, number]> {
  let at = 0;
  const send = patientSend(
    () => {
      const next = tries[at++];
      return next === undefined ? Promise.resolve(whole) : Promise.reject(next);
    },
    60_000,
    log,
  );
  const end = await send({ ...request, headers: [] }).then(
    ({ status }) => String(status),
    (error: unknown) => (error instanceof Refusal ? error.message : "fault"),
  );
  return [end, at];
}

const closed = refusal("UND_ERR_SOCKET", false);

test("a link that is closed before anything was sent on it is tried again, a few times", async () => {
  assert.deepEqual(await outcome(closed), ["200", 2]);
  assert.deepEqual(await outcome(closed, refusal("ECONNREFUSED", false), closed), ["200", 4]);
  assert.deepEqual(await outcome(closed, closed, closed, closed), ["200", 5]);
  assert.deepEqual(await outcome(closed, closed, closed, closed, closed), ["UND_ERR_SOCKET", 5]);
});

test("what may have been carried out is never sent again", async () => {
  for (const cause of ["UND_ERR_SOCKET", "ECONNRESET"])
    assert.deepEqual(await outcome(refusal(cause, true)), [cause, 1]);
});
