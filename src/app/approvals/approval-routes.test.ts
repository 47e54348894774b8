/** Who is shown what on the API: the operator everything, people what they may decide. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { askRoute, loginOf, operatorLogin } from "../../../test/support/control.ts";
import { freshState } from "../../../test/support/gateway.ts";
import type { Login } from "../../control/login.ts";
import { sealSecret } from "../../crypto/sealed.ts";
import { openApprovals } from "../../host/store/state-approvals.ts";
import { utf8 } from "../../kernel/bytes.ts";
import { statePaths } from "../state-folder.ts";
import { sealedName } from "./approval-operations.ts";
import { approvalRoutes } from "./approval-routes.ts";

const clock = { nowUnixMs: () => 1e12 };
const key = new Uint8Array(32).fill(7);

test("people are shown the requests that they may decide, and nothing of others", async (t) => {
  const state = await freshState(t);
  const store = openApprovals(statePaths(state).database);
  const settled = store.settle(
    {
      digest: "d",
      caller: "spiffe://a.test/agent/x",
      chain: [],
      server: "payroll",
      method: "tools/call",
      name: "raise",
      terms: [{ rule: "r", because: "x", approvers: 1, from: ["person:alice"] }],
      expiresMs: 900_000,
      seal: (id) =>
        sealSecret(key, sealedName(id), utf8(JSON.stringify([{ name: "salary", value: "90000" }]))),
    },
    clock.nowUnixMs(),
  );
  store.close();
  const id = settled.kind === "waiting" ? settled.request.id : assert.fail();
  const nobody = { token_hash: "x", is: [] };
  const routes = approvalRoutes({ state, clock, key, people: { alice: nobody, bob: nobody } });
  const listed = async (login: Login) => {
    const answer = await askRoute(routes, "GET /approvals", { login });
    return (answer as { items: readonly object[] }).items.length;
  };
  const shown = async (login: Login) =>
    (await askRoute(routes, "GET /approvals/{id}", { params: { id }, login })) as {
      arguments: readonly object[];
    };
  for (const login of [operatorLogin, loginOf("person:alice", "approver")]) {
    assert.equal(await listed(login), 1);
    assert.deepEqual((await shown(login)).arguments, [{ name: "salary", value: "90000" }]);
  }
  const bob = loginOf("person:bob", "approver");
  assert.equal(await listed(bob), 0);
  await assert.rejects(shown(bob), /waits for others than person:bob/);
});
