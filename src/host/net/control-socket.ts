/** The socket in the state folder: whoever may open that folder asks the running gateway by it. */
import { createHash } from "node:crypto";
import { chmodSync, lstatSync, mkdirSync, rmSync } from "node:fs";
import type net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";

import { Refusal } from "../../kernel/refusal.ts";

/** Of a socket's address: 104 bytes on macOS, 108 on Linux, with the end of the text. */
const maxPathBytes = 103;

/** @param state folder; where its path is too long, a folder of its own among temporary ones has the socket */
export function socketPath(state: string): string {
  const own = path.resolve(state, "control.sock");
  if (process.platform === "win32") return `\\\\.\\pipe\\latticegate-${digestOf(own)}`;
  if (Buffer.byteLength(own) <= maxPathBytes) return own;
  return path.join(tmpdir(), `latticegate-${process.getuid?.() ?? 0}-${digestOf(own)}`, "control.sock");
}

function digestOf(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 24);
}

/** One gateway at a time has the state folder: what lies there is of one that was killed. @throws Refusal `bad_state` */
export async function listenOnSocket(server: net.Server, place: string): Promise<void> {
  if (process.platform !== "win32") {
    mkdirSync(path.dirname(place), { recursive: true, mode: 0o700 });
    const { uid, mode } = lstatSync(path.dirname(place));
    if (uid !== process.getuid?.() || (mode & 0o022) !== 0)
      throw new Refusal(
        "bad_state",
        `${path.dirname(place)} is open to others; the control socket isn't put there.`,
      );
    rmSync(place, { force: true });
  }
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause) =>
      reject(new Refusal("bad_state", `${place} can't be listened on: ${cause.message}.`, { cause })),
    );
    server.listen(place, resolve);
  });
  if (process.platform !== "win32") chmodSync(place, 0o600);
}
