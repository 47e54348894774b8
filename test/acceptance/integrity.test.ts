/**
 * Who holds identities of the house and stands between its ends. Each attack at each place, in each mode, is
 * `npm run acceptance integrity`; here is what the ends rest on.
 */
import assert from "node:assert/strict";
import { test } from "node:test";

import { defaultSignatures } from "../../src/app/config/signatures.ts";
import { approvePin, listPins } from "../../src/app/signatures/pin-operations.ts";
import { systemClock } from "../../src/host/system.ts";
import { bankClient, said, type Told } from "../support/bank.ts";
import { clientOf, enrol, eventually } from "../support/gateway.ts";
import { attacks } from "../support/integrity-attacks.ts";
import { ids, integrityScene, type IntegrityScene, places } from "../support/integrity-scene.ts";
import { attempted, fingerprintOf, pay, textsOf, works } from "../support/integrity-steps.ts";
import type { Meddling } from "../support/man-in-the-middle.ts";
import { keptCalls, falseDenials } from "../support/odd-answers.ts";
import { keysQuestion, secondIdentity, signedBy } from "../support/integrity-attacks.ts";
import { attestMethod, keysMethod, type Message, ownKeys } from "../support/own-signatures.ts";
import { foundFaults, toldFaults } from "../support/signature-findings.ts";

for (const place of places) {
  test(`through a man who stands ${place} and does nothing, everything works`, async (t) => {
    const { client, bank, man, url } = await integrityScene(t, { place });
    const modern = await bankClient(url, { era: "modern" });
    assert.equal(said(await modern.pay("carol", "5")), "paid 5 to carol");
    assert.equal(said(await client.pay("alice", "10")), "paid 10 to alice");
    assert.equal(said(await client.tool("slip", { to: "bob", amount: "1" })), "paid 1 to bob");
    assert.equal(said(await client.ask("resources/read", { uri: "mem://rates" })), "EUR 1.0829 USD");
    assert.equal(said(await client.tool("statement", { bytes: 2_000_000 })).length, 2_000_000);
    assert.deepEqual(bank.done.slice(-3, -1), ['slip {"to":"bob","amount":"1"}', "resources/read"]);
    assert.ok(man.heard.length >= 5, "it all went by him");
  });
}

test("where messages are signed directly, a gateway that lies", async (t) => {
  const connect = { patienceMs: 3000 };
  const scene = await integrityScene(t, { place: "as the gateway", connect, signatures: { mode: "direct" } });
  await works(scene);
  for (const attack of attacks) {
    await t.test(`gets nothing done and nothing said by ${attack.name}`, async () => {
      const { told, hasLanded } = await attempted(scene, attack);
      assert.ok(!hasLanded, textsOf(told));
      await works(scene);
    });
  }
  for (const attack of keptCalls) {
    await t.test(`gets one of two carried out by ${attack.name}`, async () => {
      assert.ok(!(await attempted(scene, attack)).hasLanded);
      await works(scene);
    });
  }
  await t.test("may say no in its own words, and nothing but no", async () => {
    for (const attack of falseDenials) {
      const { told, hasLanded } = await attempted(scene, attack);
      assert.ok(hasLanded, "its words are passed on");
      for (const { message } of told)
        assert.ok(message.error !== undefined || message.result?.isError === true);
    }
  });
  await t.test("reaches no client with what it answers in the place of keys", () => askedForKeys(scene));
});

async function askedForKeys(scene: IntegrityScene): Promise<void> {
  const poison = (id: unknown): string =>
    answer(id, { result: { content: [{ type: "text", text: "poison" }] } });
  for (const headers of [{ "latticegate-goodbye": "1" }, { "latticegate-session": "ended" }]) {
    for (const status of [200, 403]) {
      let [called, wasAsked, wasTold]: [unknown, boolean, boolean] = [undefined, false, false];
      scene.man.meddle({
        instead: ({ body }) => {
          const { method, id } = messageIn(body);
          if (method === keysMethod) {
            wasAsked = true;
            return { status, headers, body: poison(called) };
          }
          if (method !== "tools/call" || wasTold) return undefined;
          [called, wasTold] = [id, true];
          // Has the sidecar ask for the keys anew.
          return { body: unknownKey(id) };
        },
      });
      await eventually("a question for keys", async () => {
        wasTold = false;
        assert.ok(!(await pay(scene)).text.includes("poison"), `${status} ${Object.keys(headers).join()}`);
        return wasAsked;
      });
    }
  }
}

/** What a gateway that lies says of signatures to an end that has never met the server's. */
const silences: readonly (readonly [
  string,
  (id: unknown) => ReturnType<NonNullable<Meddling["instead"]>>,
])[] = [
  [
    "that it knows nothing of them",
    (id) => ({ body: answer(id, { error: { code: -32601, message: "no" } }) }),
  ],
  ["that it can't say now", () => ({ status: 503, body: "{}" })],
  ["that it takes leave", () => ({ status: 408, headers: { "latticegate-goodbye": "1" }, body: "" })],
  ["nothing that can be read", () => ({ body: "?" })],
];

function answer(id: unknown, said: object): string {
  return JSON.stringify({ jsonrpc: "2.0", id, ...said });
}

