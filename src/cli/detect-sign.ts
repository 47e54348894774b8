/** `latticegate detect sign` */
import { callFeaturesVersion } from "../detect/calls/features.ts";
import { readModel } from "../app/detect/model-file.ts";
import { signModel } from "../app/detect/signed-model.ts";
import { Refusal } from "../kernel/refusal.ts";
import { type Command, configOption } from "./command.ts";
import { publisherKeys } from "./publisher-keys.ts";

export const detectSign = {
  options: {
    ...configOption,
    state: {
      type: "string",
      value: "FOLDER",
      help: "Where the publisher's keys are kept, made at the first time, on a machine that has no gateway; by default the config's state folder.",
    },
  },
  run: async (call) => {
    const [file, ...more] = call.positionals;
    if (file === undefined || more.length > 0) throw new Refusal("bad_config", "Name one file of a model.");
    const { features, trainedOn, sha256, model } = await readModel(file, {
      kind: "calls",
      features: callFeaturesVersion,
    });
    const { keys, close } = await publisherKeys(call);
    try {
      const signedBy = await signModel(
        file,
        { v: 1, kind: "calls", features, trainedOn, sha256, model },
        keys,
      );
      call.out(`signed the model ${sha256}: ${file}`);
      call.out("In the config of gateways that are to take it:");
      call.out(`detect: { model: { file: ${JSON.stringify(file)}, publishers: [${signedBy}] } }`);
      return 0;
    } finally {
      close();
    }
  },
} as const satisfies Command;
