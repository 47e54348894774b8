/** One member of a virtual server, as one client has it: the session there, what the member said of itself, what it lists. */
import type { HeaderList } from "../../gate/call.ts";
import { utf8 } from "../../kernel/bytes.ts";
import type { Log } from "../../kernel/log.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { Greeting } from "../../virtual/greeting.ts";
import { type Item, isListMethod, type ListMethod, lists, readListPage } from "../../virtual/lists.ts";
import { readFrame, type RequestFrame, type ResponseFrame } from "../../wire/frame.ts";
import { standardHeaders } from "../../wire/mcp-headers.ts";
import { isKnownVersion } from "../../wire/protocol-version.ts";
import { valueOf } from "../net/headers.ts";
import { type Asking, askMember, type MemberAnswer } from "./ask-member.ts";

export interface MemberOptions {
  readonly name: string;
  /** Of a legacy client: its own words, with which each session is opened. Absent in the modern era. */
  readonly initialize?: RequestFrame;
  /** How long anybody waits for this member; what comes later is told by a notification. */
  readonly patienceMs: number;
  readonly log: Log;
  /** It came to be there, or a list came, after whoever asked had been answered. */
  readonly onLate: (methods: readonly ListMethod[]) => void;
}

/** After a failure it is left alone for so long: it would only slow others down. */
const retryAfterMs = 2000;
/** Pages of one list: no server has more, and one that never ends isn't waited for. */
const maxPages = 100;

const initialized = utf8('{"jsonrpc":"2.0","method":"notifications/initialized"}');

export class Member {
  readonly #options: MemberOptions;
  readonly #lists = new Map<ListMethod, readonly Item[]>();
  readonly #underWay = new Map<string, UnderWay<unknown>>();
  /** By the kind of what was asked, of which there are few; ids are the client's and may be any. */
  readonly #failedAtUnixMs = new Map<string, number>();
  #session: string | undefined;
  #greeting: Greeting["result"] | undefined;
  /** The client said that it is ready, so a session that is opened later is told so by us. */
  isReady = false;

  constructor(options: MemberOptions) {
    this.#options = options;
  }

  get name(): string {
    return this.#options.name;
  }

  get greeting(): Greeting | undefined {
    return this.#greeting && { member: this.name, result: this.#greeting };
  }

  get isOpen(): boolean {
    return this.#options.initialize === undefined || this.#greeting !== undefined;
  }

  /** What it listed last; undefined if nobody knows. */
  known(method: ListMethod): readonly Item[] | undefined {
    return this.#lists.get(method);
  }

  can(capability: string): boolean {
    return this.#greeting === undefined || Object.hasOwn(capabilitiesOf(this.#greeting), capability);
  }

  /** The headers of a request to it that isn't the client's own. */
  headers(frame?: RequestFrame): HeaderList {
    const base = ["content-type", "application/json", "accept", "application/json, text/event-stream"];
    if (frame?.era === "modern") return [...base, ...standardHeaders(frame).flat()];
    return [...base, ...this.sessionHeaders()];
  }

  /** What says whose session a legacy request is of, and in which version. */
  sessionHeaders(): HeaderList {
    const version = this.#greeting?.["protocolVersion"];
    return [
      ...(this.#session === undefined ? [] : ["mcp-session-id", this.#session]),
      ...(typeof version === "string" ? ["mcp-protocol-version", version] : []),
    ];
  }

  /** Opens the legacy session, once; waits no longer than the patience allows. @returns whether it is open */
  async open(asking: Asking): Promise<boolean> {
    const all = Object.keys(lists).filter(isListMethod);
    if (!this.isOpen) await this.#soon("initialize", asking, (own) => this.#initialize(own), all);
    return this.isOpen;
  }

  get session(): string | undefined {
    return this.#session;
  }

  /** The session `lost` is no more (the server began anew); if there is another by now, that one stays. */
  forget(lost: string | undefined): void {
    if (this.#session !== lost) return;
    this.#session = undefined;
    this.#greeting = undefined;
    this.#failedAtUnixMs.clear();
  }

  /** Asks `server/discover` in the client's own words. */
  async discover(asking: Asking, frame: RequestFrame): Promise<MemberAnswer | undefined> {
    // The answer bears the request's id, so it is shared with nobody.
    return await this.#soon(`server/discover ${JSON.stringify(frame.id)}`, asking, async (own) => {
      const answer = await this.ask(own, frame);
      if (answer.response?.result !== undefined) this.#greeting = resultOf(answer.response);
      return answer;
    });
  }

