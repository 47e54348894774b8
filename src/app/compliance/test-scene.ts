/** What the tests of a running gateway work with: an identity of their own, by the way every caller takes. */
import { setTimeout as pause } from "node:timers/promises";
import net from "node:net";
import tls from "node:tls";

import { z } from "zod";

import type { CollectedAnswer } from "../../host/net/http-exchange.ts";
import { hostAndPort } from "../../host/net/listen.ts";
import { fromUtf8, utf8 } from "../../kernel/bytes.ts";
import type { Clock } from "../../kernel/clock.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { runningGateway } from "../certificate-authority.ts";
import { type Config, fixedServers } from "../config.ts";
import type { OperatorIdentity, OperatorTunnel } from "../operator-tunnel.ts";

type Running = NonNullable<Awaited<ReturnType<typeof runningGateway>>>;

/** How a test went. `says` is what was seen, for people. */
export interface TestOutcome {
  readonly result: "passed" | "failed" | "skipped";
  readonly says: string;
}

export interface TestScene {
  readonly config: Config;
  readonly run: Running;
  readonly clock: Clock;
  readonly identity: OperatorIdentity;
  readonly tunnel: OperatorTunnel;
}

export const passed = (says: string): TestOutcome => ({ result: "passed", says });
export const failed = (says: string): TestOutcome => ({ result: "failed", says });
export const skipped = (says: string): TestOutcome => ({ result: "skipped", says });

/** Of a connection, or of a call: what takes longer was not refused. */
const timeoutMs = 5000;

/** No rule can mean it by name. */
export const noSuchTool = "latticegate-assess-no-such-tool";

/** A server that calls may be sent to; its tools are never called. */
export function someServer({ servers }: Config): string | undefined {
  return fixedServers(servers)[0]?.[0];
}

/** One that has sessions which the gateway itself gives out. */
export function someProcess({ servers }: Config): string | undefined {
  return fixedServers(servers).find(([, server]) => "command" in server)?.[0];
}

/** One for which the gateway itself verifies signatures. */
export function someOwnEnd({ servers, signatures }: Config): string | undefined {
  const found = fixedServers(servers).find(
    ([, server]) =>
      (server.signatures ?? signatures.use) !== "off" && !("peer" in server && server.peer !== undefined),
  );
  return found?.[0];
}

export interface Asked {
  readonly status: number;
  /** Of a JSON-RPC error. */
  readonly code: number | undefined;
  readonly message: string;
  /** Why it was refused, as the gateway says it beside the text, and what is wrong with its signature. */
  readonly denial: string | undefined;
  readonly fault: string | undefined;
}

const authorization = z.object({
  "dev.latticegate/authorization": z.object({ reason: z.string(), fault: z.string().optional() }),
});

const answerSchema = z.object({
  error: z
    .object({ code: z.number(), message: z.string(), data: authorization.optional().catch(undefined) })
    .optional(),
  result: z
    .looseObject({
      isError: z.literal(true),
      content: z.array(z.object({ text: z.string() })),
      _meta: authorization,
    })
    .optional()
    .catch(undefined),
});

/** Sends a body as it is, with those headers beside the usual ones. */
export async function ask(
  { tunnel }: Pick<TestScene, "tunnel">,
  server: string,
  body: string | Uint8Array,
  headers: readonly string[] = [],
): Promise<Asked> {
  const usual = ["content-type", "application/json", "accept", "application/json, text/event-stream"];
  const bytes = typeof body === "string" ? utf8(body) : body;
  return askedOf(
    await tunnel.to(server)({
      method: "POST",
      headers: [...usual, ...headers],
      body: bytes,
      gone: AbortSignal.timeout(timeoutMs),
    }),
  );
}

function askedOf(answer: CollectedAnswer): Asked {
  const { status } = answer;
  const { error, result } = parsed(answer.kind === "whole" ? (fromUtf8(answer.body) ?? "") : "");
  const { reason, fault } = (error?.data ?? result?._meta)?.["dev.latticegate/authorization"] ?? {};
  const message = error?.message ?? result?.content[0]?.text ?? "";
  return { status, code: error?.code, message, denial: reason, fault };
}

function parsed(text: string): z.output<typeof answerSchema> {
  try {
    return answerSchema.parse(JSON.parse(text));
  } catch {
    return {};
  }
}

/** A message of MCP 2026-07-28, whole in itself. */
export function modernCall(
  method: string,
  params: { readonly [name: string]: unknown; readonly _meta?: object },
): { readonly body: string; readonly headers: readonly string[] } {
  const meta = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": { name: "latticegate-assess", version: "1" },
    "io.modelcontextprotocol/clientCapabilities": {},
  };
  const { _meta: more = {}, ...rest } = params;
  const message = { jsonrpc: "2.0", id: 1, method, params: { ...rest, _meta: { ...meta, ...more } } };
  const name = typeof params["name"] === "string" ? ["mcp-name", params["name"]] : [];
  const headers = ["mcp-protocol-version", "2026-07-28", "mcp-method", method, ...name];
  return { body: JSON.stringify(message), headers };
}

/** How an endpoint takes a connection: what it says, or how it ends it. */
export type Taken =
  | { readonly kind: "answered"; readonly text: string }
  | { readonly kind: "cut"; readonly why: string }
  | { readonly kind: "absent"; readonly why: string };

/** Says something without TLS. */
export function sayPlainly(address: string, text: string): Promise<Taken> {
  const socket = net.connect({ ...hostAndPort(address), timeout: timeoutMs });
  return takenBy(socket, "connect", text);
}

/** Says something over TLS as those options have it, once a handshake succeeds. */
export function sayOverTls(address: string, options: tls.ConnectionOptions, text: string): Promise<Taken> {
  const socket = tls.connect({ ...options, ...hostAndPort(address), timeout: timeoutMs });
  return takenBy(socket, "secureConnect", text);
}

function takenBy(socket: net.Socket, opened: string, text: string): Promise<Taken> {
  return new Promise((resolve) => {
    const settle = (taken: Taken): void => {
      socket.destroy();
      resolve(taken);
    };
    socket.once(opened, () => socket.write(text));
    socket.once("data", (data: Buffer) => settle({ kind: "answered", text: data.toString("latin1", 0, 64) }));
    socket.once("timeout", () => settle({ kind: "cut", why: "it said nothing" }));
    socket.once("close", () => settle({ kind: "cut", why: "it closed the connection" }));
    socket.once("error", (error) => {
      const code = "code" in error ? String(error.code) : error.message;
      const isAbsent = /ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|ENOTFOUND/.test(code);
      settle({ kind: isAbsent ? "absent" : "cut", why: code });
    });
  });
}

/** Of a connection that had to be cut. */
export function mustBeCut(taken: Taken): TestOutcome {
  if (taken.kind === "cut") return passed(taken.why);
  if (taken.kind === "absent") return skipped(`nobody listens there: ${taken.why}`);
  return failed("it was answered");
}

/** What a command changed is taken up within a second; it is given ten. */
export async function within(isSo: () => Promise<boolean>): Promise<boolean> {
  const deadline = performance.now() + 10_000;
  while (!(await isSo())) {
    if (performance.now() > deadline) return false;
    await pause(100);
  }
  return true;
}

/** Whether somebody said no, rather than failed. */
export function isRefusal(error: unknown): error is Refusal {
  return error instanceof Refusal;
}
