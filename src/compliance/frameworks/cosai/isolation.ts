/** CoSAI, isolation and sandboxing. Most of it is where servers run, which a gateway sees little of. */
import type { Control } from "../../control.ts";
import { lacking, must, rowsOf, should } from "./row.ts";

const row = rowsOf("Isolation and sandboxing");

export const isolation: readonly Control[] = [
  ...row("IS-execution", "Servers are confined", {
    2: must("Servers run in sandboxes or containers with bounded resources.", {
      events: ["egress-opened"],
      lacks:
        "servers that the gateway starts run without a sandbox; those of `expose --sandbox` have one, whose evidence is in the log of that end",
    }),
    3: must(
      "They share no kernel across trust boundaries (gVisor, Kata Containers).",
      lacking("a sandbox here is Linux namespaces, not a kernel of its own"),
    ),
    4: must("Tenants are isolated and attested.", lacking("no trusted execution environment is asked for")),
  }),
  ...row("IS-data", "Data are apart", {
    2: must(
      "Each user's data are apart.",
      lacking("data are with the servers, whose storage no gateway sees"),
    ),
    3: must(
      "Each tenant's data are apart, and encrypted.",
      lacking("data are with the servers, whose storage no gateway sees"),
    ),
    4: must(
      "Each tenant has keys of its own.",
      lacking("data are with the servers, whose storage no gateway sees"),
    ),
  }),
  ...row("IS-context", "Contexts are apart", {
    2: should("What one user's workflow keeps isn't another's.", { events: ["session"] }),
    3: must("State that goes from call to call belongs to one caller.", {
      events: ["session"],
      tests: ["invented-session"],
    }),
    4: must(
      "Tenants share no context, and what is shared is redacted.",
      lacking("callers are told apart, tenants aren't"),
    ),
  }),
  ...row("IS-rollback", "Changes can be undone", {
    3: should("An update of a server can be taken back.", { events: ["tool-back"] }),
    4: must("Updates come in stages.", lacking("changed tools are approved for everybody at once")),
  }),
];
