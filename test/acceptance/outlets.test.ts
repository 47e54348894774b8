/** A SIEM that is down for an hour and dies in the middle, as rsyslog over TLS: nothing is missing in its file. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { cefLine } from "../../src/respond/events/cef.ts";
import { ocsfEvent } from "../../src/respond/events/ocsf.ts";
import { jsonFormat, type LineFormat } from "../../src/respond/events/shortened.ts";
import { syslogSink } from "../../src/host/outlets/syslog-sink.ts";
import type { Sink } from "../../src/host/outlets/sink.ts";
import { appendMany, draft, origin } from "../support/log-fixture.ts";
import { outletScene, teller } from "../support/outlets.ts";
import { rsyslog, whyNoRsyslog } from "../support/rsyslog.ts";

const skip = whyNoRsyslog() ?? false;
const hourMs = 3_600_000;
const entries = 10_000;

const formats: Readonly<
  Record<string, { readonly write: LineFormat; readonly uid: (line: string) => string }>
> = {
  OCSF: {
    write: jsonFormat(ocsfEvent),
    uid: (line) => (JSON.parse(line) as { metadata: { uid: string } }).metadata.uid,
  },
  CEF: { write: cefLine, uid: (line) => /externalId=(\S+)/.exec(line)?.[1] ?? line },
};

for (const [name, { write, uid }] of Object.entries(formats))
  test(
    `rsyslog, down for an hour and killed in the middle: all ${entries} events in order, as ${name} over TLS`,
    {
      skip,
    },
    async (t) => {
      const { journal, store, log, untilIdle } = await outletScene(t);
      const siem = await rsyslog(t);
      await appendMany(journal, 0, entries - 1);
      // Said so often in OCSF that rsyslog would make several messages of it.
      const facts = Object.fromEntries(["reason", "a", "b", "c"].map((name) => [name, "<a> ".repeat(250)]));
      await journal.append(draft(entries - 1, { tool: `files/${"<a> ".repeat(490)}`, facts }));
      const { port, tls } = siem;
      const sink = syslogSink({ host: "127.0.0.1", port, tls, teller, format: write });
      const starts: number[] = [];
      await untilIdle(dyingAt(sink, entries / 2, siem), async (passedMs) => {
        if (passedMs < hourMs) return true;
        starts.push(passedMs);
        await siem.start();
        return true;
      });
      assert.equal(starts.length, 2, "it was down for an hour, and once more when it was killed");
      const lines = siem.lines().map((line) => line.trim());
      const byUid = new Map(lines.map((line) => [uid(line), line]));
      assert.deepEqual(
        [...byUid.keys()],
        Array.from({ length: entries }, (_, i) => `${origin}#${i}`),
      );
      assert.deepEqual(
        lines.filter((line) => byUid.get(uid(line)) !== line),
        [],
        "what came twice is the same",
      );
      t.diagnostic(`${lines.length - entries} of ${lines.length} came twice`);
      assert.ok(lines.length > entries && lines.length < entries * 1.5);
      assert.equal(log.events.filter((event) => event === "outlet.unreachable").length, 2);
      const { cursor, link } = store.of("siem") ?? {};
      assert.equal(cursor, entries);
      assert.match(link ?? "", /^TLSv1\.3 /);
    },
  );

/** Has the other end killed once, while it is being told about that event. */
function dyingAt(sink: Sink, event: number, { kill }: { readonly kill: () => Promise<void> }): Sink {
  let isKilled = false;
  return {
    ...sink,
    send: async (events, signal) => {
      const sending = sink.send(events, signal);
      if (!isKilled && events.some(({ index }) => index === event)) {
        isKilled = true;
        await kill();
      }
      return await sending;
    },
  };
}
