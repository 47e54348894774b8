/** The call model's file: written with the digests of what it was learned from, read with its shape checked. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { access } from "node:fs/promises";
import path from "node:path";
import { pipeline } from "node:stream/promises";

import { callFeaturesVersion, type CallModel, parseCallModel } from "../../../detect/calls/watch.ts";
import { Refusal } from "../../../kernel/refusal.ts";
import { readModel, type TrainedOn, writeModel } from "../model-file.ts";

/** @throws Refusal `bad_config` if it can't be read or is none */
export async function readCallModel(
  file: string,
  publishers?: readonly string[],
): Promise<CallModel & { readonly trainedOn: readonly TrainedOn[]; readonly sha256: string }> {
  const expected = { kind: "calls", features: callFeaturesVersion, publishers } as const;
  const { model, trainedOn, sha256 } = await readModel(file, expected);
  try {
    return { ...parseCallModel(model), trainedOn, sha256 };
  } catch (cause) {
    throw new Refusal("bad_config", `${file} is no call model of this version. Train it anew.`, { cause });
  }
}

/** @returns its digest */
export async function writeCallModel(
  file: string,
  model: CallModel,
  trainedOn: readonly TrainedOn[],
): Promise<string> {
  const { cold, known, coldAsked, knownAsked } = model;
  return writeModel(file, {
    kind: "calls",
    features: callFeaturesVersion,
    trainedOn,
    model: { cold, known, coldAsked, knownAsked },
  });
}

export async function digestsOf(folder: string, files: readonly string[]): Promise<readonly TrainedOn[]> {
  return Promise.all(
    files.map(async (file) => {
      const hash = createHash("sha256");
      await pipeline(createReadStream(file), hash);
      return { name: path.relative(folder, file), sha256: hash.digest("base64url") };
    }),
  );
}

/** Where recorded sessions stand in a data folder. */
const sources = ["agentdojo", "livemcp", "tau"] as const;

/** The files of recorded sessions in a folder with a folder for each source. @throws Refusal `bad_config` if there are none */
export async function filesIn(
  folder: string,
): Promise<{ readonly sessions: readonly string[]; readonly outputs: readonly string[] }> {
  const there: string[] = [];
  for (const source of sources) {
    const at = path.join(folder, source, "dev");
    const isThere = await access(path.join(at, "sessions.jsonl.gz")).then(
      () => true,
      () => false,
    );
    if (isThere) there.push(at);
  }
  if (there.length === 0)
    throw new Refusal(
      "bad_config",
      `${folder} has no recorded sessions: expected ${sources.map((source) => `${source}/dev/sessions.jsonl.gz`).join(", ")}.`,
    );
  return {
    sessions: there.map((at) => path.join(at, "sessions.jsonl.gz")),
    outputs: there.map((at) => path.join(at, "outputs.jsonl.gz")),
  };
}
