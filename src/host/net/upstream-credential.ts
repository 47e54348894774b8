/** What the gateway shows of itself to a server behind it: never anything of a caller's. */
import type { HeaderList } from "../../gate/call.ts";
import type { Caller } from "../../model/caller.ts";

/** A credential for one request. */
export interface Lent {
  /** Names and values in turn. */
  readonly headers: readonly string[];
  /**
   * The server answered 401 or 403. Resolves with another credential with which the request is worth one more try,
   * or with nothing if the answer is to be passed on. @throws Refusal if the caller has to hear of it
   */
  readonly again: (answer: {
    readonly status: number;
    readonly headers: HeaderList;
  }) => Promise<Lent | undefined>;
}

export interface UpstreamCredential {
  /** @throws Refusal `upstream_failed`, `grant_needed` */
  readonly lend: (caller: Caller, method: string) => Promise<Lent>;
}
