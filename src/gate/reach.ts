/** What keeps a call from what the rules allow: a link that isn't good enough for it, a token that wasn't granted for it. */
import { Refusal } from "../kernel/refusal.ts";
import type { Channel } from "../model/channel.ts";
import type { Question } from "../policy/decide.ts";
import { missingScopes } from "../policy/token-scopes.ts";
import { challengeHeaders, metadataUri } from "../wire/protected-resource.ts";
import type { Answer, Identified } from "./call.ts";
import type { World } from "./world.ts";

/** Refusal `classical_link` or `insufficient_scope`; undefined if nothing does. */
export function outOfReach(call: Identified, question: Question, world: World): Refusal | undefined {
  const { proof } = call.caller;
  if (proof.kind !== "token") return classicalLink(call, question, world.classicalServers);
  const listener = world.webListeners.get(proof.listener);
  if (listener === undefined) {
    return new Refusal("no_identity", "The listener this token was presented to isn't there any more.");
  }
  const tooWeak = classicalLink(call, question, listener.classicalServers);
  if (tooWeak !== undefined) return tooWeak;
  if (listener.scopes === undefined) return undefined;
  const missing = missingScopes(listener.scopes, proof.scopes, question);
  if (missing === undefined) return undefined;
  return insufficientScope(missing, metadataUri(proof.listener, call.via ?? call.server));
}

/** A marked link reaches what the operator opened to such links, and nothing else. */
function classicalLink(
  { channel }: Identified,
  { server }: Question,
  open: ReadonlySet<string>,
): Refusal | undefined {
  if (channel.keyExchange !== "classical" || open.has(server)) return undefined;
  const message = `"${server}" isn't open to links without post-quantum key exchange.`;
  return new Refusal("classical_link", message, { facts: { group: channel.group } });
}

/**
 * What the gateway itself hands out (sessions, delegations, grants) isn't for whoever records today and reads later.
 * @throws Refusal `classical_link`
 */
export function checkPostQuantum({ group, keyExchange }: Pick<Channel, "group" | "keyExchange">): void {
  if (keyExchange !== "classical") return;
  const message = "This is given out over links with post-quantum key exchange alone.";
  throw new Refusal("classical_link", message, { facts: { group } });
}

/** MCP 2026-07-28 authorization: one challenge, with scheme Bearer whatever the token is bound to; none if nothing would help. */
function insufficientScope(scopes: readonly string[], resourceMetadata: string): Refusal {
  const description = "The token's scopes don't cover this.";
  const problem = { scheme: "Bearer", error: "insufficient_scope", description } as const;
  return new Refusal("insufficient_scope", description, {
    facts: { scopes: scopes.join(" ") },
    headers:
      scopes.length === 0 ? [] : challengeHeaders({ resourceMetadata, scopes, proofAlgorithms: [], problem }),
  });
}

/**
 * A server asks the gateway for credentials, never a client that came with a token: it would take the token of
 * another audience there, or throw its own away.
 * @throws Refusal `upstream_failed`
 */
export function ownChallenges({ caller }: Identified, answer: Answer): Answer {
  if (caller.proof.kind !== "token") return answer;
  if (answer.status === 401) {
    if (answer.kind === "stream") void answer.events[Symbol.asyncIterator]().return?.();
    if (answer.kind === "long") void answer.chunks[Symbol.asyncIterator]().return?.();
    throw new Refusal("upstream_failed", "The server doesn't accept what the gateway shows it.");
  }
  const { headers } = answer;
  const isChallenge = (i: number): boolean => headers[i - (i % 2)]?.toLowerCase() === "www-authenticate";
  return { ...answer, headers: headers.filter((_, i) => !isChallenge(i)) };
}
