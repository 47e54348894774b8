/** The proxy of a sandbox without the sandbox: on a Unix socket, with rules, names and a clock of the test's own. */
import { once } from "node:events";
import net from "node:net";
import path from "node:path";

import { openEgressDesk, type OpenDesk } from "../../src/app/egress/egress-desk.ts";
import { type EgressSettings, egressSettings } from "../../src/app/egress/egress-file.ts";
import { startEgressProxy } from "../../src/host/egress/egress-proxy.ts";
import { type EgressStore, openEgress } from "../../src/host/store/state-egress.ts";
import { systemLog } from "../../src/host/system.ts";
import type { EntryDraft } from "../../src/model/entry.ts";
import { compileEgressRules, type EgressRuleDocument } from "../../src/policy/egress/egress-rules.ts";
import { atEnd, type Cleanup } from "./cleanup.ts";
import { eventually, temporaryFolder } from "./gateway.ts";

export interface EgressScene {
  readonly desk: OpenDesk;
  readonly store: EgressStore;
  readonly socketPath: string;
  /** Audit entries, oldest first. */
  readonly entries: readonly EntryDraft[];
  readonly log: readonly string[];
  /** Names that were looked up. */
  readonly lookedUp: readonly string[];
  readonly stop: () => Promise<void>;
}

export interface EgressSceneOptions {
  readonly rules: readonly Partial<EgressRuleDocument>[];
  /** Addresses of names; others have none. */
  readonly names?: Readonly<Record<string, readonly string[]>>;
  readonly settings?: Partial<EgressSettings>;
  readonly nowUnixMs?: () => number;
  /** With the state of a scene that was there before. */
  readonly folder?: string;
  /** The log can't be written to. */
  readonly journalFails?: true;
}

export async function egressScene(t: Cleanup, options: EgressSceneOptions): Promise<EgressScene> {
  const folder = options.folder ?? (await temporaryFolder(t));
  const documents = options.rules.map((each, at): EgressRuleDocument => ({
    name: `r${at}`,
    hosts: ["*"],
    effect: "allow",
    because: "The test says so.",
    ...each,
  }));
  const settings = {
    ...egressSettings({ allow: [] }),
    ...options.settings,
    rules: compileEgressRules(documents),
  };
  const [entries, log, lookedUp]: [EntryDraft[], string[], string[]] = [[], [], []];
  const clock = { nowUnixMs: options.nowUnixMs ?? ((): number => Date.UTC(2026, 0, 4, 3, 12)) };
  const store = openEgress(path.join(folder, "state.sqlite"));
  const desk = openEgressDesk({
    server: "notes",
    spiffeId: "spiffe://latticegate.local/server/notes",
    settings: () => settings,
    store,
    journal: {
      append: (draft) =>
        options.journalFails
          ? Promise.reject(new Error("the disk is full"))
          : Promise.resolve({ index: entries.push(draft) - 1 }),
      owe: () => undefined,
    },
    clock,
    log: systemLog({ level: "debug", clock, form: "json", write: (line) => void log.push(line) }),
    resolve: (host) => {
      lookedUp.push(host);
      return Promise.resolve(options.names?.[host] ?? []);
    },
  });
  const socketPath = path.join(folder, "egress.sock");
  const proxy = await startEgressProxy(socketPath, desk);
  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> =>
    (stopping ??= proxy
      .stop()
      .then(desk.stop)
      .then(() => store.close()));
  atEnd(t, stop);
  return { desk, store, socketPath, entries, log, lookedUp, stop };
}

export interface ProxyAnswer {
  readonly status: number;
  readonly head: string;
  readonly socket: net.Socket;
  /** What came behind the head, so far. */
  readonly body: () => string;
  readonly closed: Promise<void>;
}

/** Sends these bytes to the proxy. @returns when there is a head of an answer */
export async function askProxy({ socketPath }: EgressScene, request: string): Promise<ProxyAnswer> {
  const socket = net.connect(socketPath);
  const closed = new Promise<void>((resolve) => void socket.once("close", () => resolve()));
  let text = "";
  socket.on("error", () => undefined).on("data", (chunk: Buffer) => (text += chunk.toString("latin1")));
  socket.write(request);
  await Promise.race([eventually("the proxy answers", () => text.includes("\r\n\r\n")), closed]);
  const end = text.indexOf("\r\n\r\n");
  const head = text.slice(0, end);
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1] ?? 0);
  return { status, head, socket, body: () => text.slice(end + 4), closed };
}

export async function tunnelTo(scene: EgressScene, authority: string): Promise<ProxyAnswer> {
  return await askProxy(scene, `CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`);
}

export interface Sink {
  readonly port: number;
  /** Bytes that arrived, of all connections. */
  readonly received: () => number;
  readonly connections: () => number;
  /** Ends those that are open. */
  readonly hangUp: () => void;
}

/** A destination at a loopback address that takes what it is sent, and answers nothing. */
export async function sink(t: Cleanup, host: string, answer?: Buffer): Promise<Sink> {
  let [received, connections] = [0, 0];
  const open = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    connections += 1;
    open.add(socket);
    socket.on("error", () => undefined).on("data", (chunk: Buffer) => (received += chunk.length));
    if (answer !== undefined) socket.write(answer);
  });
  server.listen(0, host);
  await once(server, "listening");
  const hangUp = (): void => open.forEach((socket) => void socket.destroy());
  atEnd(t, () => {
    hangUp();
    server.close();
  });
  return {
    port: (server.address() as net.AddressInfo).port,
    received: () => received,
    connections: () => connections,
    hangUp,
  };
}
