/** An outlet at work on a log of a test's own, by a clock that only its pauses move; and receivers to tell. */
import { mkdtempSync } from "node:fs";
import { once } from "node:events";
import net, { type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import tls from "node:tls";

import { findAgain } from "../../src/app/outlets/log-marks.ts";
import { runOutlet } from "../../src/app/outlets/run-outlet.ts";
import { asWritten } from "../../src/app/subject-names.ts";
import { deadLetters } from "../../src/host/outlets/dead-letters.ts";
import type { Sink } from "../../src/host/outlets/sink.ts";
import type { FileJournal } from "../../src/host/store/journal-files.ts";
import { openLogReader } from "../../src/host/store/log-reader.ts";
import { openOutletStore, type OutletStore } from "../../src/host/store/state-outlets.ts";
import type { Clock } from "../../src/kernel/clock.ts";
import { type EventGroup, eventGroups } from "../../src/respond/events/event-groups.ts";
import type { Teller } from "../../src/respond/events/told.ts";
import { atEnd, type Cleanup } from "./cleanup.ts";
import { newFolder, open, origin, rememberingLog, type RememberingLog } from "./log-fixture.ts";

export const teller: Teller = { origin, version: "1.2.3", host: "gateway-1.acme.test" };

export interface OutletScene {
  readonly journal: FileJournal;
  /** The log's. */
  readonly folder: string;
  readonly store: OutletStore;
  readonly deadFile: string;
  readonly log: RememberingLog;
  readonly clock: Clock;
  /** Lets it work until there is nothing more to tell. */
  readonly untilIdle: (sink: Sink, on?: OnPause) => Promise<void>;
}

/** Told before each pause that follows a failure. @returns false to stop there */
type OnPause = (passedMs: number) => Promise<boolean> | boolean;

export async function outletScene(
  t: Cleanup,
  picked: readonly EventGroup[] = eventGroups,
): Promise<OutletScene> {
  const folder = newFolder();
  const journal = await open(folder);
  const state = mkdtempSync(path.join(tmpdir(), "latticegate-outlets-"));
  const store = openOutletStore(path.join(state, "outlets.sqlite"));
  const dead = deadLetters(path.join(state, "dead-letters"), "siem");
  const log = rememberingLog();
  let nowUnixMs = Date.UTC(2026, 10, 21, 12);
  const beganUnixMs = nowUnixMs;
  const clock: Clock = { nowUnixMs: () => nowUnixMs };
  store.begin("siem", origin, 0);
  atEnd(t, async () => {
    await journal.close();
    store.close();
  });
  const untilIdle: OutletScene["untilIdle"] = async (sink, on = () => true) => {
    const over = new AbortController();
    const reader = openLogReader(folder);
    await findAgain({ name: "siem", reader, origin, store, log });
    const pause = async (ms: number): Promise<void> => {
      await nextTurn();
      const isIdle = store.of("siem")?.failingSinceUnixMs === undefined;
      if (isIdle) over.abort();
      else if (!(await on(nowUnixMs - beganUnixMs))) over.abort();
      nowUnixMs += ms;
    };
    const named = asWritten.named;
    const part = { name: "siem", reader, teller, named, picked: new Set(picked) };
    await runOutlet({ ...part, sink, store, dead, clock, log, pause }, over.signal);
  };
  return { journal, folder, store, deadFile: dead.file, log, clock, untilIdle };
}

export interface SyslogReceiver {
  readonly port: number;
  /** What was received, without the frames' lengths. */
  readonly messages: readonly string[];
  readonly close: () => Promise<void>;
}

/** Reads frames (RFC 6587 §3.4.1); over TLS with `secure`. @param onData may end the connection */
export async function syslogReceiver(
  t: Cleanup,
  secure?: tls.TlsOptions,
  onData: (socket: net.Socket, messages: number) => void = () => undefined,
  onLink: (socket: net.Socket) => void = () => undefined,
): Promise<SyslogReceiver> {
  const messages: string[] = [];
  const sockets = new Set<net.Socket>();
  const receive = (socket: net.Socket): void => {
    let buffer = Buffer.alloc(0);
    sockets.add(socket);
    onLink(socket);
    socket.on("close", () => sockets.delete(socket)).on("error", () => undefined);
    socket.on("data", (chunk: Buffer) => {
      buffer = Buffer.concat([buffer, chunk]);
      for (;;) {
        const blank = buffer.indexOf(" ");
        const length = Number(buffer.subarray(0, blank).toString());
        if (blank === -1 || buffer.length < blank + 1 + length) break;
        messages.push(buffer.subarray(blank + 1, blank + 1 + length).toString());
        buffer = buffer.subarray(blank + 1 + length);
      }
      onData(socket, messages.length);
    });
  };
  const server = secure === undefined ? net.createServer(receive) : tls.createServer(secure, receive);
  await once(server.listen(0, "127.0.0.1"), "listening");
  const close = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    if (server.listening) await new Promise((resolve) => server.close(resolve));
  };
  atEnd(t, close);
  return { port: (server.address() as AddressInfo).port, messages, close };
}

/** Passes bytes on both ways, but ends the connection of who began it in the other's place, once that one ended it. */
export async function forgingRelay(t: Cleanup, port: number): Promise<number> {
  const relay = net.createServer({ allowHalfOpen: true }, (near) => {
    const far = net.connect(port, "127.0.0.1").on("error", () => undefined);
    near.on("error", () => undefined).on("close", () => far.destroy());
    near.on("data", (chunk: Buffer) => far.write(chunk)).on("end", () => near.end());
    far.on("data", (chunk: Buffer) => {
      if (!near.readableEnded && near.writable) near.write(chunk);
    });
  });
  await once(relay.listen(0, "127.0.0.1"), "listening");
  atEnd(t, () => void relay.close());
  return (relay.address() as AddressInfo).port;
}
