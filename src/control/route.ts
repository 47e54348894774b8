/**
 * A route of the control API, said once: what it takes and answers (as schemas), who may, and what it does. The server's
 * checks and the OpenAPI document are made of it.
 */
import { z } from "zod";

import { Refusal } from "../kernel/refusal.ts";
import type { From, Login, Role } from "./login.ts";

type Method = "GET" | "POST" | "PUT" | "DELETE";

/** What of the gateway a change touches: who watches it asks again. */
export type Area =
  | "approvals"
  | "crypto"
  | "incidents"
  | "people"
  | "policy"
  | "responses"
  | "status"
  | "tools";

interface Shape<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType> {
  readonly method: Method;
  /** Below /api/v1: `/incidents/{id}`. */
  readonly path: string;
  /** One line for people. */
  readonly summary: string;
  /** Under which the document groups it. */
  readonly tag: string;
  /** Who may, any of them; `public`: whoever reaches the server. */
  readonly role: Role | readonly Role[] | "public";
  readonly params?: P;
  readonly query?: Q;
  readonly body?: B;
  readonly touches?: Area;
}

/** What a request says, read by the route's schemas. */
interface Said<P, Q, B> {
  readonly params: P;
  readonly query: Q;
  readonly body: B;
}

interface Asked<P, Q, B> extends Said<P, Q, B>, Asker {}

/** Who asks, and from where. */
interface Asker {
  readonly login: Login;
  readonly from: From;
  /** Whom it means to ask, by name and port: `localhost:8080`. */
  readonly host: string;
  /** The secret of the session it asks in. */
  readonly session: string | undefined;
}

/** An answer with headers of its own, or with what the audit log is to say of the change. */
export class Reply<T> {
  readonly body: T;
  readonly headers: Readonly<Record<string, string>>;
  /** Which of several such things was changed: an id, or a name that stands in the log anyway. */
  readonly about: string | undefined;

  constructor(body: T, headers: Readonly<Record<string, string>>, about?: string) {
    this.body = body;
    this.headers = headers;
    this.about = about;
  }
}

/** A file for people or other programs. */
export interface Download {
  readonly name: string;
  readonly body: string | Uint8Array;
}

/** A request as it came, its values unread. */
interface RawRequest extends Asker {
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly body: unknown;
}

export interface Route extends Shape<z.ZodType, z.ZodType, z.ZodType> {
  /** Of its JSON answer, or the media type of a file. */
  readonly answer: z.ZodType | string;
  /** @throws Refusal `bad_message` that names the first wrong place */
  readonly run: (request: RawRequest) => Promise<unknown>;
}

type Answer<T> = Frozen<T> | Reply<Frozen<T>>;

/** Answers are read, never changed. */
export type Frozen<T> = T extends readonly (infer U)[]
  ? readonly Frozen<U>[]
  : T extends object
    ? { readonly [K in keyof T]: Frozen<T[K]> }
    : T;

const nothing = z.strictObject({});

/** A route that answers with JSON. INVARIANT: a GET route changes nothing. */
export function route<
  P extends z.ZodType = typeof nothing,
  Q extends z.ZodType = typeof nothing,
  B extends z.ZodType = typeof nothing,
  A extends z.ZodType = z.ZodType,
>(
  shape: Shape<P, Q, B> & {
    readonly answer: A;
    readonly handle: (
      asked: Asked<z.output<P>, z.output<Q>, z.output<B>>,
    ) => Answer<z.input<A>> | Promise<Answer<z.input<A>>>;
  },
): Route {
  const { handle, ...described } = shape;
  return { ...described, run: async (request) => handle({ ...request, ...said(shape, request) }) };
}

/** A route that answers with a file of the media type `answer`. */
export function download<
  P extends z.ZodType = typeof nothing,
  Q extends z.ZodType = typeof nothing,
  B extends z.ZodType = typeof nothing,
>(
  shape: Shape<P, Q, B> & {
    readonly answer: string;
    readonly handle: (asked: Asked<z.output<P>, z.output<Q>, z.output<B>>) => Download | Promise<Download>;
  },
): Route {
  const { handle, ...described } = shape;
  return { ...described, run: async (request) => handle({ ...request, ...said(shape, request) }) };
}

function said<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType>(
  shape: Shape<P, Q, B>,
  { params, query, body }: RawRequest,
): Said<z.output<P>, z.output<Q>, z.output<B>> {
  return {
    params: read(shape.params ?? nothing, params, "path") as z.output<P>,
    query: read(shape.query ?? nothing, valuesOf(query), "query") as z.output<Q>,
    body: read(shape.body ?? nothing, body ?? {}, "body") as z.output<B>,
  };
}

/** @throws Refusal `bad_message` for a name that is given twice: which one counts nobody could say */
function valuesOf(query: URLSearchParams): Record<string, string> {
  const values = new Map<string, string>();
  for (const [name, value] of query) {
    if (values.has(name)) throw new Refusal("bad_message", "The query says the same name twice.");
    values.set(name, value);
  }
  return Object.fromEntries(values);
}

function read(schema: z.ZodType, value: unknown, where: "body" | "path" | "query"): unknown {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const at = issue?.path.join(".") ?? "";
  const place = at === "" ? `The ${where}` : `${where}, ${at}`;
  throw new Refusal("bad_message", `${place}: ${issue?.message ?? "isn't right"}.`);
}
