/**
 * A gateway with traffic to look at: three agents behind sidecars of their own, a bank, an office on stdio and a pharmacy
 * behind an OpenAPI document; calls that are allowed, refused and held, one that leaks a key, and names that would run
 * as script where somebody took them for markup.
 */
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { Pool } from "undici";

import { type Bank, bank } from "./bank.ts";
import { atEnd, type Cleanup } from "./cleanup.ts";
import { cli } from "./cli.ts";
import { stubServer, temporaryFolder } from "./gateway.ts";
import { gatewayProcess, type GatewayProcess, loopbackSidecar } from "./gateway-process.ts";
import { pharmacy, swagger } from "./pharmacy.ts";
import { json, modernHeaders, modernMeta } from "./ways.ts";

export interface ControlScene {
  readonly gateway: GatewayProcess;
  readonly bank: Bank;
  /** A command of the operator. @returns what it printed */
  readonly run: (...words: readonly string[]) => Promise<string>;
  /** A link that logs one browser in. @param person of `control.people`; by default the operator */
  readonly link: (person?: string) => Promise<string>;
  /** One call of a tool. @returns its answer as it came */
  readonly call: (agent: Agent, tool: string, args?: object) => Promise<string>;
  /** Asks for a server's tools. */
  readonly list: (agent: Agent, server: string) => Promise<string>;
  /** Calls of all kinds, one after the other, until it is ended. */
  readonly traffic: (perSecond: number) => () => Promise<void>;
}

const agents = ["invoices", "pharmacist", "research"] as const;
type Agent = (typeof agents)[number];

/** What somebody would send who takes pages for browsers' to run. */
const scriptName = '<img src=x onerror="document.title=1">';

const office = fileURLToPath(new URL("office-server.ts", import.meta.url));

const rules = `  - { name: no-mail-out, callers: ["*"], tools: ["office/send_mail"], effect: deny, because: Mail leaves through people. }
  - { name: payments-wait, callers: ["*"], tools: ["bank/slip"], effect: hold, because: Somebody looks at each payment slip., approval: { from: ["operator", "person:anna"] } }
`;

export async function controlScene(t: Cleanup): Promise<ControlScene> {
  const [ledger, stock, folder] = [await bank(t), await pharmacy(t), await temporaryFolder(t)];
  const odd = await oddServer(t);
  const [page, document] = [path.join(folder, "page.txt"), path.join(folder, "pharmacy.json")];
  await writeFile(page, "Invoices are paid on Fridays.");
  await writeFile(document, JSON.stringify(swagger));
  const gateway = await gatewayProcess(
    t,
    `servers:
  bank: { url: "${ledger.url}" }
  office: { command: ${JSON.stringify([process.execPath, office, page])} }
  pharmacy: { openapi: ${JSON.stringify(document)}, base_url: "${stock.url}", networks: [127.0.0.0/8] }
  odd: { url: "${odd}" }
control: { people: { vera: { roles: [viewer] }, anna: { roles: [viewer, approver] } } }
detect: { calls: true }`,
    rules,
  );
  const run = async (...words: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await cli([...words, "--config", gateway.configFile]);
    if (code !== 0) throw new Error(`${words.join(" ")}: ${stderr}`);
    return stdout;
  };
  const pools = new Map<string, { readonly pool: Pool; readonly path: string }>();
  const targets = {
    invoices: ["bank", "office"],
    pharmacist: ["pharmacy"],
    research: ["odd", "office"],
  } as const;
  for (const agent of agents) {
    for (const server of targets[agent]) {
      const { url } = await loopbackSidecar(t, gateway, server, `${agent}-${server}`);
      const pool = new Pool(new URL(url).origin, { connections: 16 });
      atEnd(t, () => pool.destroy());
      pools.set(`${agent} ${server}`, { pool, path: new URL(url).pathname });
    }
  }
  let id = 0;
  const ask = async (
    agent: Agent,
    server: string,
    method: string,
    params: { readonly name?: string; readonly arguments?: object },
  ): Promise<string> => {
    const to = pools.get(`${agent} ${server}`);
    if (to === undefined) throw new Error(`${agent} doesn't reach ${server}`);
    const said = { ...params, _meta: modernMeta };
    const body = JSON.stringify({ jsonrpc: "2.0", id: (id += 1), method, params: said });
    const headers = { ...json, ...modernHeaders(method, params.name) };
    const answer = await to.pool.request({ path: to.path, method: "POST", headers, body });
    return await answer.body.text();
  };
  const call: ControlScene["call"] = (agent, tool, args = {}) => {
    const [server = "", name = ""] = tool.split("/");
    return ask(agent, server, "tools/call", { name, arguments: args });
  };
  const list: ControlScene["list"] = (agent, server) => ask(agent, server, "tools/list", {});
  for (const agent of agents) for (const server of targets[agent]) await list(agent, server);
  return {
    gateway,
    bank: ledger,
    run,
    link: async (person) => {
      const said = await run("login", "--json", ...(person === undefined ? [] : ["--person", person]));
      return (JSON.parse(said) as { readonly link: string }).link;
    },
    call,
    list,
    traffic: (perSecond) => begin(call, perSecond),
  };
}

