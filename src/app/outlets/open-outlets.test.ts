/** Where outlets begin: at the present, at the start, and behind a log that isn't as long as it was. */
import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";

import { openOutletStore } from "../../host/store/state-outlets.ts";
import { systemClock } from "../../host/system.ts";
import { parseConfig } from "../config.ts";
import { statePaths } from "../state-folder.ts";
import { asWritten } from "../subject-names.ts";
import { atEnd } from "../../../test/support/cleanup.ts";
import { eventually, stubServer, temporaryFolder } from "../../../test/support/gateway.ts";
import { appendMany, open, origin, rememberingLog } from "../../../test/support/log-fixture.ts";
import { openOutlets } from "./open-outlets.ts";

test("a new outlet begins at the present or at the start; one that was further than the log is, at its end", async (t) => {
  const folder = await temporaryFolder(t);
  const state = path.join(folder, "state");
  const paths = statePaths(state);
  const journal = await open(paths.log);
  atEnd(t, journal.close);
  await appendMany(journal, 0, 10);
  const hook = await stubServer(t, (_request, response) => void response.writeHead(204).end());
  const outlet = (name: string, more = ""): string =>
    `  ${name}: { type: webhook, url: "${hook.url}/${name}", format: json, events: [decisions]${more} }\n`;
  const outlets = `${outlet("fresh")}${outlet("whole", ", from: start")}${outlet("ahead")}`;
  const config = parseConfig(`state: ./state\noutlets:\n${outlets}`, path.join(folder, "latticegate.yaml"));
  const store = openOutletStore(paths.outlets);
  store.begin("ahead", origin, 50);
  store.close();
  const log = rememberingLog();
  const { stop } = await openOutlets(config, { origin, names: asWritten, clock: systemClock, log });
  atEnd(t, stop);
  await appendMany(journal, 10, 12);
  await eventually("all are told", () => hook.seen.length >= 12 + 2 + 3);
  const told = hook.seen.map(({ body }) => (JSON.parse(body) as { readonly index: number }).index);
  const times = told.reduce<Record<number, number>>(
    (all, index) => ({ ...all, [index]: (all[index] ?? 0) + 1 }),
    {},
  );
  assert.deepEqual(times, {
    ...Object.fromEntries(Array.from({ length: 10 }, (_, index) => [index, 1])),
    10: 3,
    11: 3,
    // That what it told before isn't there.
    undefined: 1,
  });
  assert.deepEqual(log.events, ["outlet.log_shorter"]);
});
