/**
 * Which checks of the client suites end otherwise where the gateway is the protected resource, and why. Nothing else
 * may differ, and nothing here may stop to: a row that is no longer true fails the run as well.
 */
import type { Change, Reason } from "./explain.ts";
import type { Pin } from "./suite.ts";

type Times = Readonly<Record<string, number>>;

function change(check: string, direct: string, proxied: string, times: Times): Change {
  return { check, direct, proxied, times };
}

const gone = (check: string, times: Times): Change => change(check, "SUCCESS", "absent", times);
const failed = (check: string, times: Times): Change => change(check, "SUCCESS", "FAILURE", times);
const added = (check: string, times: Times, verdict = "SUCCESS"): Change =>
  change(check, "absent", verdict, times);

const once = (...scenarios: readonly string[]): Times =>
  Object.fromEntries(scenarios.map((name) => [name, 1]));
const twice = (...scenarios: readonly string[]): Times =>
  Object.fromEntries(scenarios.map((name) => [name, 2]));

/** The suites' names for the same scenario. */
const enterprise: Readonly<Record<Pin, string>> = {
  "mcp-conformance-stable": "auth/cross-app-access-complete-flow",
  "mcp-conformance-next": "auth/enterprise-managed-authorization",
};

/** What a client goes through at an authorization server that didn't know it. */
const authorization = [
  "client-registration",
  "authorization-request",
  "pkce-code-challenge-sent",
  "pkce-s256-method-used",
  "token-request",
  "pkce-code-verifier-sent",
  "pkce-verifier-matches-challenge",
];

const metadata = ["auth/metadata-default", "auth/metadata-var1", "auth/metadata-var2", "auth/metadata-var3"];
const endpoint = ["basic", "none", "post"].map((how) => `auth/token-endpoint-auth-${how}`);
const issuerOfAnswer = [
  "auth/iss-normalized",
  "auth/iss-not-advertised",
  "auth/iss-supported",
  "auth/iss-supported-missing",
  "auth/iss-unexpected",
  "auth/iss-wrong-issuer",
];

