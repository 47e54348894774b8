/** Where the gateway's CPU goes, call by call: V8's sampling profile of a gateway under load, by whose code it is. */
import { mkdir, readdir, readFile } from "node:fs/promises";
import path from "node:path";

import { type Contestant, gateway, type Setting } from "./contestants.ts";
import type { Measured, Order } from "./load.ts";
import { cpuMs } from "./machine.ts";

export interface Share {
  readonly what: string;
  readonly usPerCall: number;
}

interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string };
    readonly children?: readonly number[];
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

type StartLoad = (
  setting: Setting,
  contestant: Contestant,
) => Promise<{ readonly order: (order: Order) => Promise<Measured> }>;

const calls = 30_000;

/** Whose work a frame is, by function and file; what matches none counts for whoever called it. */
const owners: readonly (readonly [RegExp, string])[] = [
  [/^_writeGeneric /, "writing to sockets: TLS records and the kernel"],
  [/^onStreamRead /, "reading from sockets"],
  [/\/src\/gate\//, "gate/: the path of a call"],
  [/\/src\/wire\//, "wire/: reading messages"],
  [/\/src\/policy\//, "policy/: the decision"],
  [/\/src\/(audit|merkle)\/|\/src\/host\/store\//, "audit/, merkle/, host/store/: the log"],
  [/\/src\/identity\//, "identity/: who calls"],
  [/\/src\/host\/net\//, "host/net/: our side of HTTP"],
  [/\/src\/(app\/)?control\//, "control/: calls counted for the control room"],
  [/\/src\//, "the rest of src/"],
  [/undici|\/wasm\//, "undici: HTTP to the server"],
  [/node:_http|node:internal\/http/, "node:http: HTTP from the client"],
];

export async function profile(setting: Setting, startLoad: StartLoad): Promise<readonly Share[]> {
  const folder = path.join(setting.folder, "profile");
  await mkdir(folder);
  const nodeFlags = ["--cpu-prof", `--cpu-prof-dir=${folder}`, "--cpu-prof-interval=200"];
  const running = await gateway(setting, "http", { nodeFlags });
  const load = await startLoad(setting, running);
  await load.order({ kind: "calls", count: calls / 10, inFlight: 16 });
  const before = cpuMs(running.pids);
  await load.order({ kind: "calls", count: calls, inFlight: 16 });
  const cpuUs = ((cpuMs(running.pids) - before) * 1000) / calls;
  await running.stop();
  const [file] = (await readdir(folder)).filter((name) => name.endsWith(".cpuprofile"));
  const recorded = JSON.parse(await readFile(path.join(folder, file ?? ""), "utf8")) as CpuProfile;
  const shares = sharesOf(recorded, cpuUs);
  console.log(
    `\nWhere the ${cpuUs.toFixed(0)} µs of a call go (sampled; the profiler's own cost included):\n`,
  );
  for (const { what, usPerCall } of shares)
    console.log(`${what.padEnd(45)}${usPerCall.toFixed(1).padStart(7)} µs`);
  return shares;
}

function sharesOf({ nodes, samples, timeDeltas }: CpuProfile, cpuUs: number): readonly Share[] {
  const parents = new Map(
    nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id] as const)),
  );
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const ownerOf = (id: number): string => {
    for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) {
      const { functionName = "", url = "" } = byId.get(at)?.callFrame ?? {};
      if (functionName === "(garbage collector)") return "garbage collection";
      if (functionName === "(program)") return "outside JavaScript";
      if (functionName === "(idle)") return "idle";
      const owner = owners.find(([pattern]) =>
        pattern.test(`${functionName.split(".").at(-1) ?? ""} ${url}`),
      );
      if (owner !== undefined) return owner[1];
    }
    return "node: promises, timers, the event loop";
  };
  // Start-up, enrolment and warming up are no part of a call.
  const spent = new Map<string, number>();
  samples.forEach((id, i) => {
    const owner = ownerOf(id);
    if (i > samples.length / 5) spent.set(owner, (spent.get(owner) ?? 0) + (timeDeltas[i] ?? 0));
  });
  spent.delete("idle");
  const total = [...spent.values()].reduce((sum, time) => sum + time, 0);
  return [...spent]
    .map(([what, time]) => ({ what, usPerCall: (time / total) * cpuUs }))
    .toSorted((a, b) => b.usPerCall - a.usPerCall);
}
