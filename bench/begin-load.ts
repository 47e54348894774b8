/** Starts `load.ts` in a process of its own, and gives it orders. */
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import type { Cleanup } from "../test/support/cleanup.ts";
import type { Measured, Order, Target } from "./load.ts";

export interface Load {
  readonly order: (order: Order) => Promise<Measured>;
  readonly pid: number;
}

interface Where {
  readonly target: Target;
  /** Where its keys are written to, for itself alone. */
  readonly folder: string;
  /** `taskset`, or nothing. */
  readonly core?: readonly string[];
}

const load = fileURLToPath(new URL("load.ts", import.meta.url));

export async function beginLoad(t: Cleanup, { target, folder, core = [] }: Where): Promise<Load> {
  const file = path.join(folder, `target-${randomUUID()}.json`);
  await writeFile(file, JSON.stringify(target), { mode: 0o600 });
  const [program = process.execPath, ...args] = [...core, process.execPath, load, file].values();
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
  t.after(() => child.kill());
  const lines = createInterface({ input: child.stdout });
  const ended = once(child, "exit").then(([code]) => {
    throw new Error(`the load ended with ${String(code)}`);
  });
  ended.catch(() => undefined); // It does end, when nobody waits for it any more.
  return {
    pid: child.pid ?? 0,
    order: async (order) => {
      const answer = once(lines, "line") as Promise<[string]>;
      child.stdin.write(`${JSON.stringify(order)}\n`);
      const [line] = await Promise.race([answer, ended]);
      return JSON.parse(line) as Measured;
    },
  };
}
