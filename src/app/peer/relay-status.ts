/** What a running relay says of itself: written into its state folder every few seconds, read by `latticegate relay status`. */
import { existsSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import path from "node:path";

import { z } from "zod";

import { writePrivateFile } from "../../host/store/files.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { Relay } from "./relay.ts";

const count = z.int().nonnegative();

const relayStatus = z.strictObject({
  at: z.iso.datetime(),
  started: z.iso.datetime(),
  pid: z.int(),
  name: z.string(),
  spiffe_id: z.string(),
  listen: z.string(),
  peers: z.array(
    z.strictObject({
      peer: z.string(),
      spiffe_id: z.string(),
      servers: z.array(z.string()),
      /** Where it is seen. */
      seen: z.string(),
      /** Whether its NAT shows each destination another port. */
      nat: z.enum(["same", "differs", "unknown"]),
      since: z.iso.datetime(),
    }),
  ),
  streams: z.array(
    z.strictObject({
      id: z.string(),
      caller: z.string(),
      peer: z.string(),
      server: z.string(),
      since: z.iso.datetime(),
      bytes_to_peer: count,
      bytes_to_caller: count,
    }),
  ),
  /** Since it began, of streams on which something passed. */
  totals: z.strictObject({ streams: count, bytes_to_peer: count, bytes_to_caller: count }),
  /** What is unusual about relayed flows, newest first. */
  findings: z.array(
    z.strictObject({
      at: z.iso.datetime(),
      flow: z.string(),
      kind: z.string(),
      severity: z.string(),
      says: z.string(),
    }),
  ),
});
export type RelayStatus = Readonly<z.output<typeof relayStatus>>;

const everyMs = 2000;

/** @returns stops it, and takes the file away */
export async function keepRelayStatus(
  state: string,
  relay: Relay,
  { clock, log, pid }: { readonly clock: Clock; readonly log: Log; readonly pid: number },
): Promise<() => Promise<void>> {
  const file = fileIn(state);
  const started = iso(clock.nowUnixMs());
  let writing: Promise<void> = Promise.resolve();
  const write = (): void => {
    const text = JSON.stringify({ at: iso(clock.nowUnixMs()), started, pid, ...statusOf(relay) });
    writing = writing
      .then(() => writePrivateFile(file, text))
      .catch((error: unknown) => {
        log.warn("relay.no_status", { reason: error instanceof Error ? error.message : "unknown" });
      });
  };
  write();
  await writing;
  const timer = setInterval(write, everyMs).unref();
  return async () => {
    clearInterval(timer);
    await writing;
    await rm(file, { force: true });
  };
}

/** @throws Refusal `bad_state` where none runs on that folder */
export async function readRelayStatus(state: string, nowUnixMs: number): Promise<RelayStatus> {
  const file = fileIn(state);
  const none = new Refusal("bad_state", `No relay runs on ${state}; "latticegate relay" starts one.`);
  if (!existsSync(file)) throw none;
  const read = relayStatus.safeParse(JSON.parse(await readFile(file, "utf8")));
  if (!read.success)
    throw new Refusal("bad_state", `${file} is of a relay of another version; use its own command.`);
  // One that was killed leaves its file.
  if (nowUnixMs - Date.parse(read.data.at) > 5 * everyMs) throw none;
  return read.data;
}

function statusOf({ name, spiffeId, address, peers, streams, watch }: Relay): object {
  const { streams: all, bytesToPeer, bytesToCaller } = watch.totals();
  return {
    name,
    spiffe_id: spiffeId,
    listen: address,
    peers: peers().map(({ peerId, spiffeId: id, servers, seen, mapping, sinceUnixMs }) => ({
      peer: peerId,
      spiffe_id: id,
      servers,
      seen: `${seen.host}:${seen.port}`,
      nat: mapping,
      since: iso(sinceUnixMs),
    })),
    streams: streams().map(({ id, caller, peer, server, beganUnixMs, ...bytes }) => ({
      id,
      caller,
      peer,
      server,
      since: iso(beganUnixMs),
      bytes_to_peer: bytes.bytesToPeer,
      bytes_to_caller: bytes.bytesToCaller,
    })),
    totals: { streams: all, bytes_to_peer: bytesToPeer, bytes_to_caller: bytesToCaller },
    findings: watch.findings().map(({ atUnixMs, ...finding }) => ({ at: iso(atUnixMs), ...finding })),
  };
}

function fileIn(state: string): string {
  return path.join(state, "relay.json");
}

function iso(unixMs: number): string {
  return new Date(unixMs).toISOString();
}
