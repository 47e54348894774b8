/** The call model that comes with the program. */
import { callFeaturesVersion, type CallModel, parseCallModel } from "../../detect/calls/watch.ts";
import { shippedModel } from "../shipped-models.ts";
import { readModel } from "./model-file.ts";

/** @throws Refusal `bad_config` if it isn't what it was */
export async function shippedCallModel(): Promise<CallModel> {
  const { model } = await readModel(shippedModel("calls"), "calls", callFeaturesVersion);
  return parseCallModel(model);
}
