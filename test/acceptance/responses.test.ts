/** What an operator does against a caller, a session, a server or a tool, while a gateway runs and while none does. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";

import { actByHand, liftByHand, type Order } from "../../src/app/respond/response-operations.ts";
import { systemClock } from "../../src/host/system.ts";
import { cli } from "../support/cli.ts";
import {
  asked,
  clientOf,
  enrol,
  eventually,
  openPolicy,
  rawLink,
  stubServer,
  temporaryFolder,
  testGateway,
  toolCall,
} from "../support/gateway.ts";
import { type Answered, controlOf } from "../support/control.ts";
import { entriesOf, recorded } from "../support/records.ts";

const a = "spiffe://latticegate.local/agent/a";

test("what an operator does counts for the next calls of a gateway that runs, is undone to the same world, and is on record", async (t) => {
  const stub = await stubServer(t);
  const yaml = `servers: { bank: { url: "${stub.url}" }, shop: { url: "${stub.url}" } }\nvirtual_servers: { all: { servers: [bank, shop] } }\n${openPolicy}`;
  const folder = await temporaryFolder(t);
  const file = path.join(folder, "latticegate.yaml");
  await writeFile(file, `state: ./state\n${yaml}`);
  const gateway = await testGateway(t, yaml, { folder });
  const one = clientOf(t, gateway, await enrol(gateway, "agent/a"));
  const other = clientOf(t, gateway, await enrol(gateway, "agent/b"));
  const passes = async (client: typeof one, server: string, tool: string): Promise<boolean> =>
    (await client.post(server, toolCall(tool)).catch(() => undefined))?.text.includes('"result":{}') === true;
  const all = async (): Promise<readonly boolean[]> => [
    await passes(one, "bank", "pay"),
    await passes(one, "bank", "list"),
    await passes(one, "shop", "pay"),
    await passes(other, "bank", "pay"),
  ];
  const worldNow = async (): Promise<string | undefined> => (await recorded(gateway)).at(-2)?.facts["world"];
  const free = [true, true, true, true];
  assert.deepEqual(await all(), free);
  const before = await worldNow();

  const orders: readonly (readonly [Pick<Order, "action" | "scope"> & Partial<Order>, readonly boolean[]])[] =
    [
      [
        { action: "quarantine", scope: { caller: "agent/a", server: "bank", tool: "pay" } },
        [false, true, true, true],
      ],
      [{ action: "quarantine", scope: { server: "bank" } }, [false, false, true, false]],
      [{ action: "read_only", scope: { caller: a } }, [false, false, false, true]],
      [{ action: "hold", scope: { caller: a, server: "bank", tool: "list" } }, [true, false, true, true]],
      [{ action: "step_up", scope: { server: "shop" } }, [true, true, false, true]],
      [
        {
          action: "limit",
          scope: { caller: a, server: "bank", tool: "pay" },
          limit: { calls: 0, perMs: 60_000 },
        },
        [false, true, true, true],
      ],
      [{ action: "freeze_manifest", scope: { server: "shop" } }, [true, true, false, true]],
      [{ action: "cut", scope: { caller: a } }, [false, false, false, true]],
      [{ action: "revoke_identity", scope: { caller: a } }, [false, false, false, true]],
    ];
  const place = { config: gateway.config, clock: systemClock };
  for (const [order, expected] of orders) {
    const rest = { forMs: 3_600_000, next: [], because: "A test.", by: "operator:test" };
    const made = actByHand(place, { ...rest, ...order });
    await eventually(`${order.action} counts`, async () => String(await all()) === String(expected));
    liftByHand(place, made?.id ?? "", { by: "operator:test", because: "Over." });
    await eventually(`${order.action} is undone`, async () => String(await all()) === String(free));
    assert.equal(await worldNow(), before, `${order.action}: the world is the one from before`);
  }

  const ofVirtual = { action: "quarantine", scope: { server: "all" }, forMs: 60_000 } as const;
  assert.throws(
    () => actByHand(place, { ...ofVirtual, next: [], because: "A test.", by: "operator:test" }),
    /virtual server, .* one of its servers: bank, shop/,
  );

  const run = (...args: readonly string[]) => cli([...args, "--config", file]);
  const typed = await run("respond", "quarantine", "--caller", "agent/a", "--for", "1h", "--because", "Odd.");
  assert.equal(typed.code, 0, typed.stderr);
  const [id = ""] = typed.stdout.split(" ");
  await eventually("the caller is shut out", async () => !(await passes(one, "shop", "pay")));
  assert.match((await run("response", "list")).stdout, new RegExp(`^${id} {2}quarantine caller ${a} `));
  assert.equal((await run("response", "lift", id, "--because", "Fine.")).code, 0);
  await eventually("and free again", () => passes(one, "shop", "pay"));
  assert.match((await run("response", "list")).stdout, /^nothing is in force/);

  await eventually("all of it is on record", async () => {
    const lifts = await entriesOf(gateway, "response.lift");
    return lifts.length === orders.length + 1;
  });
  const acts = await entriesOf(gateway, "response.act");
  assert.deepEqual(
    acts.map(({ facts }) => facts["action"]),
    [...orders.map(([{ action }]) => action), "quarantine"],
  );
  assert.match(acts.at(-1)?.facts["by"] ?? "", /^operator:./);
  assert.equal(acts[0]?.tool, "bank/pay");
});

test("the API says and does the same for the operator's token, and names what is wrong with what it is asked", async (t) => {
  const stub = await stubServer(t);
  const yaml = `servers: { bank: { url: "${stub.url}" } }\n${openPolicy}`;
  const gateway = await testGateway(t, yaml, { dashboard: "127.0.0.1:0" });
  const control = controlOf(gateway);
  const ask = async (route: string, sent?: object): Promise<[number, Answered["body"]]> => {
    const { status, body } = await control.ask(route, sent);
    return [status, body];
  };
  const order = { action: "quarantine", caller: "agent/a", next: [{ action: "read_only", for: "1h" }] };
  const [made, { response }] = await ask("POST /responses", { ...order, for: "10m", because: "Odd." });
  assert.equal(made, 200);
  const { id, ...shown } = response as { readonly id: string; readonly by: string; readonly scope: unknown };
  assert.deepEqual([shown.by, shown.scope], ["operator:local", { caller: a }]);
  const client = clientOf(t, gateway, await enrol(gateway, "agent/a"));
  await eventually("it counts", async () =>
    (await client.post("bank", toolCall("pay"))).text.includes("Odd."),
  );
  assert.deepEqual((await ask("GET /responses"))[1]["items"], [response]);
  assert.equal((await ask(`POST /responses/${id}/renew`, { for: "2h" }))[0], 200);
  assert.equal((await ask(`POST /responses/${id}/lift`, { because: "Fine." }))[0], 200);
  assert.deepEqual((await ask("GET /responses"))[1]["items"], []);
  const wrong: readonly (readonly [string, object, RegExp])[] = [
    ["POST /responses", { ...order, caller: undefined, because: "x" }, /everybody and everything/],
    ["POST /responses", order, /because/],
    ["POST /responses", { ...order, for: "31d", because: "x" }, /from 1s to 30d/],
    [
      "POST /responses",
      { ...order, server: "bnak", because: "x" },
      /There is no server "bnak" here; there are bank/,
    ],
    [`POST /responses/${id}/lift`, { because: "x" }, /Nothing is in force/],
    ["POST /kill", { on: "yes", because: "x" }, /on: /],
  ];
  for (const [route, body, text] of wrong) {
    const [status, answer] = await ask(route, body);
    assert.ok(status >= 400, route);
    assert.match(String(answer["detail"]), text);
  }
});

test("an identity that is revoked for a time loses its links, and gets no new ones; lifted, it is itself again", async (t) => {
  const stub = await stubServer(t);
  const gateway = await testGateway(t, `servers: { bank: { url: "${stub.url}" } }\n${openPolicy}`);
  const enrolment = await enrol(gateway, "agent/a");
  const link = await rawLink(gateway, enrolment);
  const place = { config: gateway.config, clock: systemClock };
  const rest = { forMs: 3_600_000, next: [], because: "A test.", by: "operator:test" };
  const made = actByHand(place, { ...rest, action: "revoke_identity", scope: { caller: a } });
  await eventually("its link is ended", () => link.closed);
  const again = await rawLink(gateway, enrolment).catch(() => undefined);
  assert.equal(again === undefined ? "cut" : await asked(again), "cut");
  await assert.rejects(enrol(gateway, "agent/a"), "nor does it get another certificate");
  liftByHand(place, made?.id ?? "", { by: "operator:test", because: "Over." });
  await eventually("it is let in", async () => {
    const free = await rawLink(gateway, enrolment).catch(() => undefined);
    return free !== undefined && (await asked(free)) === "403";
  });
});

test("a command while no gateway runs counts at the next start, and is on record then; it outlives the next start", async (t) => {
  const stub = await stubServer(t);
  const yaml = `servers: { bank: { url: "${stub.url}" } }\n${openPolicy}`;
  const first = await testGateway(t, yaml);
  const enrolment = await enrol(first, "agent/a");
  await first.stop();
  const rest = { forMs: 3_600_000, next: [], because: "A test.", by: "operator:test" };
  const place = { config: first.config, clock: systemClock };
  actByHand(place, { ...rest, action: "quarantine", scope: { caller: a, server: "bank", tool: "pay" } });
  for (const _ of [1, 2]) {
    const gateway = await testGateway(t, yaml, { folder: first.folder });
    const client = clientOf(t, gateway, enrolment);
    assert.match((await client.post("bank", toolCall("pay"))).text, /Denied by policy: A test/);
    assert.match((await client.post("bank", toolCall("list"))).text, /"result":\{\}/);
    await gateway.stop();
    assert.equal((await entriesOf(gateway, "response.act")).length, 1);
  }
});
