/** Who holds identities of the house and stands between its ends: each attack, at each place, in each mode. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { eventually } from "../support/gateway.ts";
import { attacks, batchAttacks } from "../support/integrity-attacks.ts";
import { integrityScene, places } from "../support/integrity-scene.ts";
import {
  attempted,
  isCut,
  isForGood,
  named,
  pay,
  signing,
  type Stand,
  textsOf,
  works,
  worksOnceApproved,
} from "../support/integrity-steps.ts";
import type { Attack } from "../support/meddling.ts";
import { falseDenials, keptCalls, oddAnswers } from "../support/odd-answers.ts";
import { auditedFaults, foundFaults } from "../support/signature-findings.ts";

const stands: readonly (readonly [string, Stand])[] = [
  ...places.map((place) => [place, { place }] as const),
  ["before a gateway that serves itself", { place: "before the gateway", servedBy: "gateway" }],
];

for (const place of places) {
  test(`without signatures, a man who stands ${place} has his way`, async (t) => {
    const scene = await integrityScene(t, { place, signatures: { use: "off" } });
    // What only some readers take for an answer, the gateway doesn't.
    const odd = place === "behind the gateway" ? [] : oddAnswers;
    for (const attack of [...attacks, ...falseDenials, ...odd]) {
      await t.test(attack.name, async () => {
        const { told, hasLanded } = await attempted(scene, attack);
        assert.ok(hasLanded, textsOf(told));
      });
    }
  });
}

for (const [where, stand] of stands) {
  test(`with direct signatures, a man who stands ${where} gets nothing done and nothing said`, async (t) => {
    const scene = await signing(t, stand, "direct");
    for (const attack of [...attacks, ...oddAnswers, ...keptCalls]) {
      await t.test(attack.name, async () => {
        const { told, hasLanded, known } = await attempted(scene, attack);
        assert.ok(!hasLanded, textsOf(told));
        if (!isHarmless(attack, stand)) await named(scene, told, known);
        await works(scene);
      });
    }
    await t.test("all of it stands in the audit logs of those who were told", async () => {
      const audited = new Set((await auditedFaults(scene)).map(({ at, fault }) => `${at} ${fault}`));
      for (const { at, fault } of await foundFaults(scene)) assert.ok(audited.has(`${at} ${fault}`), fault);
    });
  });
}

for (const [where, stand] of stands) {
  for (const attack of [...attacks, ...batchAttacks]) {
    const then = batchAttacks.includes(attack) ? "goes on" : "stops";
    test(`with batches, a man who stands ${where}: ${attack.name}`, async (t) => {
      const scene = await signing(t, stand, "batched");
      const sinceMs = performance.now();
      const { told, hasLanded, known } = await attempted(scene, attack, then);
      const findings = await named(scene, told, known);
      t.diagnostic(
        `${[...new Set(findings)].join(", ")} after ${Math.round(performance.now() - sinceMs)} ms`,
      );
      if (!hasLanded) {
        scene.man.meddle({});
        await works(scene);
        return;
      }
      await eventually("a way that is cut", async () => isCut(await pay(scene)));
      // Who can't sign stops nobody for longer than he stands there.
      if (then === "goes on") assert.ok(!isForGood(await pay(scene)));
      scene.man.meddle({});
      if (isForGood(await pay(scene))) await worksOnceApproved(scene);
    });
  }
}

for (const mode of ["direct", "batched"] as const) {
  for (const [where, stand] of stands) {
    test(`${mode} signatures take a hop ${where} that writes all JSON anew`, async (t) => {
      const scene = await signing(t, stand, mode);
      const anew = (bytes: Buffer): string =>
        bytes.length === 0
          ? ""
          : JSON.stringify(turned(JSON.parse(bytes.toString())), null, 1).replaceAll("\n", "");
      scene.man.meddle({ call: ({ body }) => anew(body), answer: anew });
      for (let count = 0; count < 20; count++) await works(scene);
      assert.deepEqual(await foundFaults(scene), []);
    });
  }
}

/** The same members in another order. */
function turned(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(turned);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toReversed()
      .map(([name, each]) => [name, turned(each)]),
  );
}

/** Nothing comes of it, for anybody to find. */
function isHarmless({ name }: Attack, { place }: Stand): boolean {
  return name.includes("a call kept") || (place === "behind the gateway" && name.includes("isn't whole"));
}
