/**
 * Which refusals of identities are written to the audit log: the first of a kind at once, what repeats it within ten
 * minutes as one entry with a count, so that nobody fills the log by knocking.
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
export interface CountedRefusal extends RefusedIdentity {
  readonly times: number;
}

export const windowMs = 600_000;
/** Kinds are bounded by the identities there are; this bounds what a mistake there could cost. */
export const maxKinds = 1024;

interface Kind {
  readonly untilUnixMs: number;
  readonly last: RefusedIdentity;
  readonly unwritten: number;
}

export class RefusalLedger {
  readonly #kinds = new Map<string, Kind>();

  /** @returns what is to be written now, if anything is */
  see(refused: RefusedIdentity, nowUnixMs: number): CountedRefusal | undefined {
    const key = JSON.stringify([refused.how, refused.spiffeId, refused.reason]);
    const kind = this.#kinds.get(key);
    if (kind !== undefined) {
      this.#kinds.set(key, { ...kind, last: refused, unwritten: kind.unwritten + 1 });
      return undefined;
    }
    if (this.#kinds.size >= maxKinds) return undefined;
    this.#kinds.set(key, { untilUnixMs: nowUnixMs + windowMs, last: refused, unwritten: 0 });
    return { ...refused, times: 1 };
  }

  /** What was only counted so far, of kinds whose time is up; of all kinds at the end. */
  due(nowUnixMs: number): readonly CountedRefusal[] {
    const over = [...this.#kinds].filter(([, { untilUnixMs }]) => untilUnixMs <= nowUnixMs);
    for (const [key] of over) this.#kinds.delete(key);
    return over.flatMap(([, { last, unwritten }]) =>
      unwritten === 0 ? [] : [{ ...last, times: unwritten }],
    );
  }
}
