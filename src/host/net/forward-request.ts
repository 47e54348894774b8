/** What of an HTTP request crosses a forward server: everything end to end, except what isn't for the target. */
import type { HeaderList } from "../../gate/call.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { endToEnd, filtered } from "./headers.ts";
import type { ServedRequest } from "./served.ts";

/** `Host` follows from the target, the session id is bound to its caller, and answers are asked for as they are. */
const replacedNames: ReadonlySet<string> = new Set(["host", "mcp-session-id", "accept-encoding", "expect"]);
/** Cookies are a browser's: they name no audience, as a token does. */
const endingNames: ReadonlySet<string> = new Set(["cookie", "cookie2"]);
/** Those of proxies, and our own. */
const endingPrefixes = ["proxy-", "latticegate-"] as const;

/** The client's own headers for the target it named, its token among them; names and values in turn. */
export function forwardedHeaders(raw: HeaderList): string[] {
  const passes = (name: string): boolean =>
    !replacedNames.has(name) &&
    !endingNames.has(name) &&
    !endingPrefixes.some((prefix) => name.startsWith(prefix));
  return [...filtered(endToEnd(raw), passes), "accept-encoding", "identity"];
}

/** @throws Refusal `bad_media_type`: only what a POST carries is read, so nothing else may carry anything */
export function checkNoBody({ headers, method }: ServedRequest): void {
  if (method === "POST") return;
  const isEmpty = headers["transfer-encoding"] === undefined && Number(headers["content-length"] ?? 0) === 0;
  if (!isEmpty) throw new Refusal("bad_media_type", `${method ?? ""} has no body here.`);
}
