/** The model of texts: made from labelled texts, kept in a file, taken from it. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir } from "node:fs/promises";
import path from "node:path";
import { pipeline } from "node:stream/promises";

import { z } from "zod";

import { features, textFeatures } from "../../detect/text/features.ts";
import type { TextModel } from "../../detect/text/text-model.ts";
import { trainText } from "../../detect/text/train-text.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { shippedModel } from "../shipped-models.ts";
import { labelledTexts } from "./labelled-texts.ts";
import { readModel, type TrainedOn, writeModel } from "./model-file.ts";

/** The one that is shipped. */
export const shippedTextModel = shippedModel("text");

/** Weights below 0 would let words talk a text out of suspicion. */
const schema = z.strictObject({
  bias: z.number().min(-20).max(20),
  weights: z.array(z.number().min(0).max(20)).length(features.length),
});

/** @throws Refusal `bad_config` */
export async function loadTextModel(file: string = shippedTextModel): Promise<TextModel> {
  const { model } = await readModel(file, { kind: "text", features: textFeatures });
  const read = schema.safeParse(model);
  if (read.success) return read.data;
  throw new Refusal("bad_config", `${file} holds no model of texts: ${z.prettifyError(read.error)}`);
}

/** Learns from the labelled texts of a folder. @throws Refusal `bad_config` */
export async function makeTextModel(
  folder: string,
  out: string,
): Promise<{ readonly texts: number; readonly injections: number; readonly sha256: string }> {
  const files = await textFiles(folder);
  const texts = (await Promise.all(files.map(labelledTexts))).flat();
  const injections = texts.filter(({ isInjection }) => isInjection).length;
  if (injections < leastTexts || texts.length - injections < leastTexts) {
    throw new Refusal(
      "bad_config",
      `${folder} has ${injections} injections and ${texts.length - injections} benign texts; a model needs ${leastTexts} of each at least.`,
    );
  }
  const trainedOn = await Promise.all(files.map(digestOf));
  const model = trainText(texts);
  const sha256 = await writeModel(out, { kind: "text", features: textFeatures, trainedOn, model });
  return { texts: texts.length, injections, sha256 };
}

const leastTexts = 50;

/** Of a folder, or of those for texts in one that has recordings of all sorts. */
async function textFiles(folder: string): Promise<readonly string[]> {
  const within = path.join(folder, "injection_text", "dev");
  for (const place of [within, folder]) {
    const names = await readdir(place).catch(() => []);
    const found = names.filter((name) => /\.jsonl(?:\.gz)?$/.test(name)).toSorted();
    if (found.length > 0) return found.map((name) => path.join(place, name));
  }
  throw new Refusal("bad_config", `${folder} has no files of texts: expected FILE.jsonl or FILE.jsonl.gz.`);
}

async function digestOf(file: string): Promise<TrainedOn> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(file), hash);
  return { name: path.basename(file), sha256: hash.digest("base64url") };
}
