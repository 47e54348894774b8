/**
 * Which end answers for a target, in the state database: the calling end remembers it, so that nobody on the way can
 * put another one there whose keys aren't known yet. Durability: each change is on disk when the call returns.
 */
import { openDatabase } from "./database.ts";

export interface SignedRoutes {
  /** The SPIFFE ID of the end that answered for the target last; undefined before the first. */
  readonly issuerOf: (target: string) => string | undefined;
  readonly lead: (target: string, issuer: string) => void;
  readonly close: () => void;
}

const schema = `create table if not exists signed_routes (target text primary key, issuer text not null) strict;`;

/** @throws Refusal `bad_state` if the file can't be opened */
export function openRoutes(file: string): SignedRoutes {
  const db = openDatabase(file, (opened) => opened.exec(schema));
  const find = db.prepare("select issuer from signed_routes where target = ?");
  const put = db.prepare("insert or replace into signed_routes values (?, ?)");
  return {
    issuerOf: (target) => {
      const issuer = find.get(target)?.["issuer"];
      return typeof issuer === "string" ? issuer : undefined;
    },
    lead: (target, issuer) => void put.run(target, issuer),
    close: () => db.close(),
  };
}