test("a sidecar that requires signatures sends nothing without, whatever it is told at first", async (t) => {
  let silence = silences[0]?.[1] ?? assert.fail("none");
  const meddling: Meddling = {
    instead: ({ body }) => {
      const { id, method } = messageIn(body);
      return method === keysMethod || method === attestMethod ? silence(id) : undefined;
    },
  };
  const signatures = { ...defaultSignatures, use: "required" } as const;
  const { bank, client } = await integrityScene(t, {
    place: "as the gateway",
    connect: { signatures, patienceMs: 0 },
    meddling,
  });
  for (const [what, next] of silences) {
    let wasAsked = false;
    silence = (id) => {
      wasAsked = true;
      return next(id);
    };
    await eventually(what, async () => {
      const told = await client.pay("alice", "1");
      assert.ok(!told.text.includes("paid"), `${what}: ${told.text}`);
      return wasAsked;
    });
  }
  assert.deepEqual(bank.done, []);
});

function messageIn(body: Buffer): Message {
  return body.length === 0 ? {} : (JSON.parse(body.toString()) as Message);
}

function unknownKey(id: unknown): string {
  const said = { reason: "signature_refused", fault: "unknown_key", remediation: "available" };
  const _meta = { "dev.latticegate/authorization": said };
  return answer(id, { result: { content: [], isError: true, _meta } });
}

test("keys that nobody has approved count nowhere that demands it, not even at first", async (t) => {
  const scene = await integrityScene(t, {
    place: "as the gateway",
    signatures: { mode: "direct", pins: "approved" },
  });
  const { exposed, sidecar, bank } = scene;
  const refused = toldFaults([await pay(scene)]);
  assert.deepEqual(
    refused.map(({ fault }) => fault),
    ["unknown_key"],
  );
  assert.deepEqual(bank.done, []);
  await approvePin(sidecar.state, { name: ids.server, fingerprint: exposed.fingerprint }, systemClock);
  await approvePin(exposed.state, { name: ids.sidecar, fingerprint: fingerprintOf(sidecar) }, systemClock);
  await works(scene);
  assert.deepEqual(
    listPins(sidecar.state).pins.map(({ name, state }) => [name, state]),
    [[ids.server, "approved"]],
  );
});

test("who stands in a server's name from the first moment on is told when the true one comes", async (t) => {
  const scene = await integrityScene(t, {
    place: "as the gateway",
    signatures: { mode: "direct" },
    meddling: secondIdentity(ownKeys()),
  });
  assert.equal(said(await pay(scene)), "poison", "nobody knew better");
  scene.man.meddle({});
  await eventually("a refusal of the true one's keys", async () =>
    /are refused \(unknown_key\)\. spiffe:/.test((await pay(scene)).text),
  );
});

test("a way that is cut for a promise that nobody keeps isn't opened by asking for keys anew", async (t) => {
  let ahead = 0;
  const clock = { nowUnixMs: () => Date.now() + ahead };
  const scene = await integrityScene(t, { place: "as the gateway", clock, signatures: { mode: "batched" } });
  await works(scene);
  await eventually("an attestation", () =>
    scene.man.heard.some(
      ({ call, answers }) => messageIn(call).method === attestMethod && answers.length > 0,
    ),
  );
  ahead = 20_000;
  const forged = attacks.find(({ name }) => name.includes("only promised")) ?? assert.fail("no such attack");
  assert.ok((await attempted(scene, forged)).hasLanded, "a promise is none yet");
  await eventually("a way that is cut", async () => isUnattested(await pay(scene)));
  const questions = (): number =>
    scene.man.heard.filter(({ call }) => messageIn(call).method === keysMethod).length;
  const before = questions();
  let wasTold = false;
  scene.man.meddle({
    instead: ({ body }) => {
      const { method, id } = messageIn(body);
      if (method !== "resources/read" || wasTold) return undefined;
      wasTold = true;
      return { body: unknownKey(id) };
    },
  });
  const again = await scene.client.ask("resources/read", { uri: "mem://rates" });
  assert.ok(isUnattested(again), again.text);
  assert.equal(questions(), before + 2, "he had the sidecar ask, and the cut way too");
  assert.ok((await foundFaults(scene)).some(({ fault }) => fault === "unattested"));
});

function isUnattested(told: Told): boolean {
  return toldFaults([told]).some(({ as, fault }) => as === "route_cut" && fault === "unattested");
}

test("who is known to sign can't sign another's calls", async (t) => {
  const scene = await integrityScene(t, { place: "before the gateway", signatures: { mode: "direct" } });
  await works(scene);
  const { house, bank, man } = scene;
  const iss = "spiffe://latticegate.local/agent/mallory";
  const keys = ownKeys();
  const mallory = clientOf(t, house, await enrol(house, "agent/mallory"));
  const introduced = await mallory.post("bank", keysQuestion(keys, { iss, aud: ids.server }));
  assert.match(introduced.text, /"result"/);
  man.meddle(signedBy(keys, iss));
  const before = bank.done.length;
  assert.deepEqual(
    toldFaults([await pay(scene)]).map(({ as, fault }) => `${as} ${fault}`),
    ["signature_refused wrong_issuer"],
  );
  assert.equal(bank.done.length, before);
});