export function explanations(pin: Pin): readonly Reason[] {
  const isNext = pin === "mcp-conformance-next";
  const inNext = (times: Times): Times => (isNext ? times : {});
  const alsoTwice = isNext ? [...issuerOfAnswer, "auth/dpop"] : [];
  const flow = enterprise[pin];
  const limit = "auth/scope-retry-limit";
  const mismatch = "auth/resource-mismatch";
  const migration = "auth/authorization-server-migration";
  const all: readonly Reason[] = [
    {
      name: "metadata is the gateway's",
      because:
        "The client reads the protected-resource metadata of the gateway and never that of the server behind it. What the harness asks as the operator isn't counted.",
      changes: [
        gone("prm-pathbased-requested", {
          ...twice(...metadata, ...endpoint, ...alsoTwice, "auth/basic-cimd", "auth/pre-registration"),
          ...twice("auth/offline-access-not-supported", "auth/offline-access-scope"),
          ...twice("auth/scope-from-scopes-supported", "auth/scope-from-www-authenticate"),
          ...twice("auth/scope-omitted-when-undefined"),
          ...once("auth/client-credentials-basic", "auth/client-credentials-jwt", flow, mismatch),
          ...inNext(once("auth/dpop-nonce", "auth/metadata-issuer-mismatch", "auth/wif-jwt-bearer")),
          ...inNext({ [migration]: 4 }),
          [limit]: 5,
          "auth/scope-step-up": 4,
        }),
      ],
    },
    {
      name: "resource is the gateway",
      because:
        "The client asks for tokens for the gateway (RFC 8707), as it must. The suite compares that with what its own server's metadata says.",
      changes: [failed("resource-parameter-matches-prm", inNext(once(...metadata, ...endpoint)))],
    },
    {
      name: "identity assertion names the gateway",
      because:
        "The client asks its identity provider for an assertion (ID-JAG) for the gateway. The suite's authorization server knows one resource, its own server's URL, and gives out no token; the SDK tries once more. A real one would know the gateway's. The scenario can't go on this way.",
      changes: [
        failed("complete-flow-jwt-bearer", once(flow)),
        gone("valid-bearer-token", { [flow]: 4 }),
        added("authorization-server-metadata", once(flow)),
        added("complete-flow-token-exchange", once(flow)),
        added("token-request", once(flow)),
        added("complete-flow-jwt-bearer", once(flow), "FAILURE"),
      ],
    },
    {
      name: "wrong metadata isn't seen",
      because:
        "The server's metadata claims to be for another resource, and the client is to give up. The gateway's metadata is right, so that the client rightly goes on to its token and its calls.",
      changes: [
        failed("resource-mismatch-rejected", once(mismatch)),
        ...authorization.map((check) => added(check, once(mismatch))),
        added("authorization-server-metadata", once(mismatch)),
        added("sep-837-application-type-present", inNext(once(mismatch))),
        added("valid-bearer-token", { [mismatch]: isNext ? 3 : 4 }),
      ],
    },
    {
      name: "challenge names the narrowest scope",
      because:
        "The server's challenge names no scope, so that clients are to ask for all that its metadata lists. The gateway's names one, the first of its config, and a client asks for that (MCP, scope selection).",
      changes: [
        change("scope-from-scopes-supported", "SUCCESS", "WARNING", once("auth/scope-from-scopes-supported")),
      ],
    },
    {
      name: "step-up comes from the gateway",
      because:
        "The gateway itself refuses the call that needs another scope, so that the server isn't asked about the token that lacks it. The step-up succeeds.",
      changes: [gone("valid-bearer-token", once("auth/scope-step-up"))],
    },
    {
      name: "a server's 403 isn't the client's affair",
      because:
        "A server that wants more scopes of the gateway's credential says so to the gateway. The client gets the 403 without the challenge, so that it doesn't ask for tokens again, neither with nor without a limit.",
      changes: [
        gone("authorization-server-metadata", { [limit]: 3 }),
        gone("authorization-request", { [limit]: 2 }),
        gone("pkce-code-challenge-sent", { [limit]: 2 }),
        gone("pkce-s256-method-used", { [limit]: 2 }),
        gone("token-request", once(limit)),
        gone("pkce-code-verifier-sent", once(limit)),
        gone("pkce-verifier-matches-challenge", once(limit)),
      ],
    },
    {
      name: "issuers are the operator's",
      because:
        "The server moves to another authorization server between two calls. Which issuers count at the gateway is in its config: its credential no longer counts at the server, which is a 502 for the client and no reason to register elsewhere. The scenario can't go on this way.",
      changes: [
        failed("sep-2352-reregister-on-as-change", inNext(once(migration))),
        gone("authorization-server-metadata", inNext(twice(migration))),
        gone("valid-bearer-token", inNext(twice(migration))),
        ...authorization.map((check) => gone(check, inNext(once(migration)))),
        gone("sep-837-application-type-present", inNext(once(migration))),
      ],
    },
    {
      name: "bound tokens whose key nobody knows",
      because:
        "The tokens are JWTs, and the suite's authorization server publishes no keys to verify them with (no jwks_uri in its metadata, which the gateway reads). The gateway takes none that it can't verify, so that no call reaches the server. The scenarios can't go on this way; DPoP at the gateway is tested with an authorization server that has keys, in test/scenarios/web-oauth.test.ts.",
      changes: [
        failed("sep-1932-client-dpop-auth-scheme", inNext(once("auth/dpop", "auth/dpop-nonce"))),
        failed("sep-1932-client-fresh-proof", inNext(once("auth/dpop", "auth/dpop-nonce"))),
        failed("sep-1932-client-rs-nonce", inNext(once("auth/dpop-nonce"))),
        added("authorization-server-metadata", inNext(once("auth/dpop"))),
      ],
    },
  ];
  return all.filter(({ changes }) => changes.some(({ times }) => Object.keys(times).length > 0));
}
