/** As whom the gateway asks for a person's consent: registered beforehand, by a metadata document, or by itself (RFC 7591). */
import {
  type AuthorizationServer,
  dynamicClientRegistrationRequest,
  processDynamicClientRegistrationResponse,
} from "oauth4webapi";

import type { GrantStore } from "../store/state-grants.ts";
import { type ClientProof, explained, noToken, type OauthClient, partyOf } from "./client.ts";

export interface RegistrationOptions {
  /** Everything of the client but who it is. */
  readonly base: Omit<OauthClient, "clientId" | "proof">;
  readonly registered?: { readonly clientId: string; readonly proof: ClientProof } | undefined;
  /** URL of a client id metadata document. */
  readonly metadataUrl?: string | undefined;
  readonly mayRegister: boolean;
  /** What the gateway calls itself where people read it. */
  readonly clientName: string;
  readonly store: Pick<GrantStore, "client" | "putClient">;
}

/** RFC 8252 §7.3: the port is chosen when consent is asked for. */
const registeredRedirect = "http://127.0.0.1/callback";

/** @throws Refusal `upstream_failed` if the authorization server takes the gateway in none of these ways */
export async function clientAt(as: AuthorizationServer, options: RegistrationOptions): Promise<OauthClient> {
  const { base, registered, metadataUrl, store } = options;
  if (registered !== undefined) return { ...base, ...registered };
  if (metadataUrl !== undefined && as["client_id_metadata_document_supported"] === true) {
    return { ...base, clientId: metadataUrl, proof: { kind: "none" } };
  }
  const known = store.client(as.issuer);
  if (known !== undefined) return asClient(known, base);
  if (!options.mayRegister || as.registration_endpoint === undefined) {
    throw noToken("Its authorization server doesn't know the gateway; name a client_id in the config.", {
      cause: "no_client",
      issuer: as.issuer,
    });
  }
  const client = await register(as, options);
  store.putClient(as.issuer, client);
  return asClient(client, base);
}

/** The client with what an authorization server gave it. */
export function asClient(
  { clientId, clientSecret }: { readonly clientId: string; readonly clientSecret?: string | undefined },
  base: RegistrationOptions["base"],
): OauthClient {
  const proof: ClientProof =
    clientSecret === undefined
      ? { kind: "none" }
      : { kind: "secret", secret: () => clientSecret, in: "basic" };
  return { ...base, clientId, proof };
}

async function register(
  as: AuthorizationServer,
  { base, clientName }: RegistrationOptions,
): Promise<{ readonly clientId: string; readonly clientSecret?: string }> {
  const { options } = partyOf({ ...base, clientId: "", proof: { kind: "none" } });
  const metadata = {
    client_name: clientName,
    application_type: "native",
    redirect_uris: [registeredRedirect],
    grant_types: ["authorization_code", "refresh_token"],
    response_types: ["code"],
    token_endpoint_auth_method: "none",
  };
  return await explained(as, async () => {
    const answer = await processDynamicClientRegistrationResponse(
      await dynamicClientRegistrationRequest(as, metadata, options),
    );
    const { client_id: clientId, client_secret: clientSecret } = answer;
    return { clientId, ...(typeof clientSecret === "string" && { clientSecret }) };
  });
}
