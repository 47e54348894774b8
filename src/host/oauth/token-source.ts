/** Where tokens for one server come from, and how a request shows one. */
import { allowInsecureRequests, customFetch, protectedResourceRequest } from "oauth4webapi";

import { Refusal } from "../../kernel/refusal.ts";
import type { Caller } from "../../model/caller.ts";
import type { HeaderList } from "../../gate/call.ts";
import { valueOf } from "../net/headers.ts";
import type { Lent, UpstreamCredential } from "../net/upstream-credential.ts";
import type { AccessToken } from "./token-cache.ts";

export interface TokenSource {
  /** @throws Refusal `upstream_failed`, `grant_needed` */
  readonly token: (caller: Caller) => Promise<AccessToken>;
  /** The server refused this token: it isn't to be given out again. */
  readonly refused: (caller: Caller, token: AccessToken) => void;
  /** The server wants more than the caller's token is good for: what it named (RFC 6750 §3.1). Absent where nobody can help it. */
  readonly insufficient?: (caller: Caller, scope: string | undefined) => Refusal;
  /** The server refused a fresh token too. @returns what the caller is told */
  readonly useless: (caller: Caller) => Refusal;
}

/** Shows a source's tokens to the server at `url`; a refused one is dropped, and a fresh one tried once. */
export function tokenCredential(source: TokenSource, url: URL): UpstreamCredential {
  const lend = async (caller: Caller, method: string, tried: Tried): Promise<Lent> => {
    const token = await source.token(caller);
    if (token.value === tried.token) throw source.useless(caller);
    return await shown(token, method, tried, caller);
  };
  const shown = async (token: AccessToken, method: string, tried: Tried, caller: Caller): Promise<Lent> => ({
    headers: await headersFor(token, method, url),
    again: async ({ status, headers }) => {
      const challenge = valueOf(headers, "www-authenticate") ?? "";
      if (status === 403) {
        const isMissing = /\berror="?insufficient_scope/i.test(challenge);
        const refusal = isMissing ? source.insufficient?.(caller, scopeOf(challenge)) : undefined;
        if (refusal !== undefined) throw refusal;
        return undefined;
      }
      if ((await keptNonce(token, { headers, challenge, url })) && tried.nonce !== true) {
        return await shown(token, method, { ...tried, nonce: true }, caller);
      }
      source.refused(caller, token);
      if (tried.token !== undefined) throw source.useless(caller);
      return await lend(caller, method, { ...tried, token: token.value });
    },
  });
  return { lend: (caller, method) => lend(caller, method, {}) };
}

interface Tried {
  /** The token that was refused. */
  readonly token?: string;
  readonly nonce?: true;
}

function scopeOf(challenge: string): string | undefined {
  return /\bscope="([^"]{1,1024})"/i.exec(challenge)?.[1];
}

/** What a caller is told of a server that refuses fresh tokens too. */
export function notAccepted(): Refusal {
  return new Refusal("upstream_failed", "The server doesn't accept the gateway's credential.", {
    facts: { cause: "invalid_token", sent: true },
  });
}

/** Headers as the library writes them: it makes the proof, and would send the request if it were let. */
async function headersFor(token: AccessToken, method: string, url: URL): Promise<readonly string[]> {
  if (token.dpop === undefined) return ["authorization", `Bearer ${token.value}`];
  let written: readonly string[] = [];
  await protectedResourceRequest(token.value, method, url, undefined, undefined, {
    DPoP: token.dpop,
    [allowInsecureRequests]: true,
    [customFetch]: (_url, { headers }) => {
      written = Object.entries(headers)
        .filter(([name]) => name === "authorization" || name === "dpop")
        .flat();
      return Promise.resolve(new Response(null));
    },
  });
  return written;
}

/** Remembers the nonce a server wants in proofs. @returns whether it asked for one (RFC 9449 §9) */
async function keptNonce(
  token: AccessToken,
  {
    headers,
    challenge,
    url,
  }: { readonly headers: HeaderList; readonly challenge: string; readonly url: URL },
): Promise<boolean> {
  const nonce = valueOf(headers, "dpop-nonce");
  if (token.dpop === undefined || nonce === undefined) return false;
  await protectedResourceRequest(token.value, "GET", url, undefined, undefined, {
    DPoP: token.dpop,
    [allowInsecureRequests]: true,
    [customFetch]: () => Promise.resolve(new Response(null, { headers: { "dpop-nonce": nonce } })),
  });
  return /\berror="?use_dpop_nonce/i.test(challenge);
}
