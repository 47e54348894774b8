/** SOC 2: criteria of the trust services about access, boundaries, transfer, monitoring, incidents and change. */
import { control, type Framework } from "../control.ts";

export const soc2 = {
  name: "soc2",
  title: "SOC 2, trust services criteria",
  source:
    "https://www.aicpa-cima.com/resources/download/2017-trust-services-criteria-with-revised-points-of-focus-2022",
  note: "Evidence that these controls ran here. Whether they ran all through a period is for the auditor to say.",
  controls: [
    control("CC6.1", "Logical access", "Who may reach what is limited, by identity.", {
      events: ["call", "mutual"],
      tests: ["no-certificate", "foreign-certificate", "tool-without-rule", "unknown-server", "sealed-keys"],
      against: ["observing"],
    }),
    control("CC6.2", "Registration", "Whoever gets access is registered first, and loses it when it ends.", {
      events: ["issued"],
      tests: ["join-token-twice", "revoked-identity"],
    }),
    control("CC6.3", "Least privilege", "Access follows roles, and changes are recorded.", {
      events: ["call", "world"],
      tests: ["tool-without-rule"],
      against: ["observing"],
    }),
    control("CC6.6", "Boundaries", "What comes from outside meets a boundary that refuses it.", {
      events: ["mutual"],
      tests: [
        "plain-http",
        "tls-1.2",
        "no-certificate",
        "page-without-login",
        "page-from-elsewhere",
        "own-address",
      ],
    }),
    control("CC6.7", "Transfer", "What is transferred is protected on its way.", {
      events: ["mutual", "hybrid"],
      tests: ["plain-http", "tls-1.2", "classical-only"],
      against: ["classical"],
    }),
    control("CC7.1", "Changes that weaken", "Changes that open a weakness are found.", {
      events: ["profile"],
      tests: ["tools-pinned"],
    }),
    control("CC7.2", "Monitoring", "What is unusual is found.", {
      events: ["call", "risk"],
      tests: ["tampered-log"],
      against: ["log-incident"],
    }),
    control("CC7.3", "Evaluation", "What is found is judged: is it an incident?", { events: ["incident"] }),
    control("CC7.4", "Response", "Incidents are answered, and come to an end.", {
      events: ["incident", "response", "incident-closed"],
    }),
    control("CC8.1", "Change management", "Changes of rules and algorithms are authorized and recorded.", {
      events: ["policy-bundle", "profile"],
    }),
  ],
} as const satisfies Framework;
