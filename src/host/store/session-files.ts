/**
 * The session tokens of a sidecar's clients: all sidecars that one client's process started use the same. A file for
 * each is made whole and never changed: `<client>.<number>.json`, and who takes the next number first decides for all.
 */
import { readdir, rm, stat } from "node:fs/promises";
import path from "node:path";

import { z } from "zod";

import { sha256Hex } from "../../crypto/hash.ts";
import { utf8 } from "../../kernel/bytes.ts";
import { type ClientProcess, isRunning } from "../client-process.ts";
import { ensurePrivateFolder, makePrivateFile, readIfThere } from "./files.ts";

const fileSchema = z.strictObject({
  token: z.string().max(256),
  client: z.strictObject({ pid: z.int(), started: z.string(), machine: z.string() }),
});
const fileName = /^([0-9a-f]{32})\.(\d{1,9})\.json$/;
/** No session lasts longer; what another machine left here can't be asked. */
const keptForMs = 25 * 3_600_000;
/** More clients than a machine runs; what lies beyond stays until the next time. */
const maxLookedAt = 1000;

/** A token, and its place in the row of those its client had. */
export interface HeldToken {
  readonly token: string;
  readonly number: number;
}

export interface SessionFiles {
  /** The newest token, if there is one. */
  readonly newest: () => Promise<HeldToken | undefined>;
  /** Puts `token` after number `after`. @returns it, or the one that another put there first */
  readonly put: (token: string, after: number) => Promise<HeldToken>;
}

/** @param about what else the session depends on: the gateway, the caller, for whom it acts */
export async function sessionFiles(
  folder: string,
  client: ClientProcess,
  about: readonly string[],
): Promise<SessionFiles> {
  await ensurePrivateFolder(folder);
  await forgetDead(folder);
  const { pid, started, machine } = client;
  const name = sha256Hex(utf8(JSON.stringify([machine, pid, started, ...about]))).slice(0, 32);
  const fileOf = (number: number): string => path.join(folder, `${name}.${number}.json`);
  const newest = async (): Promise<HeldToken | undefined> => {
    const numbers = (await readdir(folder)).flatMap((file) => {
      const [, whose, number] = fileName.exec(file) ?? [];
      return whose === name ? Number(number) : [];
    });
    if (numbers.length === 0) return undefined;
    const number = Math.max(...numbers);
    const held = await readFileAt(fileOf(number));
    if (held === undefined) await rm(fileOf(number), { force: true }); // It would be in everybody's way.
    return held && { token: held.token, number };
  };
  return {
    newest,
    put: async (token, after) => {
      const number = after + 1;
      if (
        await makePrivateFile(fileOf(number), JSON.stringify({ token, client: { pid, started, machine } }))
      ) {
        await rm(fileOf(after), { force: true });
      }
      // Another may have been there first, or be further already.
      return (await newest()) ?? { token, number };
    },
  };
}

async function forgetDead(folder: string): Promise<void> {
  for (const name of (await readdir(folder)).slice(0, maxLookedAt)) {
    const file = path.join(folder, name);
    const held = fileName.test(name) ? await readFileAt(file) : undefined;
    if (held === undefined) continue;
    const { mtimeMs } = await stat(file).catch(() => ({ mtimeMs: Date.now() }));
    if (!isRunning(held.client) || mtimeMs < Date.now() - keptForMs) await rm(file, { force: true });
  }
}

async function readFileAt(file: string): Promise<z.output<typeof fileSchema> | undefined> {
  try {
    const read = fileSchema.safeParse(JSON.parse((await readIfThere(file)) ?? ""));
    return read.success ? read.data : undefined;
  } catch {
    return undefined; // Another will be made.
  }
}
