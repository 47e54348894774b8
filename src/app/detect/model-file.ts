/** Files of trained models (docs/formats/model.md): what they were made from, and a digest that says that they are the ones. */
import { readFile, writeFile } from "node:fs/promises";

import { z } from "zod";

import { sha256Base64url } from "../../crypto/hash.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { isSigned, openSigned } from "./signed-model.ts";

const modelKinds = ["calls", "flows", "text", "tools"] as const;
export type ModelKind = (typeof modelKinds)[number];

const schema = z.strictObject({
  v: z.literal(1),
  kind: z.enum(modelKinds),
  /** Of the features: a scorer with others refuses it. */
  features: z.string().min(1).max(64),
  trainedOn: z.array(z.strictObject({ name: z.string().max(256), sha256: z.string().length(43) })).max(64),
  /** SHA-256 of `model` as it is written, without white space, base64url. */
  sha256: z.string().length(43),
  model: z.unknown(),
});

export interface TrainedOn {
  readonly name: string;
  /** SHA-256 of the file, base64url. */
  readonly sha256: string;
}

export interface ModelFile {
  readonly features: string;
  readonly trainedOn: readonly TrainedOn[];
  readonly sha256: string;
  readonly model: unknown;
}

const maxModelBytes = 16 * 1024 * 1024;

interface Expected {
  readonly kind: ModelKind;
  readonly features: string;
  /** It has to be signed by one of these; by default it needn't be signed, and if it is, may be by anybody. */
  readonly publishers?: readonly string[] | undefined;
}

/** @throws Refusal `bad_config` if it is no model of this kind, of these features, as it was written and signed */
export async function readModel(file: string, { kind, features, publishers }: Expected): Promise<ModelFile> {
  const text = await readFile(file, "utf8").catch((error: unknown) => {
    throw new Refusal("bad_config", `The model ${file} can't be read.`, { cause: error });
  });
  if (text.length > maxModelBytes) throw new Refusal("bad_config", `The model ${file} is too big.`);
  const document = parsed(text);
  if (publishers !== undefined && !isSigned(document))
    throw new Refusal("bad_config", `The model ${file} isn't signed: \`latticegate detect sign\` does that.`);
  const read = schema.safeParse(isSigned(document) ? openSigned(file, text, publishers) : document);
  if (!read.success) throw new Refusal("bad_config", `${file} is no model: ${z.prettifyError(read.error)}`);
  const { data } = read;
  if (data.kind !== kind || data.features !== features)
    throw new Refusal(
      "bad_config",
      `${file} is a model of ${data.kind} with the features ${data.features}; this needs ${kind} with ${features}. Train it anew.`,
    );
  if (digestOf(data.model) !== data.sha256)
    throw new Refusal("bad_config", `${file} isn't what it was when it was trained: its digest differs.`);
  return data;
}

/** @returns its digest */
export async function writeModel(
  file: string,
  {
    kind,
    features,
    trainedOn,
    model,
  }: Omit<ModelFile, "sha256"> & { readonly kind: ModelKind; readonly model: unknown },
): Promise<string> {
  const sha256 = digestOf(model);
  await writeFile(file, `${JSON.stringify({ v: 1, kind, features, trainedOn, sha256, model })}\n`);
  return sha256;
}

function digestOf(model: unknown): string {
  return sha256Base64url(JSON.stringify(model));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