  /** Fetches a list. @returns whether it is what the member says now; what it said before is still known */
  async refresh(asking: Asking, method: ListMethod, meta: string | undefined): Promise<boolean> {
    if (!(await this.open(asking))) return false;
    const done = await this.#soon(
      method,
      asking,
      async (own) => {
        this.#lists.set(method, await this.#fetch(own, method, meta));
        return true;
      },
      [method],
    );
    return done === true;
  }

  async ask(asking: Asking, frame: RequestFrame): Promise<MemberAnswer> {
    return await askMember(asking, {
      member: this.name,
      verb: "POST",
      headers: this.headers(frame),
      body: frame.bytes,
    });
  }

  async tell(asking: Asking, message: Uint8Array): Promise<void> {
    await askMember(asking, { member: this.name, verb: "POST", headers: this.headers(), body: message });
  }

  async end(asking: Asking): Promise<void> {
    if (this.#session === undefined) return;
    const headers = this.sessionHeaders();
    this.forget(this.#session);
    await askMember(asking, { member: this.name, verb: "DELETE", headers });
  }

  async #initialize(asking: Asking): Promise<void> {
    const { initialize } = this.#options;
    if (initialize === undefined) return;
    const answer = await this.ask(asking, initialize);
    if (answer.response?.result === undefined) {
      throw new Refusal("upstream_failed", `"${this.name}" opened no session (status ${answer.status}).`);
    }
    const greeting = resultOf(answer.response);
    const offered = String(greeting["protocolVersion"]);
    // The client is offered the oldest version of all; one that nobody knows would turn it away from everybody.
    if (offered !== initialize.params?.protocolVersion && !isKnownVersion(offered)) {
      throw new Refusal("upstream_failed", `"${this.name}" offers a version of MCP that nobody knows.`);
    }
    this.#session = valueOf(answer.headers, "mcp-session-id");
    this.#greeting = greeting;
    if (this.isReady) await this.tell(asking, initialized);
  }

  /** Asks; where the session was lost, in another one again. */
  async #insist(asking: Asking, frame: RequestFrame): Promise<MemberAnswer> {
    const session = this.#session;
    const answer = await this.ask(asking, frame);
    if (answer.status !== 404 || this.#options.initialize === undefined) return answer;
    this.forget(session);
    if (!this.isOpen) await this.#initialize(asking);
    this.#options.onLate([]);
    return await this.ask(asking, frame);
  }

  async #fetch(asking: Asking, method: ListMethod, meta: string | undefined): Promise<readonly Item[]> {
    const capability = method.slice(0, method.indexOf("/"));
    if (!this.can(capability)) return [];
    const items: Item[] = [];
    let bytes = 0;
    let cursor: string | undefined;
    for (let page = 0; page < maxPages; page++) {
      const answer = await this.#insist(asking, listRequest({ method, page, cursor, meta }));
      if (answer.response?.error?.code === -32601) return [];
      if (answer.response?.result === undefined) {
        throw new Refusal("upstream_failed", `"${this.name}" didn't list (status ${answer.status}).`);
      }
      bytes += answer.body.length;
      if (bytes > asking.answerBytes) {
        throw new Refusal("answer_too_large", `"${this.name}" lists more than ${asking.answerBytes} bytes.`);
      }
      const { items: more, nextCursor } = readListPage(method, answer.body);
      items.push(...more);
      if (nextCursor === undefined || nextCursor === cursor) break;
      cursor = nextCursor;
    }
    return items;
  }

  /**
   * Does `work`, one at a time of its kind, and waits for it no longer than the patience allows; not at all
   * for what already takes longer, and not again right after it failed.
   * @returns undefined if there is no result (yet)
   */
  async #soon<T>(
    what: string,
    asking: Asking,
    work: (own: Asking) => Promise<T>,
    late: readonly ListMethod[] = [],
  ): Promise<T | undefined> {
    const running = this.#underWay.get(what) as UnderWay<T> | undefined;
    const nowUnixMs = asking.clock.nowUnixMs();
    const failedAt = this.#failedAtUnixMs.get(kindOf(what)) ?? -Infinity;
    if (running?.isLate === true || nowUnixMs < failedAt + retryAfterMs) return undefined;
    const begun = running ?? this.#begin(what, asking, work, late);
    const patience = Promise.withResolvers<undefined>();
    const timer = setTimeout(() => {
      begun.isLate = true;
      patience.resolve(undefined);
    }, this.#options.patienceMs);
    return await Promise.race([begun.done, patience.promise]).finally(() => clearTimeout(timer));
  }

  #begin<T>(
    what: string,
    asking: Asking,
    work: (own: Asking) => Promise<T>,
    late: readonly ListMethod[],
  ): UnderWay<T> {
    const { log, onLate } = this.#options;
    const { call, clock } = asking;
    // Others may come to wait for it too, so it doesn't end with the one who asked first.
    const own: Asking = { ...asking, gone: new AbortController().signal };
    const fields = { server: call.via ?? call.server, member: this.name, what };
    const begun: UnderWay<T> = {
      isLate: false,
      done: work(own)
        .then((result) => {
          if (begun.isLate) log.warn("member.slow", fields);
          if (begun.isLate) onLate(late);
          return result;
        })
        .catch((error: unknown) => {
          this.#failedAtUnixMs.set(kindOf(what), clock.nowUnixMs());
          const reason = error instanceof Error ? error.message : "unknown";
          log.warn("member.unavailable", { ...fields, reason });
          return undefined;
        })
        .finally(() => this.#underWay.delete(what)),
    };
    this.#underWay.set(what, begun);
    return begun;
  }
}

function kindOf(what: string): string {
  return what.split(" ", 1)[0] ?? what;
}

interface UnderWay<T> {
  readonly done: Promise<T | undefined>;
  /** Somebody gave up waiting for it; nobody waits for it any more. */
  isLate: boolean;
}

function listRequest({
  method,
  page,
  cursor,
  meta,
}: {
  readonly method: ListMethod;
  readonly page: number;
  readonly cursor: string | undefined;
  readonly meta: string | undefined;
}): RequestFrame {
  const params = [
    ...(cursor === undefined ? [] : [`"cursor":${JSON.stringify(cursor)}`]),
    ...(meta === undefined ? [] : [`"_meta":${meta}`]),
  ].join(",");
  const text = `{"jsonrpc":"2.0","id":"latticegate-${method}-${page}","method":"${method}","params":{${params}}}`;
  const frame = readFrame(utf8(text));
  if (frame.kind !== "request") throw new Error("a list request is a request");
  return frame;
}

function resultOf({ bytes, result }: ResponseFrame): Greeting["result"] {
  const text = new TextDecoder().decode(bytes.subarray(result?.span.start, result?.span.end));
  return JSON.parse(text) as Greeting["result"];
}

function capabilitiesOf(greeting: Greeting["result"]): object {
  const { capabilities } = greeting;
  return typeof capabilities === "object" && capabilities !== null ? capabilities : {};
}
