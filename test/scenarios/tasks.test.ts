/**
 * What takes several requests: tasks (extension io.modelcontextprotocol/tasks) and multi round-trip requests,
 * of servers over HTTP and over pipes, straight and through the gateway.
 */
import assert from "node:assert/strict";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";

import { fixtureHttpServer } from "../fixture/http.ts";
import { atEnd } from "../support/cleanup.ts";
import { type Client, clientOf, enrol, eventually, openPolicy, testGateway } from "../support/gateway.ts";

const fixture = fileURLToPath(new URL("../fixture/server.ts", import.meta.url));
const extension = "io.modelcontextprotocol/tasks";
const knowsTasks = { extensions: { [extension]: {} }, elicitation: {} };

interface Said {
  readonly id?: number | string;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly code: number };
}

interface Asked {
  readonly id?: number;
  readonly capabilities?: object;
  readonly headers?: Readonly<Record<string, string>>;
}

type Ask = (
  method: string,
  params: object,
  asked?: Asked,
) => Promise<{ readonly status: number; readonly said: readonly Said[] }>;

/** One way to the fixture: straight, or through the gateway and by HTTP or a pipe. */
type Ways = Readonly<Record<"straight" | "http" | "pipe", Ask>>;

async function ways(t: TestContext): Promise<Ways> {
  const server = fixtureHttpServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  atEnd(t, () => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`;
  const command = JSON.stringify([process.execPath, fixture, "--stdio"]);
  const gateway = await testGateway(
    t,
    `servers: { http: { url: "${url}" }, pipe: { command: ${command} } }\n${openPolicy}`,
  );
  const client = clientOf(t, gateway, await enrol(gateway));
  return {
    straight: asking(async (message, headers) => {
      const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify(message) });
      return { status: answer.status, text: await answer.text() };
    }),
    http: asking((message, headers) => client.post("http", message, headers)),
    pipe: asking((message, headers) => client.post("pipe", message, headers)),
  };
}

function asking(
  post: (
    message: object,
    headers: Record<string, string>,
  ) => Promise<Pick<Awaited<ReturnType<Client["post"]>>, "status" | "text">>,
): Ask {
  let last = 100;
  return async (method, params, { id = ++last, capabilities = knowsTasks, headers = {} } = {}) => {
    const { name, taskId } = params as { readonly name?: string; readonly taskId?: string };
    const named = name ?? taskId;
    const _meta = {
      "io.modelcontextprotocol/protocolVersion": "2026-07-28",
      "io.modelcontextprotocol/clientCapabilities": capabilities,
    };
    const answer = await post(
      { jsonrpc: "2.0", id, method, params: { ...params, _meta } },
      {
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": method,
        ...(named !== undefined && { "mcp-name": named }),
        ...headers,
      },
    );
    const events = [...answer.text.matchAll(/^data: (.+)$/gm)].map(([, data]) => data ?? "");
    const texts = events.length > 0 ? events : [answer.text];
    return { status: answer.status, said: texts.map((text) => JSON.parse(text) as Said) };
  };
}

async function begin(ask: Ask, name: string, id?: number): Promise<string> {
  const { said } = await ask("tools/call", { name, arguments: {} }, id === undefined ? {} : { id });
  assert.deepEqual([said[0]?.result?.["resultType"], said[0]?.result?.["status"]], ["task", "working"]);
  return String(said[0]?.result?.["taskId"]);
}

for (const way of ["straight", "http", "pipe"] as const) {
  test(`what a task asks, and each change of it, reaches its client (${way})`, async (t) => {
    const ask = (await ways(t))[way];
    const taskId = await begin(ask, "confirm_delete");
    const listening = ask("subscriptions/listen", { notifications: { taskIds: [taskId] } }, { id: 7 });
    const asks = await ask("tasks/get", { taskId });
    assert.deepEqual(Object.keys(asks.said[0]?.result?.["inputRequests"] ?? {}), ["confirm"]);
    const confirm = { action: "accept", content: { confirm: true } };
    const updated = await ask("tasks/update", { taskId, inputResponses: { confirm } });
    assert.equal(updated.said[0]?.result?.["resultType"], "complete");
    const { said } = await listening;
    assert.equal(said[0]?.method, "notifications/subscriptions/acknowledged");
    assert.deepEqual(said[0].params?.["notifications"], { taskIds: [taskId] });
    const changes = said.slice(1, -1);
    assert.ok(
      changes.every(
        ({ method, params }) => method === "notifications/tasks" && params?.["taskId"] === taskId,
      ),
    );
    assert.equal(changes.at(-1)?.params?.["status"], "completed");
    assert.deepEqual([said.at(-1)?.id, said.at(-1)?.result?.["resultType"]], [7, "complete"]);
  });
}

const refused: readonly {
  readonly what: string;
  readonly method: string;
  readonly params?: object;
  readonly asked?: Asked;
  readonly answer: readonly [status: number, code: number];
}[] = [
  {
    what: "of a client that knows no tasks",
    method: "tasks/get",
    asked: { capabilities: {} },
    answer: [400, -32021],
  },
  {
    what: "whose header names another task",
    method: "tasks/cancel",
    asked: { headers: { "mcp-name": "another" } },
    answer: [400, -32020],
  },
  { what: "for a task there isn't", method: "tasks/update", answer: [200, -32602] },
  { what: "by a method that was removed", method: "tasks/list", params: {}, answer: [404, -32601] },
  {
    what: "to listen, of a client that knows no tasks",
    method: "subscriptions/listen",
    params: { notifications: { taskIds: ["nobody's"] } },
    asked: { capabilities: {} },
    answer: [400, -32021],
  },
];

test("a request about tasks is refused with the same status and code whichever way it came", async (t) => {
  const all = await ways(t);
  for (const {
    what,
    method,
    params = { taskId: "nobody's", inputResponses: {} },
    asked = {},
    answer,
  } of refused) {
    for (const [way, ask] of Object.entries(all)) {
      const { status, said } = await ask(method, params, asked);
      assert.deepEqual([status, said[0]?.error?.code], answer, `${what}, ${way}`);
    }
  }
});

/** Takes the id 9 in the process in which the task runs, until the task ends. */
async function takeId9(pipe: Ask, taskId: string): Promise<{ readonly end: ReturnType<Ask> }> {
  const end = pipe("subscriptions/listen", { notifications: { taskIds: [taskId] } }, { id: 9 });
  await eventually("the id 9 is taken where the task runs", async () => {
    const { status } = await pipe("tasks/get", { taskId }, { id: 9 });
    return status === 503;
  });
  return { end };
}

test("a task stays with the process that runs it, whichever ids are taken there", async (t) => {
  const { pipe } = await ways(t);
  const statusOf = async (taskId: string, id?: number): Promise<unknown> => {
    const { said } = await pipe("tasks/get", { taskId }, id === undefined ? {} : { id });
    return said[0]?.result?.["status"];
  };
  const first = await begin(pipe, "confirm_delete");
  const listening = await takeId9(pipe, first);
  // The same id again: it takes a further process.
  const second = await begin(pipe, "confirm_delete", 9);
  assert.deepEqual([await statusOf(first), await statusOf(second)], ["input_required", "input_required"]);
  assert.equal(await statusOf(second, 9), "input_required", "the id 9 is free where the second task runs");
  const listeningToo = pipe("subscriptions/listen", { notifications: { taskIds: [second] } });
  await pipe("tasks/cancel", { taskId: second });
  assert.deepEqual([await statusOf(first), await statusOf(second)], ["input_required", "cancelled"]);
  await pipe("tasks/cancel", { taskId: first });
  for (const { said } of [await listening.end, await listeningToo])
    assert.equal(said.at(-2)?.params?.["status"], "cancelled");
});

test("what a server gave its client to remember comes back to the process that gave it", async (t) => {
  const { pipe } = await ways(t);
  const call = { name: "test_input_required_result_request_state", arguments: {} };
  const taskId = await begin(pipe, "confirm_delete");
  const { end } = await takeId9(pipe, taskId);
  // The same id again: it takes a further process, with a key of its own for what it gives out.
  const asks = await pipe("tools/call", call, { id: 9 });
  const requestState = asks.said[0]?.result?.["requestState"];
  assert.equal(typeof requestState, "string");
  const retry = {
    ...call,
    requestState,
    inputResponses: { confirm: { action: "accept", content: { ok: true } } },
  };
  const { said } = await pipe("tools/call", retry);
  assert.equal(said[0]?.result?.["resultType"], "complete");
  await pipe("tasks/cancel", { taskId });
  await end;
});
