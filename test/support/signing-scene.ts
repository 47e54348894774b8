/** One gateway for the tests of a file, with servers that answer as their tools are called, and callers that sign. */
import { after, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";

import {
  type Answering,
  type Client,
  clientOf,
  echoResult,
  enrol,
  openPolicy,
  stubServer,
  testGateway,
  type TestGateway,
} from "./gateway.ts";
import { entriesOf, type Recorded } from "./records.ts";
import { freshKeys, type Keys, signingCaller, type SigningCaller } from "./signing-caller.ts";

const stdioServer = fileURLToPath(new URL("stdio-server.ts", import.meta.url));

export const progress =
  '{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}';
export const long = JSON.stringify({ jsonrpc: "2.0", id: 1, result: { text: "x".repeat(2 * 1024 * 1024) } });
export const errors: Readonly<Record<string, object>> = {
  bare: { code: -32001, message: "no" },
  rich: { code: -32001, message: "no", data: { why: "because" } },
  text: { code: -32001, message: "no", data: "because" },
  reserved: { code: -32021, message: "no", data: { requiredCapabilities: {} } },
};

/** Answers by the name of the tool. */
const answering: Answering = (request, response, body) => {
  const { id, method, params } = JSON.parse(body || "{}") as {
    id?: number;
    method?: string;
    params?: { name?: string; arguments?: { error?: string } };
  };
  const result =
    method === undefined || request.headers["x-member"] === undefined ? undefined : member[method];
  if (params?.name === "stream") {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(`data: ${progress}\n\n`);
    setImmediate(() => response.end('data: {"jsonrpc":"2.0","id":1,"result":{"content":[]}}\n\n'));
  } else if (params?.name === "long") {
    response.writeHead(200, { "content-type": "application/json" }).end(long);
  } else if (params?.name === "fail") {
    const error = errors[params.arguments?.error ?? ""];
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ jsonrpc: "2.0", id: 1, error }));
  } else if (result !== undefined) {
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ jsonrpc: "2.0", id, result }));
  } else echoResult(request, response, body);
};

/** What a member of a virtual server says. */
export const member: Readonly<Record<string, object>> = {
  initialize: {
    protocolVersion: "2025-06-18",
    capabilities: { tools: {} },
    serverInfo: { name: "m", version: "1" },
  },
  "tools/list": { tools: [{ name: "echo", inputSchema: { type: "object" } }] },
};

export interface SigningScene {
  /** What reached the server since, bodies as they came. */
  readonly seen: () => readonly string[];
  readonly gateway: TestGateway;
  readonly client: Client;
  /** SPIFFE ID of a caller of this test's own. */
  readonly id: string;
  readonly caller: (server?: string, keys?: Keys) => SigningCaller;
  /** What was recorded since, about this caller. */
  readonly entries: (event: string) => Promise<readonly Recorded[]>;
}

const demanding = `
  - name: writers
    callers: ["spiffe://latticegate.local/rule/*"]
    tools: ["stub/write"]
    signature: { algorithm: ML-DSA-87, max_age: 30s }
    effect: allow
    because: Writing is signed well, and just now.
  - name: readers
    callers: ["spiffe://latticegate.local/rule/*"]
    tools: ["stub/look"]
    signature: { mode: batched, answer: direct }
    effect: allow
    because: Who looks must be able to prove what was seen.
`;

let shared: ReturnType<typeof open> | undefined;
let callers = 0;
const undoing: (() => unknown)[] = [];
/** What is opened within a test, and used by those after it. */
const file = { after: (undo: () => unknown) => void undoing.push(undo) };
after(async () => {
  for (const undo of undoing) await undo();
});

/** One gateway for all: the server `stub`, of which the tool `look` only reads, and others. */
async function open() {
  const stub = await stubServer(file, answering);
  const command = JSON.stringify([process.execPath, stdioServer]);
  const servers = [
    `stub: { url: "${stub.url}", read_only: [look] }`,
    `off: { url: "${stub.url}", signatures: off }`,
    `strict: { url: "${stub.url}", signatures: required }`,
    `pipe: { command: ${command} }`,
    ...["one", "two"].map((name) => `${name}: { url: "${stub.url}", headers: { x-member: { env: PATH } } }`),
  ];
  const gateway = await testGateway(
    file,
    `servers:\n  ${servers.join("\n  ")}\nvirtual_servers: { all: { servers: [one, two] } }\n${openPolicy}${demanding}`,
  );
  return { stub, gateway };
}

export async function signingScene(t: TestContext, path = "agent"): Promise<SigningScene> {
  const { stub, gateway } = await (shared ??= open());
  callers += 1;
  const spiffePath = `${path}/${callers}`;
  const client = clientOf(t, gateway, await enrol(gateway, spiffePath));
  const id = `spiffe://latticegate.local/${spiffePath}`;
  const own = freshKeys();
  const seen = stub.seen.length;
  return {
    seen: () => stub.seen.slice(seen).map(({ body }) => body),
    gateway,
    client,
    id,
    caller: (server = "stub", keys = own) => signingCaller({ client, server, id }, keys),
    entries: async (event) =>
      (await entriesOf(gateway, event)).filter(({ principal, facts }) =>
        [principal, facts["peer"]].includes(id),
      ),
  };
}
