/** `latticegate/client` as a client's author would use it, through a sidecar and a gateway. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import path from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { verifyAnswer, withSignatureOffer } from "../../src/public/client.ts";
import { cli, latticegate } from "../support/cli.ts";
import { gatewayProcess, loopbackSidecar, sidecarArguments } from "../support/gateway-process.ts";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../..", import.meta.url));
const at = (...parts: string[]): string => path.join(root, ...parts);

const everything = at("node_modules", "@modelcontextprotocol", "server-everything", "dist", "index.js");
const command = JSON.stringify([process.execPath, everything, "stdio"]);
const gateway = await gatewayProcess({ after }, `servers: { everything: { command: ${command} } }`);

test("the example says what its call is for, and learns who signed and what is on record", async () => {
  const logKey = path.join(gateway.folder, "state", "log-key.txt");
  const sidecar = latticegate(await sidecarArguments(gateway, "everything", "ask"));
  const program = ["--import", at("test", "support", "own-package.ts"), at("examples", "client", "ask.mjs")];
  const { stdout } = await run(process.execPath, [...program, logKey, process.execPath, ...sidecar]);
  assert.match(
    stdout,
    /^Echo: hello\nsigned by spiffe:\/\/\S+\/gateway, direct ML-DSA-65, keys: first-use\nentry \d+ of the log: allowed\n$/,
  );
});

/** What `pins list --json` says of one end. */
interface PinnedEnd {
  readonly name: string;
  readonly fingerprint: string;
  readonly keys: unknown;
}

test("a client verifies an answer itself, with the keys that its sidecar has pinned", async (t) => {
  const { url } = await loopbackSidecar(t, gateway, "everything", "verifier");
  const headers: Record<string, string> = {
    "content-type": "application/json",
    accept: "application/json, text/event-stream",
  };
  const post = async (message: object): Promise<Response> =>
    await fetch(url, { method: "POST", headers, body: JSON.stringify({ jsonrpc: "2.0", ...message }) });
  const capabilities = withSignatureOffer({});
  const clientInfo = { name: "verifier", version: "1" };
  const greeted = await post({
    id: 1,
    method: "initialize",
    params: { protocolVersion: "2025-06-18", capabilities, clientInfo },
  });
  headers["mcp-session-id"] = greeted.headers.get("mcp-session-id") ?? "";
  headers["mcp-protocol-version"] = "2025-06-18";
  assert.match(await greeted.text(), /"extensions":\{"dev\.latticegate\/message-signature"/);
  await post({ method: "notifications/initialized" });
  const params = { name: "echo", arguments: { message: "hello" } };
  const answered = await (await post({ id: 2, method: "tools/call", params })).text();
  const message = /^data: (\{"result".*\})$/m.exec(answered)?.[1] ?? answered;

  const listed = await cli(["pins", "list", "--state", path.join(gateway.folder, "verifier"), "--json"]);
  const { pins } = JSON.parse(listed.stdout) as { readonly pins: readonly PinnedEnd[] };
  const [{ name, fingerprint, keys } = { name: "", fingerprint: "", keys: [] }] = pins;
  const trust = { signer: name, fingerprint, keys, method: "tools/call", nowUnixMs: Date.now() };
  const verdict = verifyAnswer(Buffer.from(message), trust);
  assert.ok(verdict.kind === "signed", `${JSON.stringify(verdict)} ${answered.slice(0, 300)}`);
  assert.equal(verdict.proof.algorithm, "ML-DSA-65");
  const { result } = JSON.parse(message) as { readonly result: object };
  assert.equal(verifyAnswer({ result }, trust).kind, "signed");
  const tampered = Buffer.from(message.replace("Echo: hello", "Echo: hullo"));
  assert.deepEqual(verifyAnswer(tampered, trust), { kind: "refused", fault: "tampered" });
});
