/** The model of flows: made from recordings, kept in a file, taken from it. */
import { z } from "zod";

import { featureNames, featuresVersion } from "../../detect/flows/flow-features.ts";
import { type FlowModel, partNames, trainFlows } from "../../detect/flows/flow-model.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { shippedModel } from "../shipped-models.ts";
import { readModel, writeModel } from "./model-file.ts";
import { digestOfFile, flowFiles, recordedFlows } from "./recorded-flows.ts";

/** The one that is shipped. */
export const shippedFlowModel = shippedModel("flows");

const finite = z.number();
const tail = z.strictObject({
  n: z.int().positive(),
  ranks: z.array(z.int().min(0)).min(1).max(1024),
  values: z.array(finite).min(1).max(1024),
  middle: finite,
  lowScale: finite.positive(),
  highScale: finite.positive(),
});
const spread = z.strictObject({ middle: finite, deviation: finite.positive() });
const schema = z.strictObject({
  flows: z.int().positive(),
  usual: z.strictObject({
    delays: z.record(z.string().max(8), spread),
    otherDelay: spread,
    request: spread,
  }),
  features: z.array(tail).length(featureNames.length),
  masses: z.array(z.array(z.int().min(0)).max(4096)).max(256),
  parts: z.array(tail).length(partNames.length),
  fused: tail,
});

/** @throws Refusal `bad_config` */
export async function loadFlowModel(file: string = shippedFlowModel): Promise<FlowModel> {
  const { model } = await readModel(file, { kind: "flows", features: featuresVersion });
  const read = schema.safeParse(model);
  if (read.success) return read.data;
  throw new Refusal("bad_config", `${file} holds no model of flows: ${z.prettifyError(read.error)}`);
}

/** Learns from what is benign among the flows of a folder. @throws Refusal `bad_config` */
export async function makeFlowModel(
  folder: string,
  out: string,
): Promise<{ readonly flows: number; readonly leftOut: number; readonly sha256: string }> {
  const files = await flowFiles(folder);
  const benign = [];
  let leftOut = 0;
  for (const file of files) {
    for await (const { label, summary } of recordedFlows(file)) {
      if (label === "benign") benign.push(summary);
      else leftOut++;
    }
  }
  if (benign.length < leastFlows) {
    throw new Refusal(
      "bad_config",
      `${folder} has ${benign.length} benign flows; a model needs ${leastFlows} at least.`,
    );
  }
  const trainedOn = await Promise.all(files.map(digestOfFile));
  const model = trainFlows(benign);
  const sha256 = await writeModel(out, { kind: "flows", features: featuresVersion, trainedOn, model });
  return { flows: benign.length, leftOut, sha256 };
}

/** Fewer can't say what one in a hundred is. */
const leastFlows = 100;
