/** CoSAI, logging and observability. */
import type { Control } from "../../control.ts";
import { must, rowsOf, should } from "./row.ts";

const row = rowsOf("Logging and observability");

export const logging: readonly Control[] = [
  ...row("LO-actions", "What is done is recorded", {
    2: must("Each call with caller, tool, decision and outcome, and no payload.", {
      events: ["call", "outcome"],
    }),
    3: must("Refusals and faults as well, and what was asked as a digest only.", {
      events: ["call", "outcome", "digests", "world"],
      tests: ["tool-without-rule", "malformed-json"],
    }),
    4: must("The log can't be changed without being found out.", {
      events: ["call", "outcome"],
      tests: ["tampered-log"],
      against: ["log-incident"],
    }),
  }),
  ...row("LO-chains", "Delegations are recorded", {
    2: should("What belongs together has one id.", { events: ["call", "outcome"] }),
    3: must("The whole chain of a call can be told.", { events: ["chain", "delegated"] }),
    4: must("With the rules that were in force, and how each was proven.", {
      events: ["chain", "delegated", "world", "mutual"],
    }),
  }),
  ...row("LO-traces", "Calls can be traced", {
    2: should("Ids go on from client to server.", { events: ["call"], tests: ["traces"] }),
    3: must("W3C Trace Context stands in `_meta`, and goes on.", { events: ["call"], tests: ["traces"] }),
    4: must("Traces, identities and rules can be put together.", {
      events: ["call", "world"],
      tests: ["traces", "outlet"],
    }),
  }),
  ...row("LO-schema", "Events have a known form", {
    2: should("OCSF or CEF.", { events: ["call"], tests: ["agentic-fields"] }),
    3: must("With fields for delegation, attestation, correlation, method and name.", {
      events: ["call"],
      tests: ["agentic-fields"],
    }),
    4: must("They do, in a SIEM.", { events: ["call"], tests: ["agentic-fields", "outlet"] }),
  }),
  ...row("LO-monitoring", "Somebody watches", {
    2: should("Logs come together.", { events: ["call"], tests: ["outlet"] }),
    3: must("A SIEM is told, and unusual behaviour of agents is found.", {
      events: ["risk"],
      tests: ["outlet"],
    }),
    4: must("What is found is contained by itself, and all can be stopped.", {
      events: ["risk", "incident", "auto-response", "kill-drilled"],
      tests: ["outlet"],
    }),
  }),
];
