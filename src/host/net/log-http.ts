/** What witnesses ask of the gateway about its log, on their own proven links (docs/formats/witness.md). */
import { maxCosignatureBytes } from "../../audit/cosignature.ts";
import { utf8 } from "../../kernel/bytes.ts";
import type { Log } from "../../kernel/log.ts";
import { Refusal, refusalRow } from "../../kernel/refusal.ts";
import type { Channel } from "../../model/channel.ts";
import { readBody } from "./body.ts";
import { checkHeaders } from "./headers.ts";
import type { ServedRequest, ServedResponse } from "./served.ts";

/** They are asked for beside the servers. */
export function isAboutLog({ url }: Pick<ServedRequest, "url">): boolean {
  return url?.startsWith("/log/") === true;
}

interface LogAnswer {
  /** 409 if the log has fewer entries than that. */
  readonly status: 200 | 409;
  readonly body: Uint8Array;
}

/** Who answers; each for a witness that is proven. */
export interface LogDesk {
  /** @throws Refusal for who may not ask */
  readonly identify: (channel: Channel) => { readonly spiffeId: string };
  readonly checkpoint: (old: number) => Promise<LogAnswer>;
  readonly keys: () => Promise<Uint8Array>;
  /** Undefined if there is none to that generation. */
  readonly crossing: (number: number) => Promise<Uint8Array | undefined>;
  readonly cosign: (spiffeId: string, cosignature: Uint8Array) => Promise<void>;
  readonly report: (spiffeId: string, report: Uint8Array) => Promise<void>;
}

export type LogHttp = (request: ServedRequest, response: ServedResponse, channel: Channel) => Promise<void>;

const nothing = new Uint8Array();
/** At once: each costs a few files and a few thousand hashes. */
const maxUnderWay = 32;

export function logHttp(desk: LogDesk, log: Log): LogHttp {
  let underWay = 0;
  const inTurn = async <T>(work: () => Promise<T>): Promise<T> => {
    if (underWay >= maxUnderWay) throw new Refusal("busy", "Too many ask about the log at once; ask later.");
    underWay += 1;
    try {
      return await work();
    } finally {
      underWay -= 1;
    }
  };
  return async (request, response, channel) => {
    try {
      checkHeaders(request);
      const { spiffeId } = desk.identify(channel);
      // Before its turn comes: who sends slowly keeps nobody waiting.
      const sent = request.method === "POST" ? await readBody(request, maxCosignatureBytes) : nothing;
      const { status, body } = await inTurn(() => answer(request, desk, { spiffeId, sent }));
      write(response, status, body);
    } catch (error) {
      response.shouldKeepAlive = false; // What is left of the request isn't read.
      write(response, ...problem(error, channel, log));
    }
  };
}

interface Asked {
  readonly spiffeId: string;
  /** The body. */
  readonly sent: Uint8Array;
}

type Route = (
  desk: LogDesk,
  asked: Asked & { readonly number: number },
) => Promise<{ readonly status: number; readonly body: Uint8Array }>;

const routes = [
  [/^GET \/log\/checkpoint\?old=(0|[1-9][0-9]{0,15})$/, (desk, { number }) => desk.checkpoint(number)],
  [/^GET \/log\/keys$/, async (desk) => ({ status: 200, body: await desk.keys() })],
  [
    /^GET \/log\/crossings\/([1-9][0-9]{0,3})$/,
    async (desk, { number }) => {
      const body = await desk.crossing(number);
      return body === undefined ? { status: 404, body: nothing } : { status: 200, body };
    },
  ],
  [
    /^POST \/log\/cosignature$/,
    async (desk, { spiffeId, sent }) => {
      await desk.cosign(spiffeId, sent);
      return { status: 204, body: nothing };
    },
  ],
  [
    /^POST \/log\/incident$/,
    async (desk, { spiffeId, sent }) => {
      await desk.report(spiffeId, sent);
      return { status: 204, body: nothing };
    },
  ],
] as const satisfies readonly (readonly [RegExp, Route])[];

async function answer(request: ServedRequest, desk: LogDesk, asked: Asked): ReturnType<Route> {
  const what = `${String(request.method)} ${String(request.url)}`;
  for (const [pattern, route] of routes) {
    const found = pattern.exec(what);
    if (found !== null) return await route(desk, { ...asked, number: Number(found[1]) });
  }
  throw new Refusal(
    "method_not_allowed",
    "There are GET /log/checkpoint?old=N, /log/keys and /log/crossings/N, and POST /log/cosignature and /log/incident.",
  );
}

function write(response: ServedResponse, status: number, body: Uint8Array): void {
  const type = body.length === 0 ? {} : { "content-type": "text/plain; charset=utf-8" };
  response.writeHead(status, { ...type, "content-length": body.length, "cache-control": "no-store" });
  response.end(body);
}

function problem(error: unknown, { remote }: Channel, log: Log): readonly [number, Uint8Array] {
  if (error instanceof Refusal) {
    log.warn("witness.refused", { remote, code: error.code, reason: error.message, ...error.facts });
    return [refusalRow(error.code).http, utf8(`${error.code}: ${error.message}\n`)];
  }
  log.error("witness.fault", {
    remote,
    stack: error instanceof Error ? (error.stack ?? "") : "not an error",
  });
  return [500, utf8("fault: it failed inside the gateway; its log says why.\n")];
}
