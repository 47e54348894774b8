/** Commands as clients of the control API: by the socket of the state folder, or by TLS from another machine. */
import type tls from "node:tls";

import { Pool } from "undici";
import type { z } from "zod";

import { problemSchema } from "../../control/problem.ts";
import { pathConnector } from "../../host/net/path-connector.ts";
import { collected, exchange } from "../../host/net/http-exchange.ts";
import { fromUtf8, utf8 } from "../../kernel/bytes.ts";
import { isRefusalCode, Refusal } from "../../kernel/refusal.ts";
import { operatorHeader } from "./admission.ts";

const limits = { answerTimeoutMs: 10_000, answerBytes: 16 * 1024 * 1024 };
/** Of a list, more aren't fetched. */
const maxListed = 10_000;
const pageItems = 500;

export interface ControlAnswer {
  readonly status: number;
  /** What its JSON says; undefined if it is none. */
  readonly body: unknown;
}

/** Where a control room is asked. */
export type ControlPlace =
  | { readonly kind: "socket"; readonly path: string; /** Who types it. */ readonly operator?: string }
  | {
      readonly kind: "remote";
      readonly origin: string;
      readonly connect: tls.ConnectionOptions;
      /** What is said of one that can't be reached, or that broke off. */
      readonly whyUnreachable: (cause: string) => string;
    };

type Query = Readonly<Record<string, string | undefined>>;

/** A control room as commands ask it. Each throws a Refusal with what it says, if it says no. */
export interface ControlRoom {
  readonly get: <T>(path: string, answer: z.ZodType<T>, query?: Query) => Promise<T>;
  /** All pages of a list. */
  readonly list: <T>(path: string, item: z.ZodType<T>, query?: Query) => Promise<readonly T[]>;
  readonly post: <T>(path: string, sent: object, answer: z.ZodType<T>) => Promise<T>;
  /** @param name `POST /kill`, below /api/v1 */
  readonly ask: (name: string, sent?: unknown) => Promise<ControlAnswer>;
  readonly close: () => Promise<void>;
}

export function openControlRoom(place: ControlPlace): ControlRoom {
  const [pool, own] = dialled(place);
  const ask: ControlRoom["ask"] = async (name, sent) => {
    const [method = "GET", path = "/"] = name.split(" ");
    const json = sent === undefined ? [] : ["content-type", "application/json"];
    const request = {
      method,
      path: `/api/v1${path}`,
      headers: [...json, ...own],
      ...(sent !== undefined && { body: utf8(JSON.stringify(sent)) }),
    };
    const answer = await collected(await exchange(pool, request, limits).catch(explained(place)));
    return { status: answer.status, body: answer.kind === "whole" ? jsonOf(answer.body) : undefined };
  };
  const get: ControlRoom["get"] = async (path, answer, query = {}) =>
    read(await ask(`GET ${path}${queryText(query)}`), answer);
  return {
    ask,
    get,
    list: async <T>(path: string, item: z.ZodType<T>, query: Query = {}) => {
      const items: T[] = [];
      let cursor: string | undefined;
      do {
        const asked = { ...query, limit: String(pageItems), cursor };
        const page = pageIn(mustBeDone(await ask(`GET ${path}${queryText(asked)}`)));
        items.push(...page.items.map((each) => parsed(each, item)));
        cursor = page.next ?? undefined;
      } while (cursor !== undefined && items.length < maxListed);
      return items;
    },
    post: async (path, sent, answer) => read(await ask(`POST ${path}`, sent), answer),
    close: () => pool.destroy(),
  };
}

/** @throws Refusal in words about the control room, where it is another machine's */
function explained(place: ControlPlace): (error: unknown) => never {
  return (error) => {
    if (place.kind === "socket" || !(error instanceof Refusal) || error.code !== "upstream_failed")
      throw error;
    const { message, facts } = error;
    throw new Refusal("upstream_failed", place.whyUnreachable(String(facts["cause"] ?? message)), {
      cause: error,
    });
  };
}

function dialled(place: ControlPlace): readonly [Pool, readonly string[]] {
  if (place.kind === "remote")
    return [new Pool(place.origin, { connect: pathConnector(place.connect), connections: 1 }), []];
  const own = place.operator === undefined ? [] : [operatorHeader, place.operator];
  return [new Pool("http://localhost", { socketPath: place.path }), own];
}

/**
 * @param name `POST /kill`, below /api/v1
 * @throws Refusal if nobody answers
 */
export async function askControl(socket: string, name: string, sent?: unknown): Promise<ControlAnswer> {
  const room = openControlRoom({ kind: "socket", path: socket });
  try {
    return await room.ask(name, sent);
  } finally {
    await room.close();
  }
}

/** @throws Refusal with what the gateway says */
export function mustBeDone({ status, body }: ControlAnswer): unknown {
  if (status === 200) return body;
  const { data } = problemSchema.safeParse(body);
  const code = data !== undefined && isRefusalCode(data.code) ? data.code : "bad_state";
  throw new Refusal(code, data?.detail ?? `The gateway's API answers with status ${status}.`);
}

function read<T>(answer: ControlAnswer, schema: z.ZodType<T>): T {
  return parsed(mustBeDone(answer), schema);
}

function parsed<T>(value: unknown, schema: z.ZodType<T>): T {
  const read = schema.safeParse(value);
  if (read.success) return read.data;
  throw new Refusal(
    "bad_state",
    "The gateway answers in another way than this command understands; use the version that it has.",
  );
}

function pageIn(body: unknown): { readonly items: readonly unknown[]; readonly next: string | null } {
  const { items, next } = Object(body) as { readonly items?: unknown; readonly next?: unknown };
  return { items: Array.isArray(items) ? items : [], next: typeof next === "string" ? next : null };
}

function queryText(query: Query): string {
  const said = Object.entries(query).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]));
  return said.length === 0 ? "" : `?${new URLSearchParams(said).toString()}`;
}

function jsonOf(body: Uint8Array): unknown {
  try {
    return JSON.parse(fromUtf8(body) ?? "");
  } catch {
    return undefined;
  }
}
