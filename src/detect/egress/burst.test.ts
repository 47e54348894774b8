import assert from "node:assert/strict";
import { test } from "node:test";

import { type Burst, burstIn, burstInWords, sizeText } from "./burst.ts";
import { DestinationBook, maxDestinations } from "./destination-book.ts";
import {
  type DestinationMemory,
  type HoursOfWeek,
  hourOfWeek,
  isKnown,
  isQuiet,
  metAt,
  noHours,
  withContact,
  withHour,
  withTraffic,
} from "./destination-memory.ts";

const KiB = 1024;
const budgetBytes = 256 * KiB;
const dayMs = 86_400_000;
/** A Sunday, 03:12. */
const night = Date.UTC(2026, 0, 4, 3, 12);
const atThree = hourOfWeek({ weekday: 0, hour: 3 });
const usualHours: HoursOfWeek = withHour(noHours, atThree);

function sending(memory: DestinationMemory, sent: number, received: number, at = night): DestinationMemory {
  return withTraffic(memory, { sent, received }, at);
}

/** Visited daily, sending that much each time. */
function visited(times: number, sentBytes: number): DestinationMemory {
  let memory = metAt(night - times * dayMs);
  for (let day = times; day > 0; day--) {
    const at = night - day * dayMs;
    memory = sending(memory, sentBytes, sentBytes, at);
    memory = withContact(memory, sentBytes, { beganUnixMs: at, nowUnixMs: at + 1000 });
  }
  return memory;
}

function burst(memory: DestinationMemory, hours: HoursOfWeek = noHours): Burst | undefined {
  return burstIn({ memory, hours, hourOfWeek: atThree, budgetBytes });
}

test("much out after little in, to where nobody has been, at an hour without history, is a burst", () => {
  const found = burst(sending(metAt(night), 65 * KiB, 2 * KiB));
  assert.equal(found?.kind, "burst");
  assert.deepEqual([found?.isKnown, found?.isQuietHour, found?.allowedBytes], [false, true, 64 * KiB]);
});

test("the same at an hour at which the server works is let through, up to the whole budget", () => {
  assert.equal(burst(sending(metAt(night), 65 * KiB, 2 * KiB), usualHours), undefined);
  assert.equal(burst(sending(metAt(night), 257 * KiB, 2 * KiB), usualHours)?.kind, "burst");
});

test("what is answered in kind is no burst, until an unknown place has had its budget in all", () => {
  assert.equal(burst(sending(metAt(night), 100 * KiB, 50 * KiB)), undefined);
  assert.equal(burst(sending(metAt(night), 257 * KiB, 200 * KiB))?.kind, "budget");
});

test("many small connections are added up, and time lets them go", () => {
  let memory = metAt(night);
  for (let each = 0; each < 7; each++) memory = sending(memory, 10 * KiB, 0, night + each * 1000);
  assert.equal(burst(memory)?.kind, "burst");
  const slowly = sending(sending(metAt(night), 60 * KiB, 0), 10 * KiB, 0, night + 3_600_000);
  assert.equal(burst(slowly), undefined);
});

test("a drip to an unknown place ends with its budget, however slow", () => {
  let memory = metAt(night);
  let found: Burst | undefined;
  for (let hours = 0; hours < 100 && found === undefined; hours++) {
    memory = sending(memory, 4 * KiB, 0, night + hours * 3_600_000);
    found = burst(memory);
  }
  assert.equal(found?.kind, "budget");
  assert.equal(found?.sentBytes, 260 * KiB);
});

test("a place is known after three connections on two days, and not after one busy afternoon", () => {
  let memory = metAt(night);
  for (let each = 0; each < 50; each++)
    memory = withContact(memory, 10, { beganUnixMs: night + each, nowUnixMs: night + each });
  assert.ok(!isKnown(memory));
  assert.ok(isKnown(withContact(memory, 10, { beganUnixMs: night + dayMs, nowUnixMs: night + dayMs })));
});

