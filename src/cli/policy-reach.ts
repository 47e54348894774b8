/** `latticegate policy reach` */
import { reachInConfig } from "../app/policy/reach-of-config.ts";
import { systemClock } from "../host/system.ts";
import { Refusal } from "../kernel/refusal.ts";
import { type GraphForm, graphForms, graphOf } from "../policy/reach/graph.ts";
import { type Command, type CommandCall, configFile, configOption } from "./command.ts";
import { policyExplain } from "./policy-explain.ts";
import { reachLines } from "./reach-text.ts";
import { jsonText } from "./tools-text.ts";

const { link, address, at } = policyExplain.options;

export const policyReach = {
  options: {
    ...configOption,
    link: { ...link, help: "TLS group of its link; any by default." },
    address: { ...address, help: "Where it comes from; anywhere by default." },
    at: { ...at, help: "When, e.g. 2026-06-03T22:30:00Z; any time by default." },
    graph: { type: "string", value: "FORM", help: "Print the graph: mermaid, or dot (Graphviz)." },
    json: { type: "boolean", help: "Print it for programs." },
  },
  run: (call) => {
    const [caller, ...more] = call.positionals;
    if (caller === undefined || more.length > 0)
      throw new Refusal("bad_config", "Name one caller: a SPIFFE ID, or oauth:ISSUER/client/CLIENT.");
    const form = formIn(call);
    const reach = reachInConfig(configFile(call), caller, { ...narrowing(call), clock: systemClock });
    if (call.flag("json")) call.out(jsonText(reach));
    else for (const line of form === undefined ? reachLines(reach) : graphOf(reach, form)) call.out(line);
    return Promise.resolve(0);
  },
} as const satisfies Command;

/** @throws Refusal `bad_config` */
function formIn(call: CommandCall): GraphForm | undefined {
  const given = call.text("graph");
  if (given === undefined) return undefined;
  const form = graphForms.find((each) => each === given);
  if (form === undefined || call.flag("json"))
    throw new Refusal("bad_config", `--graph takes ${graphForms.join(" or ")}, and stands without --json.`);
  return form;
}

function narrowing(call: CommandCall): Readonly<Partial<Record<"link" | "address" | "at", string>>> {
  return Object.fromEntries(
    (["link", "address", "at"] as const).flatMap((option) => {
      const text = call.text(option);
      return text === undefined ? [] : [[option, text] as const];
    }),
  );
}
