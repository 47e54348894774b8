/** Tokens that the gateway gets in its own name (RFC 6749 §4.4): one for each server, whoever calls. */
import {
  clientCredentialsGrantRequest,
  type DPoPHandle,
  processClientCredentialsResponse,
} from "oauth4webapi";

import { newDpopKeys } from "../../crypto/jwt-keys.ts";
import { accessToken, dpopOf, explained, type OauthClient, partyOf, withNonce } from "./client.ts";
import type { Located } from "./locate.ts";
import { type AccessToken, tokenCache } from "./token-cache.ts";
import { notAccepted, type TokenSource } from "./token-source.ts";

export type DpopUse = "auto" | "required" | "off";

export interface ServiceTokensOptions {
  readonly own: OauthClient;
  readonly locate: () => Promise<Located>;
  readonly scopes: readonly string[];
  readonly dpop: DpopUse;
}

export function serviceTokens(options: ServiceTokensOptions): TokenSource {
  const cache = tokenCache(options.own.clock);
  const proofs = dpopHandles(options.dpop);
  return {
    token: () => cache.get("", () => fetchToken(options, proofs)),
    refused: (_caller, token) => cache.drop("", token),
    useless: () => cache.useless("", notAccepted()),
  };
}

/** Whether tokens are asked for that are bound to a key: where both ends say that they take them, if nobody said otherwise. */
export function wantsDpop(use: DpopUse, { as, takesDpop }: Located): boolean {
  if (use !== "auto") return use === "required";
  return takesDpop && as.dpop_signing_alg_values_supported !== undefined;
}

/** One key for as long as the process lives; asked for where both the server and its authorization server want it. */
export function dpopHandles(
  use: DpopUse,
): (located: Located) => Promise<{ readonly handle: DPoPHandle; readonly isRequired: boolean } | undefined> {
  let handle: DPoPHandle | undefined;
  return async (located) => {
    if (!wantsDpop(use, located)) return undefined;
    handle ??= dpopOf(await newDpopKeys());
    return { handle, isRequired: use === "required" };
  };
}

async function fetchToken(
  { own, locate, scopes }: ServiceTokensOptions,
  proofs: ReturnType<typeof dpopHandles>,
): Promise<AccessToken> {
  const located = await locate();
  const { as, resource } = located;
  const { client, auth, options } = partyOf(own);
  const dpop = await proofs(located);
  const parameters = new URLSearchParams({ resource });
  const scope = scopes.length === 0 ? located.scope : scopes.join(" ");
  if (scope !== undefined) parameters.set("scope", scope);
  const answer = await explained(as, () =>
    withNonce(async () => {
      const sent = { ...options, ...(dpop && { DPoP: dpop.handle }) };
      const response = await clientCredentialsGrantRequest(as, client, auth, parameters, sent);
      return await processClientCredentialsResponse(as, client, response);
    }),
  );
  return accessToken(answer, dpop, own.clock.nowUnixMs());
}