test("a known place may be sent some times what it usually is, and not more", () => {
  const backup = visited(20, 500 * KiB);
  assert.ok(isKnown(backup));
  assert.equal(burst(sending(backup, 3000 * KiB, 0), usualHours), undefined);
  const found = burst(sending(backup, 4100 * KiB, 0), usualHours);
  assert.deepEqual([found?.kind, found?.isKnown, found?.usualBytes], ["burst", true, 500 * KiB]);
  assert.equal(
    burst(sending(backup, 2100 * KiB, 0))?.kind,
    "burst",
    "at an hour without history half of that",
  );
});

test("having been there often with little earns no more than an unknown place has", () => {
  assert.equal(burst(sending(visited(30, 100), 257 * KiB, 0), usualHours)?.kind, "burst");
});

test("one large connection makes nothing usual", () => {
  const memory = withContact(visited(20, 100), 50_000 * KiB, { beganUnixMs: night, nowUnixMs: night });
  assert.equal(burst(sending(memory, 257 * KiB, 0), usualHours)?.usualBytes, 100);
});

test("an hour is quiet if it, the one before and the one behind it are", () => {
  assert.ok(isQuiet(noHours, 0));
  for (const near of [167, 0, 1]) assert.ok(!isQuiet(withHour(noHours, near), 0));
  assert.ok(isQuiet(withHour(noHours, 2), 0));
});

test("a clock that goes back teaches nothing and forgets nothing", () => {
  const memory = sending(metAt(night), 60 * KiB, 0);
  const back = sending(memory, 10 * KiB, 0, night - 10 * dayMs);
  assert.equal(burst(back)?.kind, "burst");
  const book = new DestinationBook();
  assert.ok(book.meet("a:1", 1, night));
  assert.ok(!book.meet("b:1", 1, night - 30 * dayMs));
  assert.ok(book.meet("b:1", 1, night + dayMs));
});

test("the explanation says who, where, how much, what was normal", () => {
  const found = burst(sending(metAt(night), 300 * KiB, 1 * KiB));
  assert.ok(found);
  const about = {
    server: "notes",
    destination: "x.example:443",
    address: "198.18.0.1",
    when: "on Sunday at 03:12 (UTC)",
  };
  assert.equal(
    burstInWords(found, about),
    'The server "notes" was sending 300.0 KiB of late to x.example:443 (198.18.0.1), and had got 1.0 KiB back, on Sunday at 03:12 (UTC). It had never been there. It was never seen to send anything at that hour of the week, so at most 64.0 KiB may go there at once.',
  );
  const known = burst(sending(visited(20, 500 * KiB), 9000 * KiB, 0), usualHours);
  assert.ok(known);
  assert.match(
    burstInWords(known, about),
    /all but the largest of its last 16 connections there sent at most 500.0 KiB/,
  );
});

test("sizes are told in units", () => {
  assert.deepEqual([12, 2048, 3 * 1024 ** 2].map(sizeText), ["12 bytes", "2.0 KiB", "3.0 MiB"]);
});

test("a server that goes to ever new places is met by a bound on memory, and one each day", () => {
  const book = new DestinationBook();
  for (let each = 0; each < 10_000; each++) book.meet(`h${each}:1`, Number.POSITIVE_INFINITY, night);
  const { destinations } = book.contents();
  assert.equal(destinations.length, maxDestinations);
  const strict = new DestinationBook();
  const met = Array.from({ length: 100 }, (_, each) => strict.meet(`h${each}:1`, 20, night));
  assert.equal(met.filter(Boolean).length, 20);
  assert.ok(strict.meet("h3:1", 20, night), "what was met before is no new place");
});

test("what was kept is there again", () => {
  const book = new DestinationBook();
  for (const day of [0, 1, 2]) {
    const at = night + day * dayMs;
    book.moved("a:1", { sent: 10, received: 10 }, at);
    book.ended("a:1", { sentBytes: 10, hourOfWeek: atThree }, { beganUnixMs: at, nowUnixMs: at });
  }
  const again = new DestinationBook(
    JSON.parse(JSON.stringify(book.contents())) as ReturnType<typeof book.contents>,
  );
  assert.ok(again.isKnown("a:1"));
  assert.ok(!isQuiet(again.hours, atThree));
  again.forget("a:1");
  assert.ok(!again.isKnown("a:1"));
});
