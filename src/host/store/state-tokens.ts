/** Records of workloads that proved themselves: tokens that were used, until when certificates may be renewed, identities that are shut out. */
import type { DatabaseSync } from "node:sqlite";

import type { RenewalBound } from "../../identity/renewal.ts";
import { proofRefusedText } from "../../identity/workload.ts";
import { Refusal } from "../../kernel/refusal.ts";

/** A token as the gateway remembers it: by a hash, until it has ended. */
export interface SpentToken {
  readonly key: string;
  readonly endsUnixMs: number;
}

export interface WorkloadRecords {
  /** Within a transaction. @throws Refusal `proof_refused` if it was spent before */
  readonly spendToken: (token: SpentToken, nowUnixMs: number) => void;
  readonly boundRenewal: (
    certificate: { readonly serial: string; readonly notAfterUnixMs: number },
    bound: RenewalBound,
  ) => void;
  /** Undefined for a certificate that isn't bound. */
  readonly renewalBound: (serial: string) => RenewalBound | undefined;
  /** From now on no proof gets this identity, and no access token counts that names this client or user. @returns false if that was so already */
  readonly shutOut: (spiffeId: string, nowUnixMs: number) => boolean;
  /** @returns whether it was shut out */
  readonly readmit: (spiffeId: string) => boolean;
  readonly isShutOut: (spiffeId: string) => boolean;
  /** Those that come with access tokens, by their names `oauth:…`. */
  readonly shutOutClients: () => readonly string[];
}

const schema = `
  create table if not exists spent_tokens (
    token_hash text primary key, ends_unix_ms integer not null
  ) strict;
  create table if not exists renewal_bounds (
    serial text primary key, how text not null, until_unix_ms integer not null, not_after_unix_ms integer not null
  ) strict;
  create table if not exists shut_out (spiffe_id text primary key, since_unix_ms integer not null) strict;
`;

/** INVARIANT: longer than any certificate may be renewed after its end, or one whose row is gone would count as unbound. */
const keptAfterEndMs = 60 * 24 * 3_600_000;

export function workloadRecords(db: DatabaseSync): WorkloadRecords {
  db.exec(schema);
  const clients = db.prepare("select spiffe_id from shut_out where spiffe_id like 'oauth:%'");
  return {
    spendToken: ({ key, endsUnixMs }, nowUnixMs) => {
      db.prepare("delete from spent_tokens where ends_unix_ms <= ?").run(nowUnixMs);
      const added = db
        .prepare("insert into spent_tokens values (?, ?) on conflict do nothing")
        .run(key, endsUnixMs);
      if (added.changes === 0) {
        throw new Refusal("proof_refused", proofRefusedText, { facts: { reason: "it was used before" } });
      }
    },
    boundRenewal: ({ serial, notAfterUnixMs }, { how, untilUnixMs }) => {
      db.prepare("insert into renewal_bounds values (?, ?, ?, ?)").run(
        serial,
        how,
        untilUnixMs,
        notAfterUnixMs,
      );
      db.prepare("delete from renewal_bounds where not_after_unix_ms <= ?").run(
        notAfterUnixMs - keptAfterEndMs,
      );
    },
    renewalBound: (serial) => {
      const row = db.prepare("select how, until_unix_ms from renewal_bounds where serial = ?").get(serial);
      return row && { how: String(row["how"]), untilUnixMs: Number(row["until_unix_ms"]) };
    },
    shutOut: (spiffeId, nowUnixMs) =>
      db.prepare("insert into shut_out values (?, ?) on conflict do nothing").run(spiffeId, nowUnixMs)
        .changes > 0,
    readmit: (spiffeId) => db.prepare("delete from shut_out where spiffe_id = ?").run(spiffeId).changes > 0,
    isShutOut: (spiffeId) =>
      db.prepare("select 1 from shut_out where spiffe_id = ?").get(spiffeId) !== undefined,
    shutOutClients: () => clients.all().map((row) => String(row["spiffe_id"])),
  };
}
