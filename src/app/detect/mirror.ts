/**
 * Watches a copy of traffic, beside its path (docs/formats/traffic.md): each message is shown to the models as the gateway
 * would show it, and what they say of a call is told. Nothing is stopped.
 */
import { z } from "zod";

import type { CallRisk, CallWatch } from "../../detect/session-watch.ts";
import { answerTexts } from "../../gate/answer-texts.ts";
import { declaredIntent } from "../../wire/intent.ts";
import { memberOf } from "../../wire/values.ts";

const lineSchema = z.object({
  /** ISO 8601, or Unix milliseconds. */
  at: z.union([z.number(), z.iso.datetime({ offset: true })]),
  session: z.string().min(1).max(256),
  caller: z.string().max(512).default(""),
  server: z.string().min(1).max(256),
  message: z.looseObject({}),
});

interface About {
  readonly atUnixMs: number;
  readonly session: string;
  readonly caller: string;
  readonly server: string;
}

export interface MirroredCall extends About {
  readonly tool: string;
  readonly risk: CallRisk;
}

/** What is told of one line: a call, nothing, or why it can't be read. */
export type Mirrored =
  | { readonly kind: "call"; readonly call: MirroredCall }
  | { readonly kind: "nothing" }
  | { readonly kind: "unreadable"; readonly why: string };

/** Calls whose answers didn't come yet; the oldest make way. */
const maxOpen = 10_000;

const requestSchema = z.object({
  id: z.union([z.string(), z.number()]),
  method: z.string(),
  params: z.looseObject({ name: z.string().optional(), arguments: z.unknown().optional() }).optional(),
});
const answerSchema = z.object({ id: z.union([z.string(), z.number()]) });
const named: ReadonlySet<string> = new Set(["tools/call", "resources/read", "prompts/get"]);

/** What servers say by themselves, under its own name. */
const spoken: ReadonlyMap<string, string> = new Map(
  ["elicitation/create", "sampling/createMessage", "notifications/message", "notifications/progress"].map(
    (method) => [method, method],
  ),
);

export class Mirror {
  readonly #watch: CallWatch;
  readonly #isReadOnly: (server: string, tool: string) => boolean;
  /** By session, server and id: the tool. */
  readonly #open = new Map<string, string>();

  constructor(watch: CallWatch, isReadOnly: (server: string, tool: string) => boolean) {
    this.#watch = watch;
    this.#isReadOnly = isReadOnly;
  }

  take(line: unknown): Mirrored {
    const read = lineSchema.safeParse(line);
    if (!read.success) return { kind: "unreadable", why: z.prettifyError(read.error) };
    const { at, session, caller, server, message } = read.data;
    const atUnixMs = typeof at === "number" ? at : Date.parse(at);
    if (!Number.isFinite(atUnixMs)) return { kind: "unreadable", why: "its time is none" };
    const about = { atUnixMs, session, caller, server };
    const request = requestSchema.safeParse(message);
    if (request.success && named.has(request.data.method)) return this.#called(about, request.data, message);
    this.#heard(about, message);
    return { kind: "nothing" };
  }

  #called(
    about: About,
    { id, method, params = {} }: z.output<typeof requestSchema>,
    message: Readonly<Record<string, unknown>>,
  ): Mirrored {
    const { atUnixMs, session, caller, server } = about;
    const isTool = method === "tools/call";
    const tool = isTool ? (params.name ?? "") : method;
    this.#remember(JSON.stringify([session, server, id]), tool);
    const call = {
      server,
      tool,
      args: isTool || params["uri"] === undefined ? (params.arguments ?? {}) : { uri: params["uri"] },
      isReadOnly: !isTool || this.#isReadOnly(server, tool),
      purpose: declaredIntent(message["params"])?.purpose ?? "",
    };
    const watch = this.#watch.of(session, caller);
    const risk = watch.score(call, atUnixMs);
    watch.called(call, atUnixMs);
    return { kind: "call", call: { ...about, tool, risk } };
  }

  /** Answers to calls, and what servers say by themselves. */
  #heard({ atUnixMs, session, caller, server }: About, message: unknown): void {
    const method = memberOf(message, "method");
    const tool = typeof method === "string" ? spoken.get(method) : this.#answered(session, server, message);
    const { texts } = answerTexts(message);
    if (tool !== undefined && texts.length > 0)
      this.#watch.of(session, caller).read({ server, tool, texts }, atUnixMs);
  }

  #answered(session: string, server: string, message: unknown): string | undefined {
    const answer = answerSchema.safeParse(message);
    const key = JSON.stringify([session, server, answer.data?.id]);
    const tool = this.#open.get(key);
    this.#open.delete(key);
    return tool;
  }

  #remember(key: string, tool: string): void {
    this.#open.set(key, tool);
    for (const oldest of this.#open.keys()) {
      if (this.#open.size <= maxOpen) return;
      this.#open.delete(oldest);
    }
  }
}
