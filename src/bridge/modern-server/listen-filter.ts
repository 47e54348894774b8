/** What a bridge listens to in a legacy session's stead (MCP 2026-07-28 subscriptions), and what is heard. */
import { type NotificationFrame, readFrame } from "../../wire/frame.ts";
import { withoutMember } from "../../wire/json-edit.ts";
import { tolerantScanLimits } from "../../wire/json-scan.ts";
import { type Json, memberOf, valueAt } from "../../wire/values.ts";

const lists = ["tools", "prompts", "resources"] as const;
const acknowledgement = "notifications/subscriptions/acknowledged";

/** The changes of lists that a server with these capabilities can tell. */
export function listChanges(capabilities: Json): Readonly<Record<string, true>> {
  const told = lists.filter((name) => isTrue(capabilities[name], "listChanged"));
  return Object.fromEntries(told.map((name) => [`${name}ListChanged`, true]));
}

export function tellsOfResources(capabilities: Json): boolean {
  return isTrue(capabilities["resources"], "subscribe");
}

/** The params of `subscriptions/listen`; undefined if there is nothing to listen to. */
export function listenParams(
  changes: Json,
  addresses: ReadonlySet<string>,
  envelope: Json,
): Json | undefined {
  if (Object.keys(changes).length === 0 && addresses.size === 0) return undefined;
  const resources = addresses.size === 0 ? {} : { resourceSubscriptions: [...addresses] };
  return { notifications: { ...changes, ...resources }, _meta: envelope };
}

/** The addresses whose changes the server will tell, if this is how it says so. */
export function acknowledged({ method, bytes, params }: NotificationFrame): ReadonlySet<string> | undefined {
  if (method !== acknowledgement) return undefined;
  const said = params && memberOf(valueAt(bytes, params.span), "notifications");
  const addresses = memberOf(said, "resourceSubscriptions");
  return new Set(Array.isArray(addresses) ? addresses.filter((each) => typeof each === "string") : []);
}

/** What it says on a session's own stream: nothing of the stream it was heard on. */
export function unsubscribed(frame: NotificationFrame): NotificationFrame {
  const path = ["params", "_meta", "io.modelcontextprotocol/subscriptionId"];
  const again = readFrame(withoutMember(frame.bytes, path), tolerantScanLimits);
  if (again.kind !== "notification") throw new Error("a notification stays one");
  return again;
}

function isTrue(value: unknown, name: string): boolean {
  return memberOf(value, name) === true;
}
