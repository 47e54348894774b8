/** Witnesses in processes of their own, and a gateway that shows whatever history its log folder holds. */
import { randomUUID } from "node:crypto";
import { cp, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";

import { openAuditLog } from "../../src/app/audit-log.ts";
import { makeJoinToken } from "../../src/app/certificate-authority.ts";
import { openKeys } from "../../src/app/state-folder.ts";
import { resolveProfile } from "../../src/crypto/suites/profiles.ts";
import { systemClock } from "../../src/host/system.ts";
import type { Cleanup } from "./cleanup.ts";
import { cli, type Ended } from "./cli.ts";
import {
  freshState,
  openPolicy,
  type StubServer,
  stubServer,
  temporaryFolder,
  testGateway,
  type TestGateway,
} from "./gateway.ts";
import { draft, rememberingLog } from "./log-fixture.ts";

export interface LyingGateway {
  /** The one that runs now. */
  readonly gateway: () => TestGateway;
  readonly stub: StubServer;
  /** The log's folder. */
  readonly log: string;
  readonly configFile: string;
  /** Starts it again, at the same address, after `meanwhile`; its newest head then covers every entry. */
  readonly restart: (meanwhile?: () => Promise<unknown>) => Promise<void>;
  /** A copy of the log as it is on disk. */
  readonly save: () => Promise<string>;
  readonly put: (copy: string) => Promise<void>;
  /** Appends entries with the real keys, while no gateway runs. */
  readonly append: (count: number, marker: string) => Promise<void>;
}

export async function lyingGateway(t: Cleanup): Promise<LyingGateway> {
  const stub = await stubServer(t);
  const yaml = `servers: { stub: { url: "${stub.url}" } }\n${openPolicy}`;
  const copies = await temporaryFolder(t);
  let gateway = await testGateway(t, yaml);
  const { folder, address } = gateway;
  const state = path.join(folder, "state");
  const log = path.join(state, "log");
  const configFile = path.join(folder, "latticegate.yaml");
  await writeFile(configFile, `state: ./state\nlisten: ${address}\ndashboard: "off"\n${yaml}`);
  return {
    gateway: () => gateway,
    stub,
    log,
    configFile,
    restart: async (meanwhile) => {
      await gateway.stop();
      await meanwhile?.();
      gateway = await testGateway(t, yaml, { folder, listen: address });
      await gateway.audit.journal.checkpoint();
    },
    save: async () => {
      const copy = path.join(copies, randomUUID());
      await cp(log, copy, { recursive: true, filter: (file) => !isPassing(file) });
      return copy;
    },
    put: async (copy) => {
      await rm(log, { recursive: true });
      await cp(copy, log, { recursive: true });
    },
    append: async (count, marker) => {
      const keys = await openKeys(state, undefined);
      const suites = resolveProfile("hybrid").log;
      const trustDomain = "latticegate.local";
      const options = { trustDomain, suites, clock: systemClock, log: rememberingLog() };
      const audit = await openAuditLog(state, keys, options);
      for (let i = 0; i < count; i++) {
        await audit.journal.append(draft(i, { atUnixMs: Date.now(), facts: { marker } }));
      }
      await audit.journal.close();
    },
  };
}

/** What is there only while the log is written. */
function isPassing(file: string): boolean {
  return path.basename(file) === "lock" || file.endsWith(".tmp");
}

/** A sidecar's state folder that joined, and has witnessed nothing yet. */
export async function witnessState(t: Cleanup, gateway: TestGateway, name: string): Promise<WitnessProcess> {
  const state = await freshState(t);
  const { config, address } = gateway;
  const token = await makeJoinToken(config, { path: name, address }, systemClock);
  return {
    state,
    look: (...more) => cli(["audit", "witness", "--state", state, "--join", token, ...more]),
    accept: () => cli(["audit", "witness", "accept", "--state", state]),
    kept: () => readFile(path.join(state, "witness", "checkpoint"), "utf8"),
    token,
  };
}

export interface WitnessProcess {
  readonly state: string;
  readonly token: string;
  /** `latticegate audit witness`. */
  readonly look: (...more: readonly string[]) => Promise<Ended>;
  readonly accept: () => Promise<Ended>;
  /** The head it keeps. */
  readonly kept: () => Promise<string>;
}
