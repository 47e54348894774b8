/** What a server writes to stderr, kept for its operator: the last 2 MiB at most, in two files. */
import { closeSync, fstatSync, mkdirSync, openSync, renameSync, writeSync } from "node:fs";
import path from "node:path";
import type { Readable } from "node:stream";

import type { Log } from "../../kernel/log.ts";

/** A file that reaches this is set aside as `.1`, in place of the one before. */
const maxFileBytes = 1024 * 1024;

export function keepStderr(
  stderr: Readable,
  spec: { readonly name: string; readonly stderrFolder: string; readonly log: Log },
): void {
  const file = path.join(spec.stderrFolder, `${spec.name}.stderr.log`);
  let fd: number | undefined;
  let bytes = 0;
  const open = (): number => {
    mkdirSync(spec.stderrFolder, { recursive: true, mode: 0o700 });
    const opened = openSync(file, "a", 0o600);
    bytes = fstatSync(opened).size;
    return opened;
  };
  const close = (): void => {
    if (fd !== undefined) closeSync(fd);
    fd = undefined;
  };
  stderr.on("data", (chunk: Buffer) => {
    try {
      fd ??= open();
      writeSync(fd, chunk);
      bytes += chunk.length;
      if (bytes < maxFileBytes) return;
      close();
      renameSync(file, `${file}.1`);
    } catch (error) {
      // A full disk keeps nobody from serving; the words are lost, and that is said.
      spec.log.warn("server.stderr_lost", { server: spec.name, reason: String(error) });
    }
  });
  stderr.on("close", close);
  stderr.on("error", close);
}
