/** Names from outside as people are shown them: what hides in them said, the trust domain that all share left out. */
import { revealed } from "../../../src/wire/hidden-text.ts";

/** `spiffe://a.test/agent/x` → `agent/x`, within a sentence, too. */
export function shown(words: string): string {
  return revealed(words.replaceAll(/(?<![\w"'=])spiffe:\/\/[^/\s]+\/(?=\w)/g, ""));
}

/** Where a call is shown, with its way through the gateway. */
export function callHref(callId: string): string {
  return `/live/${encodeURIComponent(callId)}`;
}

/** Where the audit log's entries of a call are. */
export function entriesHref(callId: string): string {
  return `/audit?call=${encodeURIComponent(callId)}`;
}

export function toolHref(server: string, tool: string): string {
  return `/tools/${encodeURIComponent(server)}?tool=${encodeURIComponent(tool)}`;
}
