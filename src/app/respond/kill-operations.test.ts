/** Whose stop of all calls is withdrawn, and whose stands. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test, type TestContext } from "node:test";

import { openResponses, type ResponseStore } from "../../host/store/state-responses.ts";
import { statePaths } from "../state-folder.ts";
import { writeDrillFile } from "./drill-file.ts";
import { killOff, killOn, killsStanding } from "./kill-operations.ts";
import { askRoute } from "../../../test/support/control.ts";
import { killRoutes } from "./kill-routes.ts";

const clock = { nowUnixMs: () => 1000 };
const token = "0123456789abcdef0123456789abcdef";
const drill = { by: `drill:${token}`, because: "A drill.", sinceUnixMs: 1000 };
const own = { by: "operator:anna", because: "Enough.", sinceUnixMs: 1000 };
const over = { by: "operator:anna", because: "The drill is over.", nowUnixMs: 1000 };

function opened(t: TestContext): {
  readonly place: Parameters<typeof killOn>[0];
  readonly store: ResponseStore;
} {
  const folder = mkdtempSync(path.join(tmpdir(), "kill-"));
  const store = openResponses(statePaths(folder).database);
  t.after(() => {
    store.close();
    rmSync(folder, { recursive: true });
  });
  return { place: { state: folder, folder, response: {} } as unknown as Parameters<typeof killOn>[0], store };
}

test("who stops all calls during a drill, by the source that it tries, has stopped them: the drill withdraws its own alone", async (t) => {
  const { place } = opened(t);
  const standing = (): readonly string[] => killsStanding(place, clock).map(({ because }) => because);
  const only = { by: drill.by };
  assert.equal(killOn(place, { source: "cli", ...drill }), true);
  assert.equal(killOn(place, { source: "cli", ...own }), true, "it is taken, and told");
  assert.equal(killOff(place, "cli", { ...over, only }), false);
  assert.deepEqual(standing(), ["Enough."]);
  assert.equal(killOn(place, { source: "cli", ...drill }), false, "a drill takes nobody's place");
  assert.deepEqual(standing(), ["Enough."]);
  assert.equal(killOff(place, "cli", over), true);

  const routes = killRoutes(place, clock);
  const kill = (body: unknown): Promise<unknown> => askRoute(routes, "POST /kill", { body });
  await kill({ on: true, because: "A drill.", drill: token });
  await kill({ on: true, because: "Enough." });
  await kill({ on: false, because: "It is over.", drill: token });
  assert.deepEqual(standing(), ["Enough."]);
  await kill({ on: false, because: "Fine." });
  await kill({ on: true, because: "A drill.", drill: token });
  await kill({ on: false, because: "It is over.", drill: token });
  assert.deepEqual(standing(), []);
});

test("a second signal, in whatever moment, isn't withdrawn with a drill's", (t) => {
  const { store } = opened(t);
  const signal = { source: "signal", by: "operator:signal", because: "SIGUSR2", sinceUnixMs: 1000 } as const;
  store.kill(signal);
  store.kill(signal);
  const only = { by: signal.by, sinceUnixMs: 1000 };
  assert.equal(store.unkill("signal", { ...over, only }), false);
  assert.equal(store.kills().length, 1);
  store.unkill("signal", over);
  store.kill(signal);
  assert.equal(store.unkill("signal", { ...over, only }), true);
});

test("a kill file that somebody writes or touches during a drill stays", async (t) => {
  const { place } = opened(t);
  const file = path.join(place.folder, "kill");
  const takeAway = await writeDrillFile(file, "A drill.\n");
  writeFileSync(file, "Enough.\n");
  await takeAway();
  assert.equal(readFileSync(file, "utf8"), "Enough.\n");
  await assert.rejects(writeDrillFile(file, "A drill.\n"), /EEXIST/);
  rmSync(file);
  const again = await writeDrillFile(file, "A drill.\n");
  utimesSync(file, 5, 5);
  await again();
  assert.equal(readFileSync(file, "utf8"), "A drill.\n");
  rmSync(file);
  await (
    await writeDrillFile(file, "A drill.\n")
  )();
  assert.throws(() => readFileSync(file), /ENOENT/);
});
