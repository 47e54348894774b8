import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";

import { temporaryFolder } from "../../../test/support/gateway.ts";
import { lookedAtUnixMs, serverAt, sightings } from "../../../test/support/sightings.ts";
import { forgetServer, inventoryPlace, keepSightings, keptInventory, labelServer } from "./keep-inventory.ts";

test("labels and the first time a server was seen outlive the next look, and progress is kept of each", async (t) => {
  const place = { stateFolder: await temporaryFolder(t) };
  await keepSightings(place, sightings, lookedAtUnixMs);
  await labelServer(place, "billing", { owner: "team pay" });
  await labelServer(place, "billing", { dataClass: "restricted" });
  await keepSightings(place, sightings, lookedAtUnixMs + 1000);
  const { inventory, progress } = await keptInventory(place);
  const billing = inventory.servers.find(({ names }) => names.includes("billing"));
  assert.deepEqual(billing?.labels, { owner: "team pay", dataClass: "restricted" });
  assert.deepEqual(
    [billing.firstSeenUnixMs, billing.lastSeenUnixMs],
    [lookedAtUnixMs, lookedAtUnixMs + 1000],
  );
  assert.equal(progress.length, 2);
  await forgetServer(place, "billing");
  assert.equal((await keptInventory(place)).inventory.servers.length, inventory.servers.length - 1);
});

test("a server of the config is registered, and its owner is the config's unless an operator says otherwise", async (t) => {
  const folder = await temporaryFolder(t);
  const file = path.join(folder, "latticegate.yaml");
  await writeFile(file, "servers: { pay: { url: 'http://10.0.0.5/mcp', owner: treasury } }\n");
  const place = await inventoryPlace(file);
  await keepSightings(place, sightings, lookedAtUnixMs);
  const pay = async () =>
    (await keptInventory(place)).inventory.servers.find(({ names }) => names.includes("pay"));
  assert.deepEqual([(await pay())?.standing, (await pay())?.labels.owner], ["registered", "treasury"]);
  await labelServer(place, "pay", { owner: "team pay" });
  assert.equal((await pay())?.labels.owner, "team pay");
});

test("the vector of docs/formats/inventory.md is what is kept", async (t) => {
  const page = await readFile(new URL("../../../docs/formats/inventory.md", import.meta.url), "utf8");
  const { version, ...vector } = JSON.parse(/```json\n([^`]+)```/.exec(page)?.[1] ?? "") as {
    version: number;
  };
  const place = { stateFolder: await temporaryFolder(t) };
  const file = "/home/ada/.cursor/mcp.json";
  const evidence = { by: "client", client: "cursor", file, name: "billing" } as const;
  await keepSightings(place, [serverAt("http://10.0.0.5/mcp", { evidence })], lookedAtUnixMs);
  await labelServer(place, "billing", { owner: "team pay" });
  assert.equal(version, 1);
  assert.deepEqual((await keptInventory(place)).inventory, vector);
});

test("a folder without an inventory says what makes one, and isn't made", async (t) => {
  const stateFolder = path.join(await temporaryFolder(t), "none");
  await assert.rejects(keptInventory({ stateFolder }), /latticegate scan --keep/);
});

test("a name that nobody or two have is refused", async (t) => {
  const place = { stateFolder: await temporaryFolder(t) };
  await keepSightings(place, sightings, lookedAtUnixMs);
  await assert.rejects(forgetServer(place, "nobody"), /no server "nobody"/);
  const twice = sightings.map((each) =>
    each.kind === "server" ? { ...each, server: { ...each.server, name: "same" } } : each,
  );
  await keepSightings(place, twice, lookedAtUnixMs + 1);
  await assert.rejects(forgetServer(place, "same"), /servers are called "same"/);
});
