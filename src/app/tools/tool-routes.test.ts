/** What the control room is told of servers' tools, hostile names and texts among them. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { askRoute } from "../../../test/support/control.ts";
import { freshState } from "../../../test/support/gateway.ts";
import { listAnswer, madeTool } from "../../../test/support/tool-lists.ts";
import type { Journaled } from "../../gate/call.ts";
import { openTools } from "../../host/store/state-tools.ts";
import { parseConfig } from "../config.ts";
import { statePaths } from "../state-folder.ts";
import { keptPins } from "./kept-pins.ts";
import { keptServers } from "./kept-tools.ts";
import { toolMarkRoutes } from "./tool-mark-routes.ts";
import { toolRoutes } from "./tool-routes.ts";

const clock = { nowUnixMs: () => 1e12, monotonicMs: () => 0 };
const call = { server: "office", caller: { id: "spiffe://a.test/agent/x" } } as unknown as Journaled;

/** A state whose server `office` has listed these, one list after the other. */
async function listedThrough(t: Parameters<typeof freshState>[0], ...lists: readonly (readonly object[])[]) {
  const state = await freshState(t);
  const store = openTools(statePaths(state).database);
  const kept = keptServers({
    servers: new Map([["office", { pin: "first-use", accept: [], publishers: [], uri: "https://a.test/" }]]),
    pins: keptPins(["office"], store, clock),
    clock,
    onChange: () => undefined,
  });
  for (const tools of lists) await kept.shown(call, { message: listAnswer(tools) });
  store.close();
  return state;
}

interface Definition {
  readonly text: string;
  readonly isCut: boolean;
}

interface Opened {
  readonly state: string;
  readonly pinned: Definition | null;
  readonly offered: Definition | null;
  readonly history: readonly { readonly what: string; readonly who: string }[];
}

const open = async (state: string, tool: string): Promise<Opened> =>
  (await askRoute(toolRoutes({ state }, clock), "GET /servers/{server}/tools/definition", {
    params: { server: "office" },
    query: { tool },
  })) as Opened;

test("a tool that changed is opened with both definitions, whatever it is called, and what hides in them is shown", async (t) => {
  const state = await listedThrough(
    t,
    [madeTool("diff", "Shows what differs.")],
    [madeTool("diff", "Shows what differs.\u202e <img src=x onerror=alert(1)>")],
  );
  const { state: standing, pinned, offered, history } = await open(state, "diff");
  assert.equal(standing, "held");
  assert.match(pinned?.text ?? "", /^name:\n {2}diff\ndescription:\n {2}Shows what differs\.\ninputSchema:/);
  assert.match(offered?.text ?? "", /⟨U\+202E[^⟩]*⟩ <img src=x onerror=alert\(1\)>/);
  assert.deepEqual(
    history.map(({ what, who }) => [what, who]),
    [["pinned", "first use"]],
  );
  await assert.rejects(open(state, "history"), /has no tool "history"/);
});

test("a definition longer than anybody reads is cut, and says so", async (t) => {
  const state = await listedThrough(t, [madeTool("long", "x".repeat(100_000))]);
  const { pinned, offered } = await open(state, "long");
  assert.deepEqual([pinned?.text.length, pinned?.isCut, offered], [65_536, true, null]);
});

test("tools that let a stranger's text carry data away together are named, for whom they meet", async (t) => {
  const state = await listedThrough(t, [
    madeTool("fetch_page", "Fetches a web page.", {
      annotations: { openWorldHint: true, readOnlyHint: true },
    }),
    madeTool("read_file", "Reads a file."),
    madeTool("send_email", "Sends a mail."),
  ]);
  const config = parseConfig(
    `trust_domain: a.test\nstate: ${state}\nservers: { office: { command: [x] } }\n` +
      "virtual_servers: { desk: { servers: [office] } }\n",
    "/etc/latticegate.yaml",
  );
  const reached = async () => [
    { caller: "spiffe://a.test/agent/x", server: "desk", allowed: 1 },
    { caller: "spiffe://a.test/agent/refused", server: "office", allowed: 0 },
  ];
  const answer = (await askRoute(toolMarkRoutes(config, { reached, clock }), "GET /tools/marks")) as {
    readonly tools: readonly { readonly tool: string; readonly may: readonly string[] }[];
    readonly combinations: readonly { readonly who: string; readonly kind: string }[];
  };
  assert.deepEqual(
    answer.tools.map(({ tool, may }) => [tool, may.join(" ")]),
    [
      ["fetch_page", "read untrusted-input"],
      ["read_file", "read private-data"],
      ["send_email", "write egress"],
    ],
  );
  assert.deepEqual(
    answer.combinations.map(({ who, kind }) => `${who} ${kind}`),
    ["* exfiltration", "desk exfiltration", "spiffe://a.test/agent/x exfiltration"],
  );
});
