/** The asking side of the list of revoked certificates (docs/formats/revocations.md). */
import https from "node:https";
import type tls from "node:tls";

import { z } from "zod";

import { Refusal } from "../../kernel/refusal.ts";
import type { RevokedCertificate } from "../store/certificate-records.ts";
import { readBody } from "./body.ts";
import type { LinkTarget } from "./link-attempt.ts";
import { linkOpener } from "./open-link.ts";
import { longestWaitSeconds, revocationsPath } from "./revocation-feed.ts";

/** Some 50,000 certificates, of those that live an hour. */
const maxAnswerBytes = 4 * 1024 * 1024;
/** What a gateway may take beyond the wait it was asked for. */
const slackMs = 5000;

const listSchema = z.object({
  revoked: z.array(
    z.object({
      serial: z.string().regex(/^[0-9a-f]{1,40}$/),
      not_after: z.iso.datetime().transform((text) => Date.parse(text)),
    }),
  ),
  renew_before: z.iso
    .datetime()
    .transform((text) => Date.parse(text))
    .default(0),
});

/** The list as it was sent; its tag is what the next question says is known. */
export interface RevocationList {
  readonly tag: string;
  readonly revoked: readonly RevokedCertificate[];
  /** Who was certified before that should renew now. */
  readonly renewBeforeUnixMs: number;
}

export interface RevocationQuestion {
  /** Keeps the link from one question to the next. */
  readonly agent: https.Agent;
  /** `host:port` of the gateway. */
  readonly address: string;
  /** Answered when the list is another one; at once if absent. */
  readonly known?: string;
  readonly signal: AbortSignal;
}

/** Keeps one link to `target`, opened over whatever path there is. @param signal ends what is being opened */
export function linkAgent(
  options: tls.ConnectionOptions,
  target: LinkTarget,
  signal: AbortSignal,
): https.Agent {
  const open = linkOpener(options);
  const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
  agent.createConnection = (_options, done) => {
    if (done !== undefined) void hand(open(target, { signal }), done);
    return undefined;
  };
  return agent;
}

async function hand(
  opening: Promise<tls.TLSSocket>,
  done: (error: Error | null, link: tls.TLSSocket) => void,
): Promise<void> {
  try {
    done(null, await opening);
  } catch (error) {
    (done as (error: unknown) => void)(error); // There is no link then, which its type doesn't know.
  }
}

/**
 * Asks once.
 * @returns undefined if nothing has changed for as long as one question waits
 * @throws Refusal `upstream_failed`, or what the connection failed with
 */
export function askRevocations(question: RevocationQuestion): Promise<RevocationList | undefined> {
  const { agent, address, known, signal } = question;
  return new Promise((resolve, reject) => {
    const request = https.get(`https://${address}${revocationsPath}`, {
      agent,
      signal,
      headers: known === undefined ? {} : { "if-none-match": known, prefer: `wait=${longestWaitSeconds}` },
      timeout: longestWaitSeconds * 1000 + slackMs,
    });
    request.on("response", (response) => {
      const { statusCode: status = 0, headers } = response;
      readBody(response, maxAnswerBytes)
        .then((body) => (status === 304 ? undefined : listIn(status, headers.etag, body)))
        .then(resolve, reject);
    });
    request.on("timeout", () => request.destroy(new Error("the gateway said nothing in time")));
    request.on("error", reject);
  });
}

function listIn(status: number, tag: string | undefined, body: Uint8Array): RevocationList {
  const list = status === 200 ? listSchema.safeParse(jsonIn(body)) : undefined;
  if (tag === undefined || list?.success !== true) {
    throw new Refusal("upstream_failed", `The gateway's list can't be read (status ${status}).`);
  }
  const revoked = list.data.revoked.map(({ serial, not_after }) => ({ serial, notAfterUnixMs: not_after }));
  return { tag, revoked, renewBeforeUnixMs: list.data.renew_before };
}

function jsonIn(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString("utf8"));
  } catch {
    return undefined;
  }
}
