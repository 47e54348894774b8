/** One caller's tool quarantined in the midst of everybody's calls: it alone is refused, from then on until it is lifted. */
import assert from "node:assert/strict";
import { test } from "node:test";

import type { Pool } from "undici";

import { cli } from "../support/cli.ts";
import { eventually, stubServer, toolCall } from "../support/gateway.ts";
import { directLink, gatewayProcess } from "../support/gateway-process.ts";

const callsPerPhase = Number(process.env["LATTICEGATE_RESPONSE_CALLS"] ?? 6000);
const callers = ["a", "b", "c"] as const;
const servers = ["bank", "shop"] as const;
const tools = ["pay", "list", "close"] as const;
const inFlightOfEach = 4;

async function call(pool: Pool, server: string, tool: string): Promise<"passed" | "quarantined" | "error"> {
  const answer = await pool.request({
    method: "POST",
    path: `/mcp/${server}`,
    headers: { "content-type": "application/json", accept: "application/json, text/event-stream" },
    body: JSON.stringify(toolCall(tool)),
  });
  const text = await answer.body.text();
  if (answer.statusCode === 200 && text.includes('"result":{}')) return "passed";
  return text.includes("Denied by policy: It is tried out.") ? "quarantined" : "error";
}

test("quarantining one caller's tool under load leaves all other calls of that server, tool and caller unharmed", async (t) => {
  const stub = await stubServer(t);
  const behind = servers.map((name) => `${name}: { url: "${stub.url}" }`).join(", ");
  const gateway = await gatewayProcess(t, `servers: { ${behind} }`);
  const links = new Map<string, Pool>();
  for (const name of callers) links.set(name, await directLink(t, gateway, name));
  let phase: "before" | "beginning" | "during" | "ending" | "after" = "before";
  const over = new AbortController();
  const counts = new Map<string, number>();
  const worker = async (name: string, server: string, tool: string): Promise<void> => {
    const link = links.get(name) ?? assert.fail();
    const about = name === "a" && server === "bank" && tool === "pay" ? "it" : "others";
    while (!over.signal.aborted) {
      const began = phase;
      const how = await call(link, server, tool).catch(() => "error" as const);
      const when = began === phase ? phase : "between";
      const key = `${about} ${when} ${how}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
      if (how === "quarantined" && phase === "beginning") phase = "during";
      if (how === "passed" && about === "it" && phase === "ending" && began === "ending") phase = "after";
    }
  };
  const workers = callers.flatMap((name) =>
    servers.flatMap((server) =>
      tools.flatMap((tool) => Array.from({ length: inFlightOfEach }, () => worker(name, server, tool))),
    ),
  );
  const sum = (prefix: string, how = ""): number =>
    [...counts].reduce((all, [key, n]) => all + (key.startsWith(prefix) && key.endsWith(how) ? n : 0), 0);
  const goOn = async (): Promise<void> => {
    const until = sum("") + callsPerPhase;
    await eventually("calls go on", () => sum("") >= until, 120_000);
  };
  const run = async (...args: readonly string[]): Promise<string> => {
    const ended = await cli([...args, "--config", gateway.configFile]);
    assert.equal(ended.code, 0, ended.stderr);
    return ended.stdout;
  };
  await goOn();
  phase = "beginning";
  const scope = ["--caller", "agent/a", "--server", "bank", "--tool", "pay"];
  const made = await run("respond", "quarantine", ...scope, "--because", "It is tried out.");
  await goOn();
  assert.equal(phase, "during", "the quarantine counts");
  phase = "ending";
  await run("response", "lift", made.split(" ")[0] ?? "", "--because", "Seen enough.");
  await goOn();
  assert.equal(phase, "after", "and is over");
  over.abort();
  await Promise.all(workers);
  t.diagnostic(
    `${sum("others")} calls of others, ${sum("others", "error")} errors, ${sum("others", "quarantined")} refused; ` +
      `${sum("it")} of the one, ${sum("it during", "quarantined")} refused while it was in quarantine, ${sum("it during", "passed")} passed`,
  );
  assert.ok(sum("others", "passed") > 1000);
  assert.equal(sum("others", "passed"), sum("others"), "nothing else was refused or failed");
  assert.ok(sum("it during", "quarantined") > 50);
  assert.equal(sum("it during", "passed"), 0, "what is quarantined is refused");
  assert.equal(sum("it", "error"), 0);
  assert.equal(sum("it before", "quarantined") + sum("it after", "quarantined"), 0);
});
