/** What a proven caller asks of the gateway itself, beside MCP: a session, a delegation (docs/formats/). */
import { z } from "zod";

import { fromUtf8, utf8 } from "../kernel/bytes.ts";
import { Refusal, refusalRow } from "../kernel/refusal.ts";
import { covers } from "../policy/delegation-scope.ts";
import type { Received } from "./call.ts";
import { delegate } from "./delegate.ts";
import type { Ports } from "./ports.ts";
import { checkPostQuantum } from "./reach.ts";
import { logRefusal } from "./refuse.ts";
import { delegated, inClientSession } from "./represent.ts";
import { checkLink, identify } from "./stages.ts";
import type { World } from "./world.ts";

/** Where a caller asks for a session of its client's. */
export const sessionPath = "/identity/session";
/** Where it asks to have a part of what it may do given to another. */
export const delegatePath = "/identity/delegate";
/** Longest request of these. */
export const maxIdentityRequestBytes = 64 * 1024;

const patterns = z.array(z.string().max(2048)).max(1000).default([]);
const sessionSchema = z.strictObject({});
const delegateSchema = z.strictObject({
  to: z.string().min(1).max(2048),
  tools: patterns,
  resources: patterns,
  prompts: patterns,
  /** Seconds. */
  lifetime: z.int().min(1).max(1e9).optional(),
  depth: z.int().min(0).max(1000).optional(),
});

/** Answers through the request's reply; never throws. */
export async function answerIdentity(
  path: string,
  received: Received,
  world: World,
  ports: Ports,
): Promise<void> {
  const answer = (status: number, body: unknown): void =>
    received.reply.whole(
      status,
      ["content-type", "application/json", "cache-control", "no-store"],
      utf8(JSON.stringify(body)),
    );
  try {
    answer(200, await answered(path, received, world, ports));
  } catch (error) {
    logRefusal(received, error, ports.log);
    if (!(error instanceof Refusal))
      answer(500, { error: "fault", message: `Internal error ${received.id}` });
    else answer(refusalRow(error.code).http, { error: error.code, message: error.message });
  }
}

async function answered(path: string, received: Received, world: World, ports: Ports): Promise<unknown> {
  checkPostQuantum(received.channel);
  const represented = delegated(identify(received, world), world, ports);
  if (path === sessionPath) {
    checked(sessionSchema, received.body);
    return { session: ports.clientSessions.mint(represented.caller, received.atUnixMs) };
  }
  if (path !== delegatePath) {
    throw new Refusal("bad_message", `There are ${sessionPath} and ${delegatePath}.`);
  }
  const asked = checked(delegateSchema, received.body);
  const { to, tools, resources, prompts, lifetime, depth } = asked;
  const grant = {
    to,
    scope: { tools, resources, prompts },
    ...(lifetime !== undefined && { lifetimeMs: lifetime * 1000 }),
    ...(depth !== undefined && { depth }),
  };
  // Who may not call a server on this link may not have others call it either.
  for (const server of world.hybridLinks) {
    if (covers(grant.scope, server)) checkLink({ ...received, server }, world);
  }
  const { text, credential } = await delegate(inClientSession(represented, ports), grant, world, ports);
  // RFC 8693 §2.2.1
  return {
    access_token: text,
    issued_token_type: "urn:ietf:params:oauth:token-type:jwt",
    token_type: "N_A",
    expires_in: (credential.notAfterUnixMs - credential.issuedUnixMs) / 1000,
  };
}

function checked<T>(schema: z.ZodType<T>, body: Uint8Array): T {
  const result = schema.safeParse(parsed(body));
  if (result.success) return result.data;
  throw new Refusal("bad_message", "The body isn't what docs/formats/ asks for.", { cause: result.error });
}

function parsed(body: Uint8Array): unknown {
  try {
    return JSON.parse(fromUtf8(body) ?? "");
  } catch (cause) {
    throw new Refusal("bad_json", "Expected a JSON body in UTF-8.", { cause });
  }
}
