/**
 * What a client says it is about to do: `_meta["dev.latticegate/intent"]` of a request (docs/formats/intent.md). A claim:
 * it may be doubted, compared and recorded. INVARIANT: nothing is ever allowed because of it.
 */
import { z } from "zod";

import { tryReadFrame } from "./frame.ts";
import { withMember } from "./json-edit.ts";
import { metaMember, withMetaMember } from "./meta.ts";
import { valueAt } from "./values.ts";

const member = "dev.latticegate/intent";

const schema = z.object({
  v: z.literal(1),
  purpose: z.string().min(1).max(1000),
  turn: z
    .string()
    .regex(/^[!-~]{1,128}$/)
    .optional(),
  effect: z.enum(["read-only", "changes"]).optional(),
  tools: z.array(z.string().min(1).max(256)).max(32).optional(),
});

export interface Intent {
  /** What is to be achieved, in words that a person understands: 1 to 1,000 characters. */
  readonly purpose: string;
  /** The same for all calls that serve one wish of the user: 1 to 128 visible ASCII characters. */
  readonly turn?: string | undefined;
  /** What the client expects of this call: that nothing is changed by it, or that something is. */
  readonly effect?: "read-only" | "changes" | undefined;
  /** The tools that it expects to need for this purpose: 32 names at most. */
  readonly tools?: readonly string[] | undefined;
}

/**
 * The params of a request with what it is for; what else they hold stays.
 * @throws RangeError if the intent is longer than its format takes
 */
export function withIntent<T extends object>(
  params: T,
  intent: Intent,
): ReturnType<typeof withMetaMember<T>> {
  const { purpose, turn, effect, tools } = intent;
  const said = {
    v: 1,
    purpose,
    ...(turn !== undefined && { turn }),
    ...(effect !== undefined && { effect }),
    ...(tools !== undefined && { tools }),
  };
  const read = schema.safeParse(said);
  if (!read.success) throw new RangeError(`The intent can't be declared: ${z.prettifyError(read.error)}`);
  return withMetaMember(params, member, said);
}

/** A message of a client that doesn't declare what it is about; requests that name something say `intent` then. */
export function declaring(message: Uint8Array, intent: Intent): Uint8Array {
  const frame = tryReadFrame(message);
  if (frame?.kind !== "request" || !named.has(frame.method)) return message;
  const params = frame.params && valueAt(frame.bytes, frame.params.span);
  if (metaMember(params, member) !== undefined) return message;
  return withMember(message, ["params", "_meta", member], JSON.stringify({ v: 1, ...intent }));
}

const named: ReadonlySet<string> = new Set(["tools/call", "resources/read", "prompts/get"]);

/** What the params of a request say that it is for; undefined if they don't, or not in this format. */
export function declaredIntent(params: unknown): Intent | undefined {
  const read = schema.safeParse(metaMember(params, member));
  if (!read.success) return undefined;
  const { v: _, ...intent } = read.data;
  return intent;
}
