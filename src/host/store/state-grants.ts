/**
 * What callers were granted at servers behind the gateway, in the state database: who and where stand in the clear,
 * tokens and keys are sealed under a key of the key folder, bound to holder and server.
 */
import type { DatabaseSync } from "node:sqlite";

import { z } from "zod";

import { openSecret, sealSecret } from "../../crypto/sealed.ts";
import { fromUtf8, utf8 } from "../../kernel/bytes.ts";
import { openDatabase, transaction } from "./database.ts";

const tokensSchema = z.strictObject({
  clientId: z.string(),
  clientSecret: z.string().optional(),
  accessToken: z.string().optional(),
  notAfterUnixMs: z.number().optional(),
  refreshToken: z.string().optional(),
  /** JWK, where the tokens are bound to a key (RFC 9449). */
  dpopKeys: z.string().optional(),
});

/** The secret part of a grant. */
export type GrantTokens = z.output<typeof tokensSchema>;

export interface GrantFacts {
  readonly server: string;
  readonly holder: string;
  /** Of this very consent; another one has another. */
  readonly id: string;
  readonly issuer: string;
  readonly resource: string;
  readonly scope: string;
  readonly grantedUnixMs: number;
}

export interface Grant extends GrantFacts {
  readonly tokens: GrantTokens;
}

const clientSchema = z.strictObject({ clientId: z.string(), clientSecret: z.string().optional() });

/** The gateway as an authorization server registered it (RFC 7591). */
type RegisteredClient = z.output<typeof clientSchema>;

export interface GrantStore {
  /**
   * In place of what the holder had there before.
   * @param check throws if it isn't to be kept; nobody changes the database between that and the keeping
   */
  readonly put: (grant: Grant, check?: () => void) => void;
  /** New tokens of a grant that is still there; of one that was removed meanwhile nothing is kept. */
  readonly renew: (grant: GrantFacts, tokens: GrantTokens) => void;
  readonly facts: (server: string, holder: string) => GrantFacts | undefined;
  /** @throws Refusal `bad_state` if it doesn't open */
  readonly grant: (server: string, holder: string) => Grant | undefined;
  /** Of one holder, or of all. */
  readonly list: (holder?: string) => readonly GrantFacts[];
  /** @returns whether there was one; with `id`, only if it is that one */
  readonly remove: (server: string, holder: string, id?: string) => boolean;
  readonly client: (issuer: string) => RegisteredClient | undefined;
  readonly putClient: (issuer: string, client: RegisteredClient) => void;
  readonly removeClient: (issuer: string) => void;
  readonly close: () => void;
}

export const grantSchema = `
  create table if not exists upstream_grants (
    server text not null, holder text not null, id text not null, issuer text not null, resource text not null,
    scope text not null, granted_unix_ms integer not null, nonce text not null, sealed text not null,
    primary key (server, holder)
  ) strict;
  create table if not exists upstream_clients (
    issuer text primary key, nonce text not null, sealed text not null
  ) strict;
`;
const columns = "server, holder, id, issuer, resource, scope, granted_unix_ms";
/** Grants that are listed at most. */
const maxListed = 1000;

/**
 * @param key 32 bytes of the key folder
 * @throws Refusal `bad_state` if the file can't be opened
 */
export function openGrants(file: string, key: Uint8Array): GrantStore {
  const db = openDatabase(file, (db) => db.exec(grantSchema));
  const find = db.prepare(`select ${columns} from upstream_grants where server = ? and holder = ?`);
  const sealedOf = db.prepare(
    "select nonce, sealed from upstream_grants where server = ? and holder = ? and id = ?",
  );
  const facts = (server: string, holder: string): GrantFacts | undefined => {
    const row = find.get(server, holder);
    return row === undefined ? undefined : factsOf(row);
  };
  return {
    facts,
    grant: (server, holder) => {
      const found = facts(server, holder);
      const row = found && sealedOf.get(server, holder, found.id);
      if (found === undefined || row === undefined) return undefined;
      return { ...found, tokens: opened(key, nameOf(found), row, tokensSchema) };
    },
    put: ({ tokens, ...grant }, check) => {
      const { nonce, sealed } = sealSecret(key, nameOf(grant), utf8(JSON.stringify(tokens)));
      const { server, holder, id, issuer, resource, scope, grantedUnixMs } = grant;
      transaction(db, () => {
        check?.();
        db.prepare(
          `insert or replace into upstream_grants (${columns}, nonce, sealed) values (?,?,?,?,?,?,?,?,?)`,
        ).run(server, holder, id, issuer, resource, scope, grantedUnixMs, nonce, sealed);
      });
    },
    renew: (grant, tokens) => {
      const { nonce, sealed } = sealSecret(key, nameOf(grant), utf8(JSON.stringify(tokens)));
      db.prepare(
        "update upstream_grants set nonce = ?, sealed = ? where server = ? and holder = ? and id = ?",
      ).run(nonce, sealed, grant.server, grant.holder, grant.id);
    },
    list: (holder) =>
      db
        .prepare(
          `select ${columns} from upstream_grants where ? is null or holder = ? order by server, holder limit ${maxListed}`,
        )
        .all(holder ?? null, holder ?? null)
        .map(factsOf),
    remove: (server, holder, id) =>
      db
        .prepare("delete from upstream_grants where server = ? and holder = ? and (? is null or id = ?)")
        .run(server, holder, id ?? null, id ?? null).changes > 0,
    ...registeredClients(db, key),
    close: () => db.close(),
  };
}

/** Drops what an identity holds, for itself or for others: who gets its name later inherits nothing. */
export function dropGrantsOf(db: DatabaseSync, id: string): void {
  db.prepare("delete from upstream_grants where holder = ? or instr(holder, ?) > 0").run(
    id,
    JSON.stringify(id),
  );
}

function registeredClients(
  db: DatabaseSync,
  key: Uint8Array,
): Pick<GrantStore, "client" | "putClient" | "removeClient"> {
  return {
    client: (issuer) => {
      const row = db.prepare("select nonce, sealed from upstream_clients where issuer = ?").get(issuer);
      return row === undefined ? undefined : opened(key, `client/${issuer}`, row, clientSchema);
    },
    putClient: (issuer, client) => {
      const { nonce, sealed } = sealSecret(key, `client/${issuer}`, utf8(JSON.stringify(client)));
      db.prepare("insert or replace into upstream_clients values (?, ?, ?)").run(issuer, nonce, sealed);
    },
    removeClient: (issuer) => void db.prepare("delete from upstream_clients where issuer = ?").run(issuer),
  };
}

/** INVARIANT: what is sealed is bound to whose it is: rows changed in the file open for nobody else. */
function nameOf({ server, holder, id, issuer, resource }: GrantFacts): string {
  return JSON.stringify(["grant", server, holder, id, issuer, resource]);
}

function opened<T>(key: Uint8Array, name: string, row: Record<string, unknown>, schema: z.ZodType<T>): T {
  const bytes = openSecret(key, name, { nonce: String(row["nonce"]), sealed: String(row["sealed"]) });
  return schema.parse(JSON.parse(fromUtf8(bytes) ?? ""));
}

function factsOf(row: Record<string, unknown>): GrantFacts {
  const text = (column: string): string => String(row[column]);
  return {
    server: text("server"),
    holder: text("holder"),
    id: text("id"),
    issuer: text("issuer"),
    resource: text("resource"),
    scope: text("scope"),
    grantedUnixMs: Number(row["granted_unix_ms"]),
  };
}
