/** The log that `audit tail`, `show` and `query` are about: files of this machine, or what a control room tells. */
import { type AskedLog, askedLog } from "../app/control/asked-log.ts";
import { beginningOf } from "../app/removed-beginning.ts";
import { asWritten } from "../app/subject-names.ts";
import { openLogReader } from "../host/store/log-reader.ts";
import type { CommandCall } from "./command.ts";
import { logFolder, withNamesFor } from "./log-place.ts";
import { askRemote, remoteNamed } from "./room.ts";

/** What both can do. */
export type ReadLog = Omit<AskedLog, "search">;

/** Files are read even while a gateway runs: they are what it would tell. @param isPlain no names are wanted */
export async function readLog<T>(
  call: CommandCall,
  work: (log: ReadLog) => Promise<T>,
  isPlain = false,
): Promise<T> {
  const remote = remoteNamed(call);
  if (remote !== undefined) return await remoteLog(call, remote, work);
  const reader = openLogReader(logFolder(call));
  const log = { ...reader, beginning: () => beginningOf(reader) };
  if (isPlain) return await work({ ...log, named: asWritten.named });
  return await withNamesFor(call, ({ named }) => work({ ...log, named }));
}

export async function remoteLog<T>(
  call: CommandCall,
  name: string,
  work: (log: AskedLog) => Promise<T>,
): Promise<T> {
  return await askRemote(name, (room) => {
    const log = askedLog(room);
    return work(call.flag("pseudonyms") ? { ...log, named: asWritten.named } : log);
  });
}
