/** What a modern client listens to (MCP 2026-07-28, subscriptions), in the notifications of the legacy era. */
import { utf8 } from "../../kernel/bytes.ts";
import type { NotificationFrame, RequestFrame, RequestId } from "../../wire/frame.ts";
import { withMember } from "../../wire/json-edit.ts";
import { can } from "../capabilities.ts";
import { isObject, type Json, memberOf, valueAt } from "../../wire/values.ts";

export interface SubscriptionFilter {
  /** Names of the list changes that are wanted, as the filter has them. */
  readonly lists: ReadonlySet<string>;
  readonly uris: readonly string[];
}

/** By notification: the filter's name for it, and the capability that promises it. */
const listChanges: ReadonlyMap<string, { readonly wanted: string; readonly capability: string }> = new Map([
  ["notifications/tools/list_changed", { wanted: "toolsListChanged", capability: "tools" }],
  ["notifications/prompts/list_changed", { wanted: "promptsListChanged", capability: "prompts" }],
  ["notifications/resources/list_changed", { wanted: "resourcesListChanged", capability: "resources" }],
]);

/** Addresses in one subscription. */
export const maxUris = 256;

/** Undefined if the request has no filter, or one with too many addresses. */
export function filterIn({ bytes, params }: RequestFrame): SubscriptionFilter | undefined {
  const filter = params && memberOf(valueAt(bytes, params.span), "notifications");
  if (!isObject(filter)) return undefined;
  const { resourceSubscriptions: uris = [] } = filter;
  if (!Array.isArray(uris) || uris.length > maxUris || uris.some((uri) => typeof uri !== "string"))
    return undefined;
  const lists = [...listChanges.values()].filter(({ wanted }) => filter[wanted] === true);
  return { lists: new Set(lists.map(({ wanted }) => wanted)), uris: [...new Set(uris as string[])] };
}

/** What of it a server with these capabilities can tell. */
export function honoured(filter: SubscriptionFilter, capabilities: Json): SubscriptionFilter {
  const lists = [...listChanges.values()].filter(
    ({ wanted, capability }) => filter.lists.has(wanted) && can(capabilities, capability, "listChanged"),
  );
  return {
    lists: new Set(lists.map(({ wanted }) => wanted)),
    uris: can(capabilities, "resources", "subscribe") ? filter.uris : [],
  };
}

/** Whether it is about a list or a resource: of no call, whatever stream it came on. */
export function isUnasked({ method }: NotificationFrame): boolean {
  return method === "notifications/resources/updated" || listChanges.has(method);
}

export function wants(filter: SubscriptionFilter, { method, params }: NotificationFrame): boolean {
  if (method === "notifications/resources/updated") return filter.uris.includes(params?.uri ?? "");
  return filter.lists.has(listChanges.get(method)?.wanted ?? "");
}

export function acknowledged(id: RequestId, { lists, uris }: SubscriptionFilter): Uint8Array {
  const notifications = {
    ...Object.fromEntries([...lists].map((name) => [name, true])),
    ...(uris.length > 0 && { resourceSubscriptions: uris }),
  };
  const params = { notifications, _meta: { [subscriptionIdKey]: id } };
  const method = "notifications/subscriptions/acknowledged";
  return utf8(JSON.stringify({ jsonrpc: "2.0", method, params }));
}

/** As each message of a subscription is. */
export function taggedWith(id: RequestId, { bytes }: NotificationFrame): Uint8Array {
  return withMember(bytes, ["params", "_meta", subscriptionIdKey], JSON.stringify(id));
}

const subscriptionIdKey = "io.modelcontextprotocol/subscriptionId";
