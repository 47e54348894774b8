import assert from "node:assert/strict";
import { test } from "node:test";

import { fromUtf8, utf8 } from "../../kernel/bytes.ts";
import { type NotificationFrame, tryReadFrame } from "../../wire/frame.ts";
import { acknowledged, listChanges, listenParams, tellsOfResources, unsubscribed } from "./listen-filter.ts";

function notification(text: string): NotificationFrame {
  return tryReadFrame(utf8(text)) as NotificationFrame;
}

test("what is listened to is what the server can tell, and what was subscribed to", () => {
  const capabilities = {
    tools: { listChanged: true },
    prompts: { listChanged: "yes" },
    resources: { subscribe: true },
  };
  assert.deepEqual(listChanges(capabilities), { toolsListChanged: true });
  assert.deepEqual(listChanges({}), {});
  assert.equal(tellsOfResources(capabilities), true);
  assert.equal(tellsOfResources({ resources: {} }), false);
  assert.deepEqual(listenParams({ toolsListChanged: true }, new Set(["a:b"]), { e: 1 }), {
    notifications: { toolsListChanged: true, resourceSubscriptions: ["a:b"] },
    _meta: { e: 1 },
  });
  assert.deepEqual(listenParams({}, new Set(["a:b"]), {})?.["notifications"], {
    resourceSubscriptions: ["a:b"],
  });
  assert.equal(listenParams({}, new Set(), {}), undefined);
});

test("an acknowledgement says which addresses the server tells of", () => {
  const said = (params: string) =>
    acknowledged(
      notification(`{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged"${params}}`),
    );
  assert.deepEqual(said(',"params":{"notifications":{"resourceSubscriptions":["a:b",1]}}'), new Set(["a:b"]));
  for (const params of [
    "",
    ',"params":{}',
    ',"params":{"notifications":5}',
    ',"params":{"notifications":{"resourceSubscriptions":"a:b"}}',
  ])
    assert.deepEqual(said(params), new Set());
  assert.equal(acknowledged(notification('{"jsonrpc":"2.0","method":"notifications/x"}')), undefined);
});

test("what was heard is told without the stream it was heard on, and otherwise as it was", () => {
  const told = (text: string) => fromUtf8(unsubscribed(notification(text)).bytes);
  assert.equal(
    told(
      '{"jsonrpc":"2.0","method":"m","params":{"n":1.0,"_meta":{"io.modelcontextprotocol/subscriptionId":7,"a":1}}}',
    ),
    '{"jsonrpc":"2.0","method":"m","params":{"n":1.0,"_meta":{"a":1}}}',
  );
  assert.equal(told('{"jsonrpc":"2.0","method":"m"}'), '{"jsonrpc":"2.0","method":"m"}');
});
