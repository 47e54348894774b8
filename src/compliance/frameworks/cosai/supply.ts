/** CoSAI, supply chain and lifecycle. */
import type { Control } from "../../control.ts";
import { lacking, must, rowsOf, should } from "./row.ts";

const row = rowsOf("Supply chain and lifecycle");

const packages = "the packages of servers aren't checked: no signatures, no SBOM";

export const supply: readonly Control[] = [
  ...row("SL-provenance", "Servers come from where they should", {
    2: should("Where tools come from is checked.", { events: ["manifest"] }),
    3: must("Servers are signed and have an SBOM.", lacking(packages)),
    4: must("Nothing else runs.", lacking(packages)),
  }),
  ...row("SL-inventory", "Servers are known", {
    2: should("There is a list of servers, with owners.", {
      events: ["call"],
      tests: ["inventory", "owners"],
    }),
    3: must("It is in one place, with version, owner and purpose.", {
      events: ["call"],
      tests: ["inventory", "owners"],
    }),
    4: must("Servers that nobody registered are found, and told.", {
      events: ["call"],
      tests: ["inventory", "owners", "outlet"],
    }),
  }),
  ...row("SL-extensions", "Extensions are known", {
    2: should(
      "There is a list of the extensions that may be used.",
      lacking("extensions aren't inventoried"),
    ),
    3: must("It has versions and maintainers.", lacking("extensions aren't inventoried")),
    4: must("Others are blocked.", lacking("an extension that is offered isn't blocked for being unknown")),
  }),
  ...row("SL-updates", "Updates are managed", {
    2: should("Which definition of a tool is used is known.", { events: ["call"], tests: ["tools-pinned"] }),
    3: must("Dependencies are pinned and scanned.", lacking(packages)),
    4: must("Known weaknesses force an update.", lacking(packages)),
  }),
  ...row("SL-ends", "Servers are taken away whole", {
    2: should(
      "It is written how a server is removed.",
      lacking("how servers are removed here is for people to write down"),
    ),
    3: must("Its credentials are revoked with it.", { events: ["revoked"], tests: ["revoked-identity"] }),
    4: must(
      "That happens by itself, with all that was delegated.",
      lacking("what isn't used any more is told, and taken away by people"),
    ),
  }),
];
