/**
 * Which MCP is spoken at a URL, asked as a stranger: both eras of streamable HTTP, then HTTP+SSE; who it says it is, its tools,
 * and whom it lets in. Whatever it answers costs bounded time and memory, and is told as it is.
 */
import { valueOf } from "../../host/net/headers.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { seenTool } from "../../inventory/seen-tool.ts";
import type { Authentication, SeenTool, ServerSighting } from "../../inventory/sighting.ts";
import { greet, type Greeting } from "../mcp-probe.ts";
import { type Stranger, stranger } from "./stranger-send.ts";

export type Answered = Omit<ServerSighting, "evidence" | "posture">;

export interface ServerQuestion {
  /** As `placeKey` has it. */
  readonly url: string;
  readonly signal: AbortSignal;
  /** For the whole of it. */
  readonly timeoutMs: number;
}

/** Servers have a few hundred at most; a list that goes on is cut. */
const maxTools = 2000;
const maxText = 256;

/**
 * @returns undefined if no MCP is spoken there
 * @throws Refusal that says what it did instead, where that is worth telling: circles, floods, silence
 */
export async function askServer({ url, signal, timeoutMs }: ServerQuestion): Promise<Answered | undefined> {
  const whole = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  const visitor = stranger(new URL(url), whole);
  try {
    const greeted = await greet(visitor.send, clientName);
    if (greeted.kind === "server") {
      return { ...(await described(url, greeted.greeting)), spoken: "streamable-http" };
    }
    const { status, headers } = greeted;
    if (status === 401 || status === 403) return await closed(url, { status, headers }, visitor);
    return await overSse(url, visitor);
  } finally {
    await visitor.close();
  }
}

const clientName = "latticegate-scan";

async function overSse(url: string, visitor: Stranger): Promise<Answered | undefined> {
  const { send, close } = visitor.sseSend();
  try {
    const greeted = await greet(send, clientName);
    return greeted.kind === "server"
      ? { ...(await described(url, greeted.greeting)), spoken: "http+sse" }
      : undefined;
  } catch (error) {
    // What has no such stream isn't MCP.
    if (error instanceof Refusal) return undefined;
    throw error;
  } finally {
    await close();
  }
}

async function described(url: string, greeting: Greeting): Promise<Answered> {
  const { name, version, protocolVersion } = greeting;
  const found = await toolsOf(greeting);
  await greeting.close().catch(() => undefined);
  return {
    place: { kind: "http", url },
    name: name.slice(0, maxText),
    version: version.slice(0, maxText),
    protocolVersions: [protocolVersion.slice(0, maxText)],
    authentication: { kind: "none" },
    ...found,
  };
}

async function toolsOf(greeting: Greeting): Promise<Pick<Answered, "tools" | "isCut">> {
  const tools: SeenTool[] = [];
  let isCut = false;
  try {
    for await (const page of greeting.toolPages()) {
      const listed = Array.isArray(page["tools"]) ? (page["tools"] as readonly unknown[]) : [];
      for (const one of listed) {
        const tool = seenTool(one);
        if (tool === undefined || tools.length === maxTools) isCut = true;
        else tools.push(tool);
      }
      if (isCut && tools.length === maxTools) break;
    }
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    // A server without tools answers with an error, one that floods is cut.
    isCut = tools.length > 0;
  }
  return { tools, ...(isCut && { isCut: true }) };
}

interface Closed {
  readonly status: number;
  readonly headers: readonly string[];
}

/** It lets in whom it knows. Whether it speaks MCP, its challenge or its metadata says (RFC 9728). */
async function closed(
  url: string,
  { status, headers }: Closed,
  visitor: Stranger,
): Promise<Answered | undefined> {
  const challenge = valueOf([...headers], "www-authenticate") ?? "";
  const { origin, pathname } = new URL(url);
  const named = /resource_metadata="([^"]{1,2000})"/i.exec(challenge)?.[1];
  const metadata = named === undefined ? null : URL.parse(named, url);
  const paths = [
    ...(metadata?.origin === origin ? [metadata.pathname + metadata.search] : []),
    `/.well-known/oauth-protected-resource${pathname === "/" ? "" : pathname}`,
  ];
  for (const path of paths) {
    const issuers = await issuersAt(path, visitor);
    if (issuers !== undefined) return lockedWith(url, { kind: "oauth", issuers });
  }
  if (named !== undefined) return lockedWith(url, { kind: "oauth", issuers: [] });
  if (/^bearer\b/i.test(challenge)) return lockedWith(url, { kind: "bearer" });
  if (/^basic\b/i.test(challenge)) return lockedWith(url, { kind: "basic" });
  return status === 401 && pathname.endsWith("/mcp") ? lockedWith(url, { kind: "unknown" }) : undefined;
}

function lockedWith(url: string, authentication: Authentication): Answered {
  return { place: { kind: "http", url }, authentication };
}

const maxIssuers = 8;

async function issuersAt(path: string, visitor: Stranger): Promise<readonly string[] | undefined> {
  try {
    const answer = await visitor.get(path);
    if (answer.status !== 200 || answer.kind !== "whole" || answer.body.length > 64 * 1024) return undefined;
    const value: unknown = JSON.parse(new TextDecoder().decode(answer.body));
    const servers: unknown =
      typeof value === "object" && value !== null ? Reflect.get(value, "authorization_servers") : undefined;
    if (!Array.isArray(servers)) return undefined;
    return servers
      .filter((issuer) => typeof issuer === "string")
      .slice(0, maxIssuers)
      .map((issuer) => issuer.slice(0, maxText));
  } catch {
    return undefined;
  }
}
