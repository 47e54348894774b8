/** Servers as people have them, made by others for sessions alone, and a client that knows none: the official examples. */
import assert from "node:assert/strict";
import { mkdir, realpath, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { startProcess } from "../support/cli.ts";
import { freePort } from "../support/free-port.ts";
import { type GatewayProcess, gatewayProcess, loopbackSidecar } from "../support/gateway-process.ts";
import { temporaryFolder } from "../support/gateway.ts";
import { openV2, type Speaker, textOf } from "../support/sdk-clients.ts";

const packages = fileURLToPath(new URL("../../node_modules/@modelcontextprotocol", import.meta.url));
const everything = path.join(packages, "server-everything", "dist", "index.js");
const filesystem = path.join(packages, "server-filesystem", "dist", "index.js");

describe("a modern client and servers of others for legacy ones", () => {
  const undo: (() => unknown)[] = [];
  const t = { after: (step: () => unknown) => void undo.push(step) };
  let gateway: GatewayProcess;
  let house = "";

  before(async () => {
    house = await realpath(await temporaryFolder(t));
    await mkdir(path.join(house, "notes"));
    await writeFile(path.join(house, "notes", "one.txt"), "the first note");
    const [http, sse] = [await listening("streamableHttp"), await listening("sse")];
    gateway = await gatewayProcess(
      t,
      `servers:
  by-http: { url: "http://127.0.0.1:${http}/mcp", bridge: auto }
  by-sse: { url: "http://127.0.0.1:${sse}/sse", transport: http+sse, bridge: auto }
  by-stdio: { command: ${JSON.stringify([process.execPath, everything, "stdio"])}, bridge: auto }
  files: { command: ${JSON.stringify([process.execPath, filesystem, house])}, bridge: auto }`,
    );
  });
  after(async () => {
    for (const step of undo.reverse()) await step();
  });

  for (const server of ["by-http", "by-sse", "by-stdio"]) {
    test(`the server of everything, ${server}`, async (inner) => {
      const speaker = await opened(inner, server);
      const { call, person } = speaker;
      const tools = await speaker.tools();
      for (const tool of [
        "trigger-sampling-request",
        "trigger-elicitation-request",
        "trigger-url-elicitation",
      ])
        assert.ok(tools.includes(tool), `${tool}, which it has for clients that can be asked`);
      assert.equal(textOf(await call("echo", { message: "hello" })), "Echo: hello");
      const { structuredContent } = await call("get-structured-content", { location: "Chicago" });
      assert.equal(typeof (structuredContent as { temperature: unknown }).temperature, "number");
      let progress = 0;
      const slow = { duration: 0.3, steps: 3 };
      await call("trigger-long-running-operation", slow, { onprogress: () => void progress++ });
      assert.ok(progress >= 2, `${progress} times`);
      assert.match(textOf(await call("trigger-sampling-request", { prompt: "Capital?" })), /Paris/);
      assert.match(JSON.stringify(await call("trigger-elicitation-request", {})), /Ada/);
      const address = { url: "https://example.org/consent", message: "Please consent" };
      assert.match(JSON.stringify(await call("trigger-url-elicitation", address)), /accept/i);
      assert.equal(person.asked.at(-1), "Please consent");
      await call("trigger-url-elicitation", { ...address, errorPath: true });
      assert.deepEqual(person.asked.slice(-2), [
        "Open this link to satisfy the prerequisite, then retry the request.",
        "Please consent",
      ]);
      assert.match(textOf(await call("get-roots-list", {})), /file:\/\/\/house/);
      const [resource] = ((await speaker.request("resources/list", {})) as Resources).resources;
      assert.ok(JSON.stringify(await speaker.read(resource?.uri ?? "")).length > 100);
      assert.match(JSON.stringify(await speaker.prompt("args-prompt", { city: "Rome" })), /Rome/);
      const stop = await speaker.listen("demo://resource/dynamic/text/1");
      await stop();
    });
  }

  test("the server of files", async (inner) => {
    const { call, tools } = await opened(inner, "files");
    assert.ok((await tools()).includes("read_text_file"));
    const file = path.join(house, "notes", "one.txt");
    assert.equal(textOf(await call("read_text_file", { path: file })), "the first note");
    await call("write_file", { path: path.join(house, "notes", "two.txt"), content: "the second" });
    assert.match(textOf(await call("list_directory", { path: path.join(house, "notes") })), /two\.txt/);
    assert.equal((await call("read_text_file", { path: "/etc/passwd" })).isError, true);
  });

  async function listening(transport: string): Promise<number> {
    const port = await freePort();
    const command = `exec ${process.execPath} ${everything} ${transport} 2>&1`;
    const env = { ...process.env, PORT: String(port) };
    await startProcess(t, ["sh", "-c", command], / on port (\d+)$/, { env });
    return port;
  }

  async function opened(
    inner: { readonly after: (undo: () => Promise<void>) => void },
    server: string,
  ): Promise<Speaker> {
    const { url } = await loopbackSidecar(t, gateway, server, server);
    const speaker = await openV2({ pin: "2026-07-28" })({ kind: "http", url });
    inner.after(() => speaker.close());
    assert.equal(speaker.era, "modern");
    return speaker;
  }
});

interface Resources {
  readonly resources: readonly { readonly uri: string }[];
}
