/** What keepers of pins tell the path of a call, with a state database as it really is. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test, type TestContext } from "node:test";

import type { Journaled } from "../../gate/call.ts";
import { openTools, type ToolStore } from "../../host/store/state-tools.ts";
import {
  type ManifestVectors,
  manifestVectorFolder,
  vectorDeclarations,
} from "../../../test/support/manifest-vectors.ts";
import { listAnswer, madeTool } from "../../../test/support/tool-lists.ts";
import { keptPins } from "./kept-pins.ts";
import { type KeptServers, keptServers, type ServerPinning } from "./kept-tools.ts";

const call = { server: "shop", caller: { id: "spiffe://a.test/agent/x" } } as unknown as Journaled;

function opened(t: TestContext): ToolStore {
  const folder = mkdtempSync(path.join(tmpdir(), "latticegate-"));
  const store = openTools(path.join(folder, "state.sqlite"));
  t.after(() => {
    store.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return store;
}

/** As a gateway that starts with these settings keeps the server `shop`. */
function started(store: ToolStore, pinning: Partial<ServerPinning> = {}, nowUnixMs = 1): KeptServers {
  const clock = { nowUnixMs: () => nowUnixMs };
  const uri = "https://mcp.example/mcp";
  const settings = { pin: "first-use", accept: [], publishers: [], uri, ...pinning } as const;
  const pins = keptPins(["shop"], store, clock);
  return keptServers({ servers: new Map([["shop", settings]]), pins, clock, onChange: () => {} });
}

test("where more was listed than is kept, a tool that isn't pinned isn't called", async (t) => {
  const kept = started(opened(t));
  const many = Array.from({ length: 2000 }, (_, k) => madeTool(String(k)));
  await kept.shown(call, { message: listAnswer([madeTool("a")]) });
  assert.equal(kept.pinned().get("shop")?.otherwise, undefined);
  await kept.shown(call, { message: listAnswer([madeTool("a"), madeTool("evil"), ...many]) });
  const pinned = kept.pinned().get("shop");
  assert.deepEqual([pinned?.blocked.has("evil"), pinned?.otherwise], [false, "new"]);
});

const vector = (file: string): Buffer => readFileSync(new URL(file, manifestVectorFolder));
const table = JSON.parse(vector("vectors.json").toString()) as ManifestVectors;
const publisherOf = (file: string): string =>
  table.vectors.find((each) => each.file === file)?.signedBy ?? assert.fail(file);
const vectorList = listAnswer(vectorDeclarations.map((text): unknown => JSON.parse(text)));

test("what a publisher signed vouches for nothing from the start on whose settings name others", async (t) => {
  const store = opened(t);
  const publisher = publisherOf("good.manifest");
  const before = started(store, { pin: "approve", publishers: [publisher] }, table.nowUnixMs);
  before.takeUp("shop", vector("good.manifest"));
  await before.shown(call, { message: vectorList });
  const signed = (kept: KeptServers) => [...(kept.pinned().get("shop")?.signed?.keys() ?? [])];
  assert.notDeepEqual(signed(before), []);
  const others = { pin: "approve", publishers: [publisherOf("other-publisher.manifest")] } as const;
  const after = started(store, others, table.nowUnixMs);
  assert.deepEqual(signed(after), []);
  after.takeUp("shop", vector("newer.manifest"));
  assert.deepEqual(
    store
      .unrecorded()
      .map(({ event, facts: { what, why, publisher: whose } }) => [event, what ?? why, whose]),
    [
      ["tools.change", "manifest", publisher],
      ...vectorDeclarations.map(() => ["tools.finding", undefined, undefined]),
      ["tools.change", "publisher", publisher],
      ["tools.finding", "unknown_publisher", publisher],
    ],
  );
  assert.deepEqual(signed(started(store, others, table.nowUnixMs)), []);
});

test("what is wrong with a manifest is found once, however often it is shown", (t) => {
  const store = opened(t);
  const publisher = publisherOf("newer.manifest");
  const kept = started(store, { pin: "approve", publishers: [publisher] }, table.nowUnixMs);
  const shown = ["tampered.manifest", "tampered.manifest", "newer.manifest", "newer.manifest"];
  for (const file of [...shown, "good.manifest", "good.manifest"]) kept.takeUp("shop", vector(file));
  kept.takeUp("shop", vector("other-publisher.manifest"));
  assert.deepEqual(
    store.unrecorded().map(({ facts: { what, why } }) => what ?? why),
    ["bad_signature", "manifest", "older", "unknown_publisher"],
  );
});
