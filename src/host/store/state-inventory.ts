/**
 * The inventory, in a database of its own: what is known now, and of each look around how far the migration had come.
 *
 * Durability: what was kept is on disk when the call is done. Two processes that keep at once wait for each other.
 */
import type { DatabaseSync } from "node:sqlite";

import type { Inventory } from "../../inventory/inventory.ts";
import type { Progress } from "../../inventory/progress.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { openDatabase, transaction } from "./database.ts";

export interface InventoryStore {
  readonly inventory: () => Inventory | undefined;
  /** Of each look around, oldest first. */
  readonly progress: () => readonly Progress[];
  /** What `change` makes of what is there is kept, with its progress if it comes of a look around. */
  readonly change: (change: (before: Inventory | undefined) => Changed) => Inventory;
  readonly close: () => void;
}

interface Changed {
  readonly inventory: Inventory;
  readonly progress?: Progress;
}

/** Older looks around are forgotten: two years of one a day. */
const maxScans = 750;

const schema = `
  create table if not exists inventory (one integer primary key check (one = 1), document text not null) strict;
  create table if not exists scans (number integer primary key, progress text not null) strict;
`;

/** @throws Refusal `bad_state` if the file can't be opened, or isn't what was kept */
export function openInventoryStore(file: string): InventoryStore {
  const db = openDatabase(file, (opened) => opened.exec(schema));
  const inventory = (): Inventory | undefined => {
    const text = db.prepare("select document from inventory").get()?.["document"];
    return typeof text === "string" ? (parsed(text, file) as Inventory) : undefined;
  };
  return {
    inventory,
    progress: () =>
      db
        .prepare("select progress from scans order by number")
        .all()
        .map((row) => parsed(String(row["progress"]), file) as Progress),
    change: (change) =>
      transaction(db, () => {
        const changed = change(inventory());
        keep(db, changed);
        return changed.inventory;
      }),
    close: () => db.close(),
  };
}

function keep(db: DatabaseSync, { inventory, progress }: Changed): void {
  db.prepare("insert or replace into inventory (one, document) values (1, ?)").run(JSON.stringify(inventory));
  if (progress === undefined) return;
  db.prepare("insert into scans (progress) values (?)").run(JSON.stringify(progress));
  db.prepare("delete from scans where number <= (select max(number) from scans) - ?").run(maxScans);
}

function parsed(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Refusal("bad_state", `${file} isn't an inventory that this program kept.`, { cause });
  }
}
