/** `latticegate config check | docs` */
import { readFile, writeFile } from "node:fs/promises";

import { loadConfig } from "../app/config.ts";
import { configDocsText, configJsonSchema } from "../app/config-docs.ts";
import { captureNotes } from "../app/capture/open-capture.ts";
import { apiNotes } from "../app/openapi/api-upstream-of.ts";
import { gateNotes } from "../app/server-gate.ts";
import { placeText } from "../app/config/policies.ts";
import { type Command, configFile, configOption } from "./command.ts";

export const configCheck = {
  options: configOption,
  run: (call) => {
    const file = configFile(call);
    const config = loadConfig(file);
    const { policyBundle } = config;
    const policies = policyBundle ? `a bundle from ${placeText(policyBundle.place)}` : config.policies.length;
    call.out(`${file} is right.`);
    call.out(
      `In force: every link TLS 1.3 with ${config.profile.groups.map((group) => group.id).join(" or ")}, identities ${config.profile.identity.id}; servers: ${Object.keys(config.servers).length}; policies: ${policies}, default-deny.`,
    );
    for (const note of apiNotes(config)) call.out(`API:      ${note}`);
    for (const note of gateNotes(config)) call.out(`Gate:     ${note}`);
    for (const [, note] of captureNotes(config)) call.out(`Capture:  ${note}`);
    for (const part of config.notYet) call.out(`Not yet:  ${part.at}: ${part.because}.`);
    return Promise.resolve(0);
  },
} as const satisfies Command;

const generated = [
  { file: new URL("../../docs/config.md", import.meta.url), text: configDocsText },
  { file: new URL("../../docs/config.schema.json", import.meta.url), text: configJsonSchema },
];

export const configDocs = {
  options: { check: { type: "boolean", help: "Write nothing; fail if what stands there is out of date." } },
  run: async (call) => {
    for (const { file, text } of generated) {
      if (!call.flag("check")) await writeFile(file, text());
      else if ((await readFile(file, "utf8").catch(() => "")) !== text()) {
        call.out(`${file.pathname} is out of date; run "latticegate config docs".`);
        return 1;
      }
    }
    return 0;
  },
} as const satisfies Command;
