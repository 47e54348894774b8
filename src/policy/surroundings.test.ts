import assert from "node:assert/strict";
import { test } from "node:test";

import { nothingSaid, surroundingsOf } from "./surroundings.ts";

test("a caller is in the groups whose patterns match, an address in the networks that hold it", () => {
  const around = surroundingsOf({
    ...nothingSaid,
    groups: { finance: ["spiffe://a.test/finance/*", "oauth:web/client/ledger"], all: ["*"] },
    networks: { office: ["10.0.0.0/8", "2001:db8::/32"], home: ["192.168.1.0/24"] },
  });
  assert.deepEqual(around.groupsOf("spiffe://a.test/finance/1"), ["finance", "all"]);
  assert.deepEqual(around.groupsOf("spiffe://a.test/x"), ["all"]);
  assert.deepEqual(around.networksOf("10.9.8.7"), ["office"]);
  assert.deepEqual(around.networksOf("2001:db8::1"), ["office"]);
  assert.deepEqual(around.networksOf("192.168.2.1"), []);
  assert.deepEqual(around.networksOf("unknown"), []);
});

test("of the data that a target is about, what must stay secret longest counts", () => {
  const around = surroundingsOf({
    ...nothingSaid,
    data: [
      { name: "any", tools: ["*"], shelfLifeMs: 1 },
      { name: "records", tools: ["ehr/*"], resources: ["ehr/file:*"], shelfLifeMs: 9 },
    ],
  });
  assert.equal(around.dataOf("tools", "ehr", "read")?.name, "records");
  assert.equal(around.dataOf("tools", "other", "read")?.name, "any");
  assert.equal(around.dataOf("resources", "ehr", "file:///x")?.name, "records");
  assert.equal(around.dataOf("prompts", "ehr", "x"), undefined);
});

test("labels are of one server's tools", () => {
  const around = surroundingsOf({ ...nothingSaid, labels: { bank: { money: ["pay", "refund_*"] } } });
  assert.deepEqual(around.labelsOf("bank", "refund_all"), ["money"]);
  assert.deepEqual(around.labelsOf("bank", "list"), []);
  assert.deepEqual(around.labelsOf("other", "pay"), []);
});

test("the clock is that of the zone", () => {
  const noon = Date.UTC(2026, 6, 1, 12);
  assert.equal(surroundingsOf(nothingSaid).clock(noon).hour, 12);
  assert.equal(surroundingsOf({ ...nothingSaid, zone: "Europe/Berlin" }).clock(noon).hour, 14);
});
