/**
 * A preload for processes that are to die at one moment: DIE_AT names a file operation by a pattern of its target and
 * whether the process dies before or after it, as `before rename /crossings\/2/`. Nothing is flushed: it is a SIGKILL.
 */
import fs, { type PathLike } from "node:fs";
import fsPromises from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";

const [, when, operation, pattern = ""] =
  /^(before|after) (rename|link|rm|append) (.+)$/.exec(process.env["DIE_AT"] ?? "") ?? [];
const target = new RegExp(pattern);

function die(): void {
  process.kill(process.pid, "SIGKILL");
}

function around<Result>(isIt: boolean, work: () => Result): Result {
  if (isIt && when === "before") die();
  const result = work();
  if (isIt && when === "after" && !(result instanceof Promise)) die();
  return isIt && result instanceof Promise ? (result.finally(die) as Result) : result;
}

const { link, rename, rm } = fsPromises;
fsPromises.rename = (from: PathLike, to: PathLike) =>
  around(operation === "rename" && target.test(String(to)), () => rename(from, to));
fsPromises.link = (from: PathLike, to: PathLike) =>
  around(operation === "link" && target.test(String(to)), () => link(from, to));
fsPromises.rm = (file: PathLike, options) =>
  around(operation === "rm" && target.test(String(file)), () => rm(file, options));

const { writeSync } = fs;
/** Entries are written with writeSync: what is looked at is what they say. */
fs.writeSync = ((fd: number, bytes: Uint8Array, ...rest: [number, number, number]) =>
  around(operation === "append" && target.test(Buffer.from(bytes).toString("latin1")), () =>
    writeSync(fd, bytes, ...rest),
  )) as typeof writeSync;

syncBuiltinESMExports();
