/** What an outlet promises: every event at least once, in order, whatever its other end does. */
import assert from "node:assert/strict";
import { readFileSync, rmSync, statSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";

import type { Delivery, Sink } from "../../host/outlets/sink.ts";
import { syslogSink } from "../../host/outlets/syslog-sink.ts";
import { ocsfEvent } from "../../respond/events/ocsf.ts";
import type { Teller, Told } from "../../respond/events/told.ts";
import { outsideAuthority } from "../../../test/support/certificates.ts";
import { appendMany, draft, origin } from "../../../test/support/log-fixture.ts";
import { forgingRelay, outletScene, syslogReceiver, teller } from "../../../test/support/outlets.ts";

const hourMs = 3_600_000;

/** Takes what `answer` says; remembers the uids it was shown and took. */
function fakeSink(answer: (events: readonly Told[]) => Delivery, more: Partial<Sink> = {}) {
  const taken: string[] = [];
  const sink: Sink = {
    maxBatch: 100,
    inDoubt: 0,
    link: () => undefined,
    close: () => Promise.resolve(),
    send: (events) => {
      const delivery = answer(events);
      taken.push(...events.slice(0, delivery.taken).map(({ uid }) => uid));
      return Promise.resolve(delivery);
    },
    ...more,
  };
  return { sink, taken };
}

function uids(from: number, to: number): readonly string[] {
  return Array.from({ length: to - from }, (_, i) => `${origin}#${from + i}`);
}

const json = (told: Told, by: Teller): string => JSON.stringify(ocsfEvent(told, by));

test("a receiver that is away for an hour misses nothing, and that it was away is told once", async (t) => {
  const { journal, store, log, untilIdle } = await outletScene(t);
  await appendMany(journal, 0, 1000);
  let isUp = false;
  const { sink, taken } = fakeSink((events) =>
    isUp ? { taken: events.length } : { taken: 0, failed: "away" },
  );
  await untilIdle(sink, (passedMs) => {
    isUp = passedMs >= hourMs;
    return true;
  });
  assert.deepEqual(taken, uids(0, 1000));
  assert.deepEqual(log.events, ["outlet.unreachable", "outlet.reached"]);
  const { cursor, sent, lastError, failingSinceUnixMs } = store.of("siem") ?? {};
  assert.deepEqual([cursor, sent, lastError, failingSinceUnixMs], [1000, 1000, undefined, undefined]);
});

test("the cursor is where it was when the next run begins, and moves only behind what was taken", async (t) => {
  const { journal, store, untilIdle } = await outletScene(t);
  await appendMany(journal, 0, 150);
  let left = 130;
  const part = fakeSink(({ length }) => {
    const took = Math.min(left, length);
    left -= took;
    return took === length ? { taken: took } : { taken: took, failed: "away" };
  });
  await untilIdle(part.sink, () => false);
  assert.equal(store.of("siem")?.cursor, 130);
  const rest = fakeSink(({ length }) => ({ taken: length }));
  await untilIdle(rest.sink);
  assert.deepEqual([...part.taken, ...rest.taken], uids(0, 150));
});

test("what a receiver took last is sent again once its end broke", async (t) => {
  const { journal, untilIdle } = await outletScene(t);
  await appendMany(journal, 0, 400);
  let batches = 0;
  const { sink, taken } = fakeSink(
    ({ length }) => (++batches === 4 ? { taken: 0, failed: "broke" } : { taken: length }),
    { inDoubt: 2 },
  );
  await untilIdle(sink);
  assert.deepEqual(taken, [...uids(0, 300), ...uids(100, 400)]);
});

test("entries that were removed before they were told are told as a gap", async (t) => {
  const { journal, folder, untilIdle } = await outletScene(t);
  await appendMany(journal, 0, 600);
  await journal.checkpoint();
  rmSync(path.join(folder, "tile/entries/000"));
  const told: Told[] = [];
  const { sink } = fakeSink((events) => {
    told.push(...events);
    return { taken: events.length };
  });
  await untilIdle(sink);
  assert.deepEqual(
    told.slice(0, 2).map(({ event, uid }) => [event, uid]),
    [
      ["outlet.gap", `${origin}#0-255`],
      ["call.decision", `${origin}#256`],
    ],
  );
  assert.equal(told[0]?.facts["entries"], "256");
});

test("what will never be taken goes to a file for its owner alone, and the rest goes on", async (t) => {
  const { journal, store, deadFile, untilIdle } = await outletScene(t);
  await appendMany(journal, 0, 5);
  const { sink } = fakeSink(
    ([event]) =>
      event?.index === 2 ? { taken: 1, dead: [{ event, why: "it answered with status 400" }] } : { taken: 1 },
    { maxBatch: 1 },
  );
  await untilIdle(sink);
  const { cursor, sent, dead } = store.of("siem") ?? {};
  assert.deepEqual([cursor, sent, dead], [5, 4, 1]);
  const letter = JSON.parse(readFileSync(deadFile, "utf8")) as { event: Told; why: string };
  assert.deepEqual([letter.event.uid, letter.why], [`${origin}#2`, "it answered with status 400"]);
  assert.equal(statSync(deadFile).mode & 0o777, 0o600);
});

test("only what is picked is told, and the cursor passes the rest", async (t) => {
  const { journal, store, untilIdle } = await outletScene(t, ["responses", "denials"]);
  await appendMany(journal, 0, 300);
  await journal.append(draft(300, { event: "response.act", facts: { action: "quarantine" } }));
  await journal.append(draft(301, { outcome: "denied" }));
  await appendMany(journal, 302, 310);
  const { sink, taken } = fakeSink(({ length }) => ({ taken: length }));
  await untilIdle(sink);
  assert.deepEqual(taken, uids(300, 302));
  assert.equal(store.of("siem")?.cursor, 310);
});

test("an operator's replay tells the same events again under the same uids", async (t) => {
  const { journal, store, untilIdle } = await outletScene(t);
  await appendMany(journal, 0, 20);
  const { sink, taken } = fakeSink(({ length }) => ({ taken: length }));
  await untilIdle(sink);
  store.change("siem", { replayFrom: 15 });
  await untilIdle(sink);
  assert.deepEqual(taken, [...uids(0, 20), ...uids(15, 20)]);
});

test("another log in the same place is told from its beginning", async (t) => {
  const { journal, store, log, untilIdle } = await outletScene(t);
  await appendMany(journal, 0, 20);
  store.change("siem", { origin: "log.example/before", cursor: 4000 });
  const { sink, taken } = fakeSink(({ length }) => ({ taken: length }));
  await untilIdle(sink);
  assert.deepEqual(taken, uids(0, 20));
  assert.deepEqual(log.events, ["outlet.other_log"]);
});

test("syslog over TLS: a receiver that breaks off in the middle gets all of it, in order", async (t) => {
  const { journal, store, untilIdle } = await outletScene(t);
  await appendMany(journal, 0, 1200);
  const authority = outsideAuthority("Acme SIEM");
  const { certificate: cert, key } = authority.issue("siem");
  let broken = false;
  const receiver = await syslogReceiver(t, { cert, key }, (socket, messages) => {
    if (broken || messages < 700) return;
    broken = true;
    socket.destroy();
  });
  const secure = { ca: authority.certificate };
  const { port, messages } = receiver;
  await untilIdle(syslogSink({ host: "127.0.0.1", port, tls: secure, teller, format: json }));
  const received = messages.map((message) => {
    const body: unknown = JSON.parse(message.slice(message.indexOf(" {") + 1));
    return (body as { metadata: { uid: string } }).metadata.uid;
  });
  assert.deepEqual([...new Set(received)], uids(0, 1200));
  assert.ok(received.length > 1200, "what was in doubt came again");
  assert.match(
    messages[0] ?? "",
    /^<110>1 2026-09-21T\d\d:\d\d:\d\d\.\d{3}Z gateway-1\.acme\.test latticegate - call\.decision \[origin /,
  );
  assert.equal(store.of("siem")?.link, "TLSv1.3 X25519MLKEM768");
});

test("syslog over TLS: a receiver under another authority gets nothing", async (t) => {
  const { journal, store, untilIdle } = await outletScene(t);
  await appendMany(journal, 0, 3);
  const { certificate: cert, key } = outsideAuthority("Somebody else").issue("siem");
  const { port, messages } = await syslogReceiver(t, { cert, key });
  const secure = { ca: outsideAuthority("Acme SIEM").certificate };
  const sink = syslogSink({ host: "127.0.0.1", port, tls: secure, teller, format: json });
  await untilIdle(sink, () => false);
  assert.deepEqual(messages, []);
  assert.match(store.of("siem")?.lastError ?? "", /unable to verify|self.signed|UNABLE_TO/i);
});

test("syslog over TLS: who closes the connection instead of reading is never taken for one that read", async (t) => {
  const { journal, store, untilIdle } = await outletScene(t);
  await appendMany(journal, 0, 3);
  const authority = outsideAuthority("Acme SIEM");
  const { certificate: cert, key } = authority.issue("siem");
  // As a server that finds no certificate of ours that it likes: TLS 1.3 had us write by then.
  const { port } = await syslogReceiver(t, { cert, key }, undefined, (socket) => socket.end());
  const secure = { ca: authority.certificate };
  await untilIdle(syslogSink({ host: "127.0.0.1", port, tls: secure, teller, format: json }), () => false);
  const { cursor, lastError } = store.of("siem") ?? {};
  assert.deepEqual([cursor, lastError], [0, "it ended the connection before all was read"]);
});

test("syslog over TLS: the end of TCP that somebody on the way forges isn't taken for the receiver's", async (t) => {
  const { journal, store, untilIdle } = await outletScene(t);
  await appendMany(journal, 0, 3);
  const authority = outsideAuthority("Acme SIEM");
  const { certificate: cert, key } = authority.issue("siem");
  const receiver = await syslogReceiver(t, { cert, key });
  const port = await forgingRelay(t, receiver.port);
  const options = { host: "127.0.0.1", port, tls: { ca: authority.certificate }, teller, format: json };
  await untilIdle(syslogSink(options), () => false);
  const { cursor, lastError } = store.of("siem") ?? {};
  assert.equal(cursor, 0);
  assert.match(lastError ?? "", /without a word under TLS \(close_notify\)/);
  await untilIdle(syslogSink({ ...options, unprovenEnd: true }));
  assert.equal(store.of("siem")?.cursor, 3, "unless an operator wants it so");
});

test("syslog over TLS: a receiver that goes on talking gets no more time by it", async (t) => {
  const { journal, store, untilIdle } = await outletScene(t);
  await appendMany(journal, 0, 3);
  const authority = outsideAuthority("Acme SIEM");
  const { certificate: cert, key } = authority.issue("siem");
  const { port } = await syslogReceiver(t, { cert, key, allowHalfOpen: true }, undefined, (socket) => {
    const talking = setInterval(() => socket.write("."), 10);
    socket.on("close", () => clearInterval(talking));
  });
  const secure = { ca: authority.certificate };
  const options = { host: "127.0.0.1", port, tls: secure, teller, format: json, timeoutMs: 500 };
  await untilIdle(syslogSink(options), () => false);
  assert.equal(store.of("siem")?.lastError, "it didn't go on in time");
});

test("syslog over TCP on this machine counts by the same end, and has no link to tell of", async (t) => {
  const { journal, store, untilIdle } = await outletScene(t);
  await appendMany(journal, 0, 3);
  const closing = await syslogReceiver(t, undefined, undefined, (socket) => socket.end());
  await untilIdle(syslogSink({ host: "127.0.0.1", port: closing.port, teller, format: json }), () => false);
  assert.equal(store.of("siem")?.cursor, 0);
  const { port, messages } = await syslogReceiver(t);
  await untilIdle(syslogSink({ host: "127.0.0.1", port, teller, format: json }));
  assert.equal(messages.length, 3);
  const { cursor, link } = store.of("siem") ?? {};
  assert.deepEqual([cursor, link], [3, undefined]);
});

test("syslog over TLS: a receiver without a hybrid group is used, and that it is classical is told", async (t) => {
  const { journal, store, log, untilIdle } = await outletScene(t);
  await appendMany(journal, 0, 3);
  const authority = outsideAuthority("Acme SIEM");
  const { certificate: cert, key } = authority.issue("siem");
  const old = { cert, key, ecdhCurve: "P-256", maxVersion: "TLSv1.2" as const };
  const { port, messages } = await syslogReceiver(t, old);
  await untilIdle(
    syslogSink({ host: "127.0.0.1", port, tls: { ca: authority.certificate }, teller, format: json }),
  );
  assert.equal(messages.length, 3);
  assert.match(store.of("siem")?.link ?? "", /^TLSv1\.2 /);
  assert.deepEqual(log.events, ["outlet.classical_link"]);
});
