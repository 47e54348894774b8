/**
 * Methods beside calls that rules can name by themselves: what servers ask of clients, tasks, and subscriptions. They
 * are open to whoever may use the server, unless a rule denies them.
 */

/** What a server asks of its client: as a request of its own, or for the client to answer with its next round. */
export const askedOfClients = ["elicitation/create", "sampling/createMessage", "roots/list"] as const;
export type AskedOfClients = (typeof askedOfClients)[number];

const askedOfServers = [
  "tasks/get",
  "tasks/result",
  "tasks/list",
  "tasks/update",
  "tasks/cancel",
  "subscriptions/listen",
  "resources/subscribe",
  "resources/unsubscribe",
  "completion/complete",
  "logging/setLevel",
] as const;

export const sideMethods: readonly string[] = [...askedOfClients, ...askedOfServers];

/** A client's own request that rules can name. */
export function isSideRequest(method: string): boolean {
  return (askedOfServers as readonly string[]).includes(method);
}

export function isAskedOfClients(method: string): method is AskedOfClients {
  return (askedOfClients as readonly string[]).includes(method);
}
