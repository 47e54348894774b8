/** What a message names that rules speak of. */
import { attestMethod, messageKeysMethod } from "../integrity/extension-methods.ts";
import type { Question } from "../policy/decide.ts";
import type { TargetKind } from "../policy/rules.ts";
import { type Frame, namedBy } from "../wire/frame.ts";

/** The protocol's own methods, which name nothing to be permitted and are open to every caller of a server. */
const housekeeping: ReadonlySet<string> = new Set([
  "initialize",
  "server/discover",
  "ping",
  "tools/list",
  // What a server says of its tools, signed (SEP-3140).
  "declarations/manifest",
  "resources/list",
  "resources/templates/list",
  "prompts/list",
  "skills/list",
  "logging/setLevel",
  "subscriptions/listen",
  "tasks/get",
  "tasks/list",
  "tasks/result",
  "tasks/update",
  "tasks/cancel",
  messageKeysMethod,
  attestMethod,
]);

/** The methods that name what the rules speak of. */
export const targetKinds: ReadonlyMap<string, TargetKind> = new Map([
  ["tools/call", "tools"],
  ["prompts/get", "prompts"],
  ["resources/read", "resources"],
  ["resources/subscribe", "resources"],
  ["resources/unsubscribe", "resources"],
  ["resources/directory/read", "resources"],
  // A skill is found by the address under which it is read (SEP-2640).
  ["skills/get", "resources"],
]);

/** What a message names. A method nobody knows is judged like a tool of that name, so default-deny holds. */
export function targetOf(frame: Frame | undefined): Question["target"] {
  if (frame === undefined || frame.kind === "response" || housekeeping.has(frame.method)) return undefined;
  if (frame.kind === "notification" && frame.method.startsWith("notifications/")) return undefined;
  if (frame.method === "completion/complete") return completed(frame.params?.ref);
  const kind = targetKinds.get(frame.method);
  if (kind === undefined) return { kind: "tools", name: frame.method };
  return { kind, name: frame.params?.[namedBy.get(frame.method) ?? "name"] ?? "" };
}

/** What may not be used can't be completed either: its arguments may say as much as it does. */
function completed(ref: { readonly name?: string; readonly uri?: string } = {}): Question["target"] {
  return ref.uri === undefined
    ? { kind: "prompts", name: ref.name ?? "" }
    : { kind: "resources", name: ref.uri };
}
