/** Ids that count once: for as long as they could be used again, and within bounds. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { Refusal } from "../../kernel/refusal.ts";
import { replayGuard } from "./replay-guard.ts";

const refused = (code: string) => (error: unknown) => error instanceof Refusal && error.code === code;

test("an id counts once within the time it is kept, and of another owner it is another", () => {
  const clock = { now: 0 };
  const guard = replayGuard({ nowUnixMs: () => clock.now }, 1000);
  guard.take("a", "1");
  guard.take("b", "1");
  for (clock.now of [0, 500, 999]) assert.throws(() => guard.take("a", "1"), refused("bad_proof"));
});

test("an id taken at any moment is kept for the whole time, and forgotten after twice that", () => {
  for (const takenAt of [0, 300, 999]) {
    const clock = { now: 0 };
    const guard = replayGuard({ nowUnixMs: () => clock.now }, 1000);
    guard.take("a", "first");
    clock.now = takenAt;
    guard.take("a", "1");
    for (clock.now = takenAt; clock.now <= takenAt + 1000; clock.now += 100) {
      assert.throws(() => guard.take("a", "1"), refused("bad_proof"), `${takenAt} ${clock.now}`);
    }
    clock.now = takenAt + 2100;
    guard.take("a", "1");
  }
});

test("an owner fills its own share and no more, all together fill the whole, and time makes room", () => {
  const clock = { now: 0 };
  const guard = replayGuard({ nowUnixMs: () => clock.now }, 1000, { ids: 3, idsOfOwner: 2 });
  guard.take("a", "1");
  guard.take("a", "2");
  assert.throws(() => guard.take("a", "3"), refused("busy"));
  guard.take("b", "1");
  assert.throws(() => guard.take("c", "1"), refused("busy"));
  assert.throws(() => guard.take("a", "1"), refused("bad_proof"), "what is full still remembers");
  clock.now = 1000;
  guard.take("c", "1");
  assert.throws(() => guard.take("b", "1"), refused("bad_proof"));
});
