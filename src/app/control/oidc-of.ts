/** The OpenID provider that `control.oidc` names, ready to log people in. */
import { Agent } from "undici";

import { pathConnector } from "../../host/net/path-connector.ts";
import { boundedFetch } from "../../host/oauth/bounded-fetch.ts";
import { type OidcLogin, oidcLogin } from "../../host/oauth/oidc-login.ts";
import type { Clock } from "../../kernel/clock.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { Config } from "../config.ts";
import { secretFrom } from "../secret-source.ts";

interface Provider {
  readonly name: string;
  readonly login: OidcLogin;
  readonly close: () => Promise<void>;
}

const askTimeoutMs = 10_000;

/** @throws Refusal `bad_config` if its secret isn't where the config says */
export function oidcOf({ control, folder }: Config, clock: Clock): Provider | undefined {
  const settings = control.oidc;
  if (settings === undefined) return undefined;
  const { issuer, client_id: clientId, client_secret: source, name, groups } = settings;
  const secret = source && secretFrom(source, "control.oidc.client_secret", folder);
  const agent = new Agent({ connect: pathConnector() });
  const fetch = boundedFetch({
    dispatcher: () => agent,
    timeoutMs: askTimeoutMs,
    failed: ({ url, cause, why, error }) =>
      new Refusal("upstream_failed", `The login provider ${url.host} can't be asked. ${why}`, {
        ...(error !== undefined && { cause: error }),
        facts: { host: url.host, cause },
      }),
  });
  const own = {
    clientId,
    proof:
      secret === undefined
        ? ({ kind: "none" } as const)
        : ({ kind: "secret", secret: () => secret, in: "basic" } as const),
    fetch,
    showsCertificate: false,
    clock,
  };
  return { name, login: oidcLogin({ issuer, own, clock, groups }), close: () => agent.destroy() };
}
