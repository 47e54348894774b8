/** CoSAI, integrity of tool definitions, inputs and outputs. */
import type { Control } from "../../control.ts";
import { lacking, must, rowsOf, should } from "./row.ts";

const row = rowsOf("Tools, inputs and outputs");

const noCache = "the gateway keeps no answers for anybody; no entry and no test shows that";
const schemas = "arguments aren't refused by the tool's schema: what isn't declared there is a finding";

export const definitions: readonly Control[] = [
  ...row("TI-definitions", "Definitions of tools stay what they are", {
    2: should("They are pinned, and a change is told.", { events: ["call"], tests: ["tools-pinned"] }),
    3: must("A changed one isn't called before somebody approved it.", {
      events: ["tool-blocked", "tool-approved"],
      tests: ["tools-pinned"],
    }),
    4: must("They are signed, unsigned ones aren't called, and changes can be taken back.", {
      events: ["tool-blocked", "manifest", "tool-back"],
      tests: ["tools-pinned"],
    }),
  }),
  ...row("TI-schemas", "Arguments fit their schema", {
    2: must("What a schema doesn't declare is refused.", lacking(schemas)),
    3: must("Schemas are read within bounds, and refer to nothing outside.", lacking(schemas)),
    4: must("They are signed, and what widens them is reviewed.", lacking(schemas)),
  }),
  ...row("TI-inputs", "Inputs are checked", {
    2: must("Paths don't lead out of their folder.", {
      events: ["found"],
      lacks: "paths are a finding; what a path may be is for rules, and for the server, to say",
    }),
    3: must("Paths, URLs and commands are checked, undeclared fields refused.", lacking(schemas)),
    4: must("Rules of each tool say what may be in its inputs, looked at in depth.", {
      events: ["arguments", "found"],
      tests: ["tool-without-rule"],
      against: ["observing"],
    }),
  }),
  ...row("TI-outputs", "Outputs are looked at", {
    2: must("What servers answer is looked at before a model reads it.", { events: ["answer-found"] }),
    3: must("It is classified, and control characters and hidden text are told.", {
      events: ["answer-found", "risk"],
      lacks: "hidden text in answers is a finding, and only rules that redact take it out",
    }),
    4: must("Rules decide what one server's output may do to another.", {
      events: ["answer-found", "redacted"],
      against: ["observing"],
    }),
  }),
  ...row("TI-caches", "Caches are apart", {
    2: should("`cacheScope` is honoured.", { events: ["outcome"], unproven: noCache }),
    3: must("No answer is kept for another caller; changed lists are pinned anew.", {
      events: ["outcome"],
      tests: ["tools-pinned"],
      unproven: noCache,
    }),
    4: must(
      "Rules about caches are in one place.",
      lacking("the gateway caches no answers, and says nothing of the clients' caches"),
    ),
  }),
  ...row("TI-ssrf", "Servers aren't turned against the network", {
    2: must("Targets are https, paths stay in their folder.", {
      events: ["found"],
      lacks: "URLs among arguments are a finding; what they may be is for rules to say",
    }),
    3: must("Loopback, link-local and metadata addresses aren't reached.", { events: ["egress-denied"] }),
    4: must("All goes through a proxy that knows where to.", { events: ["egress-opened", "egress-denied"] }),
  }),
];
