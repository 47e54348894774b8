/** Questions to the file of traffic, asked beside the calls. */
import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";

import { temporaryFolder } from "../../../test/support/gateway.ts";
import { openTraffic, resolutions } from "../../host/store/state-traffic.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { askTraffic } from "./asked-traffic.ts";

const hour = 3_600_000;
const now = 500_000 * hour;
const asked = { stepMs: resolutions[2].stepMs, fromUnixMs: 0, toUnixMs: now + hour };

test("an answer is kept until the file is written again, and is a new one then", async (t) => {
  const folder = await temporaryFolder(t);
  const file = path.join(folder, "traffic.sqlite");
  const store = openTraffic(file);
  t.after(store.close);
  const told = askTraffic({ file, log: folder });
  t.after(told.close);
  const called = (): void =>
    store.add(
      [
        {
          rows: [
            {
              atUnixMs: now,
              caller: "a",
              server: "files",
              verdict: "allowed",
              link: "",
              serverLink: "",
              calls: 1,
            },
          ].map((row) => ({ ...row, requestBytes: 0, answerBytes: 0, ms: 0, risky: 0 })),
          spread: { atUnixMs: now, ms: [1], risk: [] },
        },
      ],
      now,
    );
  const calls = async () => (await told.rows("byRoute", asked)).map((row) => row.calls);
  called();
  assert.deepEqual(await calls(), [1]);
  called();
  assert.deepEqual(await calls(), [1]);
  told.written();
  assert.deepEqual(await calls(), [2]);
  assert.equal(await told.firstSeen({ caller: "a" }), now);
  assert.equal(await told.firstSeen({ caller: "b" }), undefined);
});

test("a file that can't be read is a reason, and the next question is tried anew", async (t) => {
  const folder = await temporaryFolder(t);
  const file = path.join(folder, "not-there", "traffic.sqlite");
  const told = askTraffic({ file, log: folder });
  t.after(told.close);
  for (let i = 0; i < 2; i++)
    await assert.rejects(
      told.spreads(asked),
      (error) => error instanceof Refusal && error.code === "bad_state",
    );
});
