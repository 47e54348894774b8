/** The sandbox of an exposed server: its proxy, its rules as they are now, and the trial that shows it holds. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import type { Journal } from "../../gate/ports.ts";
import type { Resolve } from "../../host/egress/dial.ts";
import { startEgressProxy } from "../../host/egress/egress-proxy.ts";
import { contained } from "../../host/sandbox/bubblewrap.ts";
import { commandInside, findBubblewrap, planSandbox, trySandbox } from "../../host/sandbox/open-sandbox.ts";
import { systemCallFilter } from "../../host/sandbox/system-calls.ts";
import type { ChildSpec } from "../../host/stdio/child.ts";
import { openEgress } from "../../host/store/state-egress.ts";
import { watchFiles } from "../../host/store/watched-files.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { statePaths } from "../state-folder.ts";
import { openEgressDesk } from "./egress-desk.ts";
import { type EgressSettings, egressSettings, type EgressSource } from "./egress-file.ts";

export interface SandboxOptions {
  /** Paths the server may read, beside the system's programs; and those it may write. */
  readonly readable: readonly string[];
  readonly writable: readonly string[];
  readonly egress: EgressSource;
  /** As the machine does it by default. */
  readonly resolve?: Resolve;
}

interface Sandboxing extends SandboxOptions {
  readonly command: readonly string[];
  /** Name of the server, and the SPIFFE ID under which it is exposed. */
  readonly server: string;
  readonly spiffeId: string;
  readonly state: string;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Before anything is done that can't be done again, such as using a join token.
 * @throws Refusal `bad_config` if it can't be had, or its rules can't be read
 */
export async function checkSandbox({ egress }: SandboxOptions): Promise<void> {
  egressSettings(egress);
  await findBubblewrap();
}

/**
 * @returns what puts the server's processes in it
 * @throws Refusal `bad_config` if it can't be had: nothing runs without it then
 */
export async function openSandbox(
  options: Sandboxing,
  opening: AsyncDisposableStack,
): Promise<(child: ChildSpec) => ChildSpec> {
  const { readable, writable, state, log } = options;
  const folder = await mkdtemp(path.join(tmpdir(), "latticegate-egress-"));
  opening.defer(() => rm(folder, { recursive: true, force: true }));
  const socket = path.join(folder, "egress.sock");
  const filter = await filterIn(folder);
  const holding = options.egress.file === undefined ? [] : [options.egress.file];
  const plan = planSandbox({ readable, writable, state, socket, filter, holding }, await findBubblewrap());
  const [program = "", ...args] = options.command;
  const { command, unseen } = commandInside([program, ...args], plan);
  const settings = followedSettings(options, opening);
  const store = openEgress(statePaths(state).database);
  opening.defer(store.close);
  const desk = openEgressDesk({ ...options, settings, store });
  opening.defer(desk.stop);
  const proxy = await startEgressProxy(socket, desk).catch((cause: unknown) => {
    throw new Refusal("bad_config", `The sandbox's proxy can't listen at ${socket}.`, { cause });
  });
  opening.defer(proxy.stop);
  await trySandbox(plan);
  log.info("sandbox.ready", { bwrap: plan.bwrap, rules: settings().rules.length });
  for (const file of unseen)
    log.warn("sandbox.unseen", { file, says: "the server can't see it; --readable shows it" });
  if (!plan.isModern)
    log.warn("sandbox.old", { says: "bubblewrap before 0.8 doesn't bound what is written to /tmp" });
  if (plan.filter === undefined)
    log.warn("sandbox.unfiltered", { says: `system calls aren't filtered on ${process.arch}` });
  return (child) => contained({ ...child, command }, plan);
}

async function filterIn(folder: string): Promise<string | undefined> {
  const program = systemCallFilter(process.arch);
  if (program === undefined) return undefined;
  const file = path.join(folder, "system-calls.bpf");
  await writeFile(file, program, { mode: 0o600 });
  return file;
}

/** A file that is replaced counts at once, whole or not at all. */
function followedSettings({ egress, log }: Sandboxing, opening: AsyncDisposableStack): () => EgressSettings {
  let current = egressSettings(egress);
  const { file } = egress;
  if (file === undefined) return () => current;
  const watching = watchFiles([file], () => {
    try {
      current = egressSettings(egress);
      log.info("egress.rules_changed", { rules: current.rules.length });
    } catch (error) {
      log.error("egress.rules_refused", { reason: error instanceof Error ? error.message : "unknown" });
    }
  });
  opening.defer(() => Promise.resolve(watching.stop()));
  return () => current;
}
