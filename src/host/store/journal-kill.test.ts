import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";

import {
  keysToText,
  newFolder,
  newPrivateKeys,
  open,
  signersOf,
  verify,
} from "../../../test/support/log-fixture.ts";
import { openLogReader } from "./log-reader.ts";

/** Runs a writer, kills it some time after its first acknowledgement; what it had acknowledged. */
async function writeUntilKilled(folder: string, keys: string): Promise<readonly number[]> {
  const writer = spawn(process.execPath, ["test/support/log-writer.ts", folder, keys], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const chunks: Buffer[] = [];
  writer.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
  const closed = once(writer, "close");
  await once(writer.stdout, "data");
  await wait(Math.random() * 80);
  writer.kill("SIGKILL");
  await closed;
  const lines = Buffer.concat(chunks).toString().split("\n");
  // The last line may have been cut by the kill.
  return lines.slice(0, -1).map(Number);
}

test("a writer killed at any moment loses nothing that it acknowledged, and the log verifies", async () => {
  const folder = newFolder();
  const privateKeys = newPrivateKeys();
  const signers = signersOf(privateKeys);
  for (let round = 0; round < 5; round++) {
    const acknowledged = await writeUntilKilled(folder, keysToText(privateKeys));
    assert.ok(acknowledged.length > 0);
    const before = await verify(folder, signers);
    assert.equal(before.kind, "intact", `round ${round}: ${JSON.stringify(before)}`);
    const journal = await open(folder, { signers });
    assert.ok(journal.size() > acknowledged.at(-1)!, `round ${round}`);
    await journal.close();
    const after = await verify(folder, signers);
    assert.equal(after.kind === "intact" && after.uncovered, 0, JSON.stringify(after));
    for await (const { index, reading } of openLogReader(folder).forwards(acknowledged[0])) {
      assert.equal(reading.kind === "entry" && reading.entry.callId, `call-${index}`);
    }
  }
});
