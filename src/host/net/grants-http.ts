/** What a caller asks of the gateway about its grants, on its own proven link: JSON over HTTP (docs/formats/grants.md). */
import { z } from "zod";

import { fromUtf8 } from "../../kernel/bytes.ts";
import type { Log } from "../../kernel/log.ts";
import { Refusal, refusalRow } from "../../kernel/refusal.ts";
import type { Caller } from "../../model/caller.ts";
import type { Channel } from "../../model/channel.ts";
import type { Consent } from "../oauth/consent.ts";
import type { GrantFacts } from "../store/state-grants.ts";
import { checkContent, readBody } from "./body.ts";
import { checkHeaders } from "./headers.ts";
import type { ServedRequest, ServedResponse } from "./served.ts";

/** They are asked for beside the servers. */
export function isAboutGrants({ url }: ServedRequest): boolean {
  return url === "/grants" || url?.startsWith("/grants/") === true;
}

/** A caller, and the link it is on. */
export interface Asker {
  readonly caller: Caller;
  readonly channel: Channel;
}

/** Who carries them out; each answers for one caller, and refuses what isn't its own. */
export interface GrantsDesk {
  readonly identify: (channel: Channel) => Asker;
  readonly begin: (asker: Asker, server: string, redirectUri: string) => Promise<Consent>;
  readonly finish: (asker: Asker, server: string, parameters: URLSearchParams) => Promise<GrantFacts>;
  readonly list: (asker: Asker) => readonly GrantFacts[];
  readonly revoke: (asker: Asker, server: string) => Promise<boolean>;
}

export type GrantsHttp = (
  request: ServedRequest,
  response: ServedResponse,
  channel: Channel,
) => Promise<void>;

/** A code and a state are a few hundred bytes. */
const maxBodyBytes = 32 * 1024;

const server = z.string().max(64);
/** RFC 8252 §7.3: a port of the caller's own machine, and this path. */
const redirectUri = z.string().regex(/^http:\/\/127\.0\.0\.1:[1-9]\d{0,4}\/callback$/);
const beginSchema = z.strictObject({ server, redirect_uri: redirectUri });
const finishSchema = z.strictObject({ server, parameters: z.string().max(16_384) });
const revokeSchema = z.strictObject({ server });

export function grantsHttp(desk: GrantsDesk, log: Log): GrantsHttp {
  return async (request, response, channel) => {
    let status = 200;
    let body: object;
    try {
      checkHeaders(request);
      body = await answer(request, desk, desk.identify(channel));
    } catch (error) {
      ({ status, body } = problem(error, channel, log));
      response.shouldKeepAlive = false; // What is left of the request isn't read.
    }
    const text = JSON.stringify(body);
    response.writeHead(status, { "content-type": "application/json", "cache-control": "no-store" });
    response.end(text);
  };
}

async function answer(request: ServedRequest, desk: GrantsDesk, asker: Asker): Promise<object> {
  const what = `${String(request.method)} ${String(request.url)}`;
  switch (what) {
    case "GET /grants":
      return { grants: desk.list(asker).map(described) };
    case "POST /grants/begin": {
      const asked = await read(request, beginSchema);
      const consent = await desk.begin(asker, asked.server, asked.redirect_uri);
      return {
        state: consent.state,
        authorize_url: consent.authorizeUrl,
        issuer: consent.issuer,
        client_id: consent.clientId,
        client_name: consent.clientName,
        resource: consent.resource,
        scope: consent.scope,
        caller: asker.caller.id,
      };
    }
    case "POST /grants/finish": {
      const asked = await read(request, finishSchema);
      return described(await desk.finish(asker, asked.server, new URLSearchParams(asked.parameters)));
    }
    case "POST /grants/revoke":
      return { removed: await desk.revoke(asker, (await read(request, revokeSchema)).server) };
    default:
      throw new Refusal(
        "method_not_allowed",
        "There are GET /grants, and POST to /grants/begin, /grants/finish and /grants/revoke.",
      );
  }
}

function described({ server, issuer, resource, scope, grantedUnixMs }: GrantFacts): object {
  return { server, issuer, resource, scope, granted_at: new Date(grantedUnixMs).toISOString() };
}

async function read<T>(request: ServedRequest, schema: z.ZodType<T>): Promise<T> {
  checkContent(request);
  const text = fromUtf8(await readBody(request, maxBodyBytes));
  let value: unknown;
  try {
    value = JSON.parse(text ?? "");
  } catch (cause) {
    throw new Refusal("bad_json", "Expected a JSON body.", { cause });
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new Refusal("bad_message", "The body isn't what docs/formats/grants.md asks for.", {
    cause: result.error,
  });
}

function problem(
  error: unknown,
  channel: Channel,
  log: Log,
): { readonly status: number; readonly body: object } {
  const { remote } = channel;
  if (!(error instanceof Refusal)) {
    log.error("grant.fault", {
      remote,
      stack: error instanceof Error ? (error.stack ?? "") : "not an error",
    });
    return {
      status: 500,
      body: { error: "fault", message: "It failed inside the gateway; its log says why." },
    };
  }
  log.warn("grant.refused", { remote, code: error.code, ...error.facts });
  return { status: refusalRow(error.code).http, body: { error: error.code, message: error.message } };
}
