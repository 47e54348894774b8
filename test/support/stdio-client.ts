/** An MCP client that has started `latticegate connect` as its stdio server. */
import assert from "node:assert/strict";
import { PassThrough } from "node:stream";

import { makeJoinToken } from "../../src/app/certificate-authority.ts";
import { connectStdio } from "../../src/app/connect.ts";
import { systemClock, systemLog } from "../../src/host/system.ts";
import { lineReader } from "../../src/wire/lines.ts";
import { atEnd, type Cleanup } from "./cleanup.ts";
import { freshState, type TestGateway } from "./gateway.ts";

export interface StdioClient {
  readonly send: (message: object) => void;
  /** The next message that comes back. */
  readonly next: () => Promise<unknown>;
}

export async function stdioClient(t: Cleanup, gateway: TestGateway, target: string): Promise<StdioClient> {
  const spiffePath = "agent/test";
  const address = { path: spiffePath, address: gateway.address };
  const joinToken = await makeJoinToken(gateway.config, address, systemClock);
  const state = await freshState(t);
  const log = systemLog({ level: "error", form: "json", write: () => undefined });
  const [input, output] = [new PassThrough(), new PassThrough()];
  const ended = connectStdio({ target, state, joinToken, clock: systemClock, log }, { input, output });
  atEnd(t, async () => {
    input.end();
    await ended;
  });
  const messages = linesOf(output);
  return {
    send: (message) => void input.write(`${JSON.stringify(message)}\n`),
    next: async () => {
      const { value } = await messages.next();
      assert.ok(value !== undefined, "expected another message");
      return JSON.parse(value) as unknown;
    },
  };
}

async function* linesOf(output: PassThrough): AsyncGenerator<string, undefined> {
  const reader = lineReader(1024 * 1024);
  for await (const chunk of output) {
    for (const line of reader.push(chunk as Buffer)) yield new TextDecoder().decode(line);
  }
  return undefined;
}
