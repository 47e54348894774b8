/**
 * Clients of one era of the protocol and servers of the other: the official SDKs, pinned, through `latticegate connect`
 * over stdio and loopback HTTP, to servers behind HTTP and behind stdio, alone and beside one of the client's own era.
 */
import assert from "node:assert/strict";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { cli, latticegate, startProcess } from "../support/cli.ts";
import {
  checkNotMixed,
  everyFeature,
  type Names,
  namesOfMember,
  ownNames,
} from "../support/every-feature.ts";
import {
  type GatewayProcess,
  gatewayProcess,
  loopbackSidecar,
  sidecarArguments,
} from "../support/gateway-process.ts";
import { type Front, openV1, openV2, type Speaker } from "../support/sdk-clients.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const fixture = path.join(root, "test", "fixture", "server.ts");

const clients = [
  { name: "SDK v1", open: openV1, era: "legacy" },
  { name: "SDK v2, legacy", open: openV2("legacy"), era: "legacy" },
  { name: "SDK v2, pinned to 2026-07-28", open: openV2({ pin: "2026-07-28" }), era: "modern" },
] as const;

const eras = ["legacy", "modern"] as const;
type Era = (typeof eras)[number];

interface Target {
  readonly target: string;
  readonly at: Names;
}

/** The servers of an era: alone, and on a virtual server that has one of each era. */
function targetsOf(era: Era): readonly Target[] {
  return [
    { target: `${era}-http`, at: ownNames },
    { target: `${era}-stdio`, at: ownNames },
    { target: "mixed-http", at: namesOfMember(`${era}-http`) },
    { target: "mixed-stdio", at: namesOfMember(`${era}-stdio`) },
  ];
}

describe("clients of one era and servers of the other", { concurrency: 4 }, () => {
  const undo: (() => unknown)[] = [];
  const t = { after: (step: () => unknown) => void undo.push(step) };
  let gateway: GatewayProcess;
  const straight = new Map<Era, Front>();
  const fronts = new Map<string, Front>();

  before(async () => {
    for (const era of eras) {
      const command = [process.execPath, fixture, "--http", "0", "--era", era] as const;
      const { groups } = await startProcess(t, command, /^(http:\S+)$/);
      straight.set(era, { kind: "http", url: groups[0] ?? "" });
    }
    const command = (era: Era) => JSON.stringify([process.execPath, fixture, "--stdio", "--era", era]);
    const url = (era: Era) => urlOf(straight.get(era));
    gateway = await gatewayProcess(
      t,
      `servers:
  legacy-http: { url: "${url("legacy")}", bridge: auto }
  legacy-stdio: { command: ${command("legacy")}, bridge: legacy }
  modern-http: { url: "${url("modern")}", bridge: modern }
  modern-stdio: { command: ${command("modern")}, bridge: auto }
virtual_servers:
  mixed-http: { servers: [legacy-http, modern-http] }
  mixed-stdio: { servers: [legacy-stdio, modern-stdio] }`,
    );
    for (const target of new Set(eras.flatMap(targetsOf).map((each) => each.target))) {
      const args = await sidecarArguments(gateway, target, `${target}-by-stdio`);
      fronts.set(`${target} by stdio`, { kind: "stdio", args: latticegate(args) });
      const sidecar = await loopbackSidecar(t, gateway, target, `${target}-by-http`);
      fronts.set(`${target} by http`, { kind: "http", url: sidecar.url });
    }
  });
  after(async () => {
    try {
      assert.equal(await gateway.stop(), 0);
      const verified = await cli(["audit", "verify", "--config", gateway.configFile]);
      assert.equal(verified.code, 0, verified.stdout + verified.stderr);
    } finally {
      for (const step of undo.reverse()) await step();
    }
  });

  for (const client of clients) {
    test(`${client.name} straight to a server of its own era`, async (inner) => {
      const front = straight.get(client.era);
      assert.ok(front);
      const speaker = await opened(inner, client, front);
      for (const { name, check } of everyFeature) await inner.test(name, () => check(speaker, ownNames));
    });
    for (const { target, at } of targetsOf(client.era === "legacy" ? "modern" : "legacy")) {
      for (const by of ["stdio", "http"]) {
        test(`${client.name} through connect by ${by} to ${target} (${at.name("…")})`, async (inner) => {
          const speaker = await opened(inner, client, frontOf(`${target} by ${by}`));
          for (const { name, check } of everyFeature) await inner.test(name, () => check(speaker, at));
          // By the same sidecar, or by two.
          const another = await opened(inner, client, frontOf(`${target} by http`));
          await inner.test("two clients with the same ids", () => checkNotMixed([speaker, another], at));
        });
      }
    }
  }

  test("what has the client's own era passes a virtual server beside the other", async (inner) => {
    for (const client of clients) {
      const speaker = await opened(inner, client, frontOf("mixed-http by http"));
      const at = namesOfMember(`${client.era}-http`);
      for (const { name, check } of everyFeature)
        await inner.test(`${client.name}: ${name}`, () => check(speaker, at));
    }
  });

  function frontOf(name: string): Front {
    const front = fronts.get(name);
    assert.ok(front);
    return front;
  }
});

async function opened(
  t: { readonly after: (undo: () => Promise<void>) => void },
  client: (typeof clients)[number],
  front: Front,
): Promise<Speaker> {
  const speaker = await client.open(front);
  t.after(() => speaker.close());
  assert.equal(speaker.era, client.era);
  return speaker;
}

function urlOf(front: Front | undefined): string {
  assert.ok(front?.kind === "http");
  return front.url;
}