const usual: readonly (readonly [Agent, string, object])[] = [
  ["invoices", "office/list_invoices", {}],
  ["invoices", "bank/balance", {}],
  ["invoices", "bank/pay", { to: "DE02120300000000202051", amount: "412.50" }],
  ["pharmacist", "pharmacy/queryInventory", { body: { drug: "ibuprofen" } }],
  ["research", "odd/lookup", { topic: scriptName }],
  ["invoices", "bank/balance", {}],
  ["research", "office/send_mail", { to: "a@b.example", subject: "Hello", body: "Hello" }],
];

function begin(call: ControlScene["call"], perSecond: number): () => Promise<void> {
  const over = new AbortController();
  const running = (async () => {
    const calls: Promise<unknown>[] = [];
    const began = performance.now();
    for (let i = 0; !over.signal.aborted; i++) {
      const [agent, tool, args] = usual[i % usual.length] ?? ["invoices", "bank/balance", {}];
      calls.push(call(agent, tool, args));
      const ahead = ((i + 1) * 1000) / perSecond - (performance.now() - began);
      if (ahead > 0) await new Promise((resolve) => setTimeout(resolve, ahead));
    }
    await Promise.all(calls);
  })();
  return async () => {
    over.abort();
    await running;
  };
}

/** Its tool is described by somebody who hopes for a browser that believes it. */
async function oddServer(t: Cleanup): Promise<string> {
  const tools = [
    {
      name: "lookup",
      title: scriptName,
      description: `Looks something up. ${scriptName}<script>document.title=1</script>`,
      inputSchema: { type: "object", properties: { topic: { type: "string" } } },
    },
  ];
  const results: Readonly<Record<string, object>> = {
    initialize: {
      protocolVersion: "2025-11-25",
      capabilities: { tools: {} },
      serverInfo: { name: scriptName, version: "1" },
    },
    "server/discover": {
      supportedVersions: ["2026-07-28"],
      capabilities: { tools: {} },
      serverInfo: { name: scriptName, version: "1" },
      resultType: "complete",
    },
    "tools/list": { tools },
    "tools/call": { content: [{ type: "text", text: "Nothing was found." }] },
    ping: {},
  };
  const { url } = await stubServer(t, (_request, response, body) => {
    const message = body === "" ? undefined : (JSON.parse(body) as { id?: unknown; method: string });
    if (message?.id === undefined) {
      response.writeHead(message === undefined ? 405 : 202).end();
      return;
    }
    const result = results[message.method];
    const said = result === undefined ? { error: { code: -32601, message: "unknown method" } } : { result };
    response
      .writeHead(200, { "content-type": "application/json" })
      .end(JSON.stringify({ jsonrpc: "2.0", id: message.id, ...said }));
  });
  return url;
}
