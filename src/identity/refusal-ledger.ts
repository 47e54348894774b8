/**
 * Which refusals of identities, and of links, are written to the audit log: the first of a kind at once, what repeats
 * it within ten minutes as one entry with a count, so that nobody fills the log by knocking.
 */

/** Somebody who holds something of ours, and was turned away. */
export interface RefusedIdentity {
  /** What was asked for. */
  readonly how: "link" | "join" | "renew";
  readonly spiffeId: string;
  readonly reason: string;
  /** Of the certificate that was shown, if one was. */
  readonly serial?: string;
  readonly remote?: string;
}

/** @property times how often it happened; the facts are those of the last time */
export type Counted<What> = What & { readonly times: number };
export type CountedRefusal = Counted<RefusedIdentity>;

export const windowMs = 600_000;
/** Kinds are bounded by the identities there are; this bounds what a mistake there could cost. */
export const maxKinds = 1024;

interface Kind<What> {
  readonly untilUnixMs: number;
  readonly last: What;
  readonly unwritten: number;
}

export class RepeatLedger<What extends object> {
  readonly #kinds = new Map<string, Kind<What>>();
  readonly #kindOf: (what: What) => readonly string[];

  constructor(kindOf: (what: What) => readonly string[]) {
    this.#kindOf = kindOf;
  }

  /** Whether it is of a kind that is counted, or there is room for one more. */
  takes(what: What): boolean {
    return this.#kinds.size < maxKinds || this.#kinds.has(JSON.stringify(this.#kindOf(what)));
  }

  /** @returns what is to be written now, if anything is */
  see(what: What, nowUnixMs: number): Counted<What> | undefined {
    const key = JSON.stringify(this.#kindOf(what));
    const kind = this.#kinds.get(key);
    if (kind !== undefined) {
      this.#kinds.set(key, { ...kind, last: what, unwritten: kind.unwritten + 1 });
      return undefined;
    }
    if (this.#kinds.size >= maxKinds) return undefined;
    this.#kinds.set(key, { untilUnixMs: nowUnixMs + windowMs, last: what, unwritten: 0 });
    return { ...what, times: 1 };
  }

  /** What was only counted so far, of kinds whose time is up; of all kinds at the end. */
  due(nowUnixMs: number): readonly Counted<What>[] {
    const over = [...this.#kinds].filter(([, { untilUnixMs }]) => untilUnixMs <= nowUnixMs);
    for (const [key] of over) this.#kinds.delete(key);
    return over.flatMap(([, { last, unwritten }]) =>
      unwritten === 0 ? [] : [{ ...last, times: unwritten }],
    );
  }
}

export class RefusalLedger extends RepeatLedger<RefusedIdentity> {
  constructor() {
    super(({ how, spiffeId, reason }) => [how, spiffeId, reason]);
  }
}
