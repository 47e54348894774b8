/**
 * Post-quantum handshakes over bad paths, by real processes in two network namespaces with a wire between them. Needs
 * root and Linux. `LATTICEGATE_PATHS_ROUNDS` sets how often everything is done; once by default.
 */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";

import { cli } from "../support/cli.ts";
import type { CallOutcome } from "../support/concurrent-calls.ts";
import { eventually } from "../support/gateway.ts";
import { whyNoLab } from "../support/lab.ts";
import {
  callsOf,
  type House,
  openHouse,
  openLoweredGateway,
  type Sidecar,
  sidecarAgain,
  sidecarTo,
  startClassicalServer,
} from "../support/paths-house.ts";

const rounds = Number(process.env["LATTICEGATE_PATHS_ROUNDS"] ?? 1);
const skip = whyNoLab() ?? false;
/** Links that are opened at once; a call to `far` opens one on each of two hops. */
const links = 20;
/** Within it a call has its answer, or is told that there is no way. */
const boundMs = 45_000;
const long = { delayMs: 10 };
const lossy = { ...long, mtu: 1280, lossPermille: 50 };
const hole = { ...long, mtu: 1280, tellsSenders: false };

for (let round = 1; round <= rounds; round++) {
  for (const profile of ["hybrid", "cnsa-2.0"]) {
    test(`round ${round}, ${profile}`, { skip }, async (t) => {
      const house = await openHouse(t, profile);
      await t.test("5 % loss each way on a path of 1280 bytes: every call gets through", (s) =>
        loss(s, house),
      );
      await t.test("a black hole is survived, told, shown, and remembered", (s) => blackHole(s, house));
      for (const box of ["drops-big", "drops-split", "resets-big"] as const) {
        await t.test(`a box that ${box.replace("-", " ")} hellos is passed with a small one`, (s) =>
          middlebox(s, house, box),
        );
      }
      if (profile !== "hybrid") return;
      await t.test("in a black hole, a sidecar that can't lower segments says what to do", (s) =>
        unable(s, house),
      );
      await t.test("a classical server behind a box that resets big hellos gets no call", (s) =>
        classical(s, house),
      );
    });
  }
}

async function loss(t: TestContext, house: House): Promise<void> {
  for (const server of ["near", "far"]) {
    await house.lab.conduct(lossy);
    const sidecar = await sidecarTo(t, house, { server, name: `loss-${server}` });
    const outcomes = callsOf(house, sidecar, links);
    report(t, { server, outcomes, wire: await house.lab.conduct(lossy), sidecar });
    assert.equal(outcomes.length, links);
    assert.deepEqual(failuresIn(outcomes), []);
    assert.ok(outcomes.every(({ ms }) => ms < boundMs));
    assert.deepEqual(failuresIn(callsOf(house, sidecar, 1)), [], "calls go on afterwards");
    await sidecar.process.stop();
  }
}

async function blackHole(t: TestContext, house: House): Promise<void> {
  await house.lab.conduct(hole);
  const sidecar = await sidecarTo(t, house, { server: "far", name: "hole" });
  const outcomes = callsOf(house, sidecar, 3);
  report(t, { server: "far", outcomes, wire: await house.lab.conduct(hole), sidecar });
  assert.deepEqual(failuresIn(outcomes), []);
  assert.match(sidecar.process.stderr(), /"path\.small_segments".*"segmentBytes":1180/);
  await eventually("the gateway tells it", () => house.gateway.stderr().includes('"path.small_segments"'));
  const status = await cli(["status", "--config", house.configFile]);
  assert.match(
    status.stdout,
    /^Path {6}to 10\.87\.0\.1:9443: segments of 1180 bytes \((as configured|small hello): /m,
  );
  await sidecar.process.stop();
  const again = await sidecarAgain(t, house, { server: "far", state: sidecar.state });
  assert.deepEqual(failuresIn(callsOf(house, again, 3)), []);
  assert.doesNotMatch(again.process.stderr(), /"path\./, "the next process begins with what worked");
  await again.process.stop();
}

async function middlebox(
  t: TestContext,
  house: House,
  box: "drops-big" | "drops-split" | "resets-big",
): Promise<void> {
  await house.lab.conduct({ ...long, box, mtu: box === "drops-split" ? 1280 : 1500 });
  const sidecar = await sidecarTo(t, house, { server: "near", name: box });
  const outcomes = callsOf(house, sidecar, 3);
  const wire = await house.lab.conduct({});
  report(t, { server: "near", outcomes, wire, sidecar });
  assert.deepEqual(failuresIn(outcomes), []);
  assert.match(sidecar.process.stderr(), /"path\.small_hello"/);
  assert.equal(wire.caught, 1, "one hello was caught; what worked was used from then on");
  await sidecar.process.stop();
}

/** Where neither end can lower segments by itself; a listener that was told to does. */
async function unable(t: TestContext, house: House): Promise<void> {
  await house.lab.conduct(hole);
  const env = { ...process.env, NODE_OPTIONS: "--no-experimental-ffi" };
  await assert.rejects(
    sidecarTo(t, house, { server: "near", name: "unable", env }),
    /TCP segments can't be lowered here.*tcp_mtu_probing/s,
  );
  const lowered = await openLoweredGateway(t, house);
  const sidecar = await sidecarTo(t, lowered, { server: "near", name: "able", env });
  assert.deepEqual(failuresIn(callsOf(lowered, sidecar, 3)), []);
  assert.doesNotMatch(sidecar.process.stderr(), /"path\./);
  await sidecar.process.stop();
  await lowered.gateway.stop();
}

async function classical(t: TestContext, house: House): Promise<void> {
  await house.lab.conduct({});
  const heard = await startClassicalServer(t, house);
  const sidecar = await sidecarTo(t, house, { server: "old", name: "classical" });
  await house.lab.conduct({ box: "resets-big" });
  const outcomes = callsOf(house, sidecar, 1);
  const wire = await house.lab.conduct({});
  report(t, { server: "old", outcomes, wire, sidecar });
  const [failure = ""] = failuresIn(outcomes);
  assert.match(failure, /^502 .*negotiated X25519 when a hybrid key share didn't get through/);
  assert.ok(wire.caught >= 1 && wire.passed >= 1, "a whole hello was caught, a small one got through");
  assert.deepEqual(heard, [], "nothing was sent to it");
}

function failuresIn(outcomes: readonly CallOutcome[]): readonly string[] {
  return outcomes.flatMap(({ failure = [] }) => failure);
}

function report(
  t: TestContext,
  run: {
    readonly server: string;
    readonly outcomes: readonly CallOutcome[];
    readonly wire: object;
    readonly sidecar: Sidecar;
  },
): void {
  const times = run.outcomes.map(({ ms }) => ms).toSorted((a, b) => a - b);
  const at = (share: number): string => (times[Math.ceil(times.length * share) - 1] ?? 0).toFixed(0);
  const detours = run.sidecar.process.stderr().match(/"path\.small_\w+"/g) ?? [];
  t.diagnostic(
    `${run.server}: ${run.outcomes.length} calls, ${failuresIn(run.outcomes).length} failed; ms p50 ${at(0.5)} p90 ${at(0.9)} max ${at(1)}; detours told by the sidecar ${detours.length}; wire ${JSON.stringify(run.wire)}`,
  );
}
