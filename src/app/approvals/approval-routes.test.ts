/** Who is shown what on the API: the operator everything, people what they may decide. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { freshState } from "../../../test/support/gateway.ts";
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
  const { routes } = approvalRoutes({ state, clock, key, people: { alice: nobody, bob: nobody } });
  const listed = (login: string) => {
    const answer = routes["approvals"]?.(new URLSearchParams(), login);
    return (answer as { requests: readonly object[] }).requests.length;
  };
  const shown = (login: string) =>
    routes["approvals/show"]?.(new URLSearchParams({ id }), login) as { arguments: readonly object[] };
  for (const login of ["operator", "person:alice"]) {
    assert.equal(listed(login), 1);
    assert.deepEqual(shown(login).arguments, [{ name: "salary", value: "90000" }]);
  }
  assert.equal(listed("person:bob"), 0);
  assert.throws(() => shown("person:bob"), /waits for others than person:bob/);
});
