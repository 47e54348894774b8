/** What `doctor` says of message signatures: this gateway's own keys, and pins that a person has to look at. */
import { z } from "zod";

import { readJsonIfThere, writePrivateFile } from "../../host/store/files.ts";
import type { Finding } from "../doctor.ts";
import { statePaths } from "../state-folder.ts";
import type { MessageKeys } from "./message-keys.ts";
import { listPins } from "./pin-operations.ts";
import { writeKeySet } from "../../integrity/key-set.ts";

const fileSchema = z.object({ fingerprint: z.string() });

/** For whoever asks without the keys. */
export async function publishMessageKeys(state: string, { keySet }: MessageKeys): Promise<void> {
  const shown = { fingerprint: keySet.fingerprint, keys: writeKeySet(keySet) };
  await writePrivateFile(statePaths(state).messageKeys, `${JSON.stringify(shown)}\n`);
}

export async function signatureFindings(state: string): Promise<readonly Finding[]> {
  const what = "message keys";
  const file = fileSchema.safeParse(await readJsonIfThere(statePaths(state).messageKeys));
  if (!file.success) return [];
  const { pins } = listPins(state);
  const unapproved = pins.filter(({ state: pinned }) => pinned === "first-use").length;
  const text = `fingerprint ${file.data.fingerprint}; ${pins.length} ends pinned, ${unapproved} of them on first use`;
  return [
    { level: "ok", what, text },
    ...pins.flatMap(({ name, fingerprint, state: pinned, because = "", refused }): readonly Finding[] => {
      if (pinned === "cut") {
        const remedy = `find out who signed what; then "latticegate pins approve ${name} ${fingerprint}"`;
        return [{ level: "wrong", what, text: `${name} is cut off: ${because}`, remedy }];
      }
      if (refused === undefined) return [];
      const remedy = `if its keys were changed on purpose, "latticegate pins approve ${name} ${refused}"`;
      return [
        { level: "warn", what, text: `${name} shows other keys than those pinned: ${refused}`, remedy },
      ];
    }),
  ];
}
