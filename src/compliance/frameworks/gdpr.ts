/** GDPR, articles 25, 30 and 32. */
import { control, type Framework } from "../control.ts";

export const gdpr = {
  name: "gdpr",
  title: "GDPR, articles 25, 30 and 32",
  source: "https://eur-lex.europa.eu/eli/reg/2016/679/oj",
  note: "What the gateway itself does with personal data. What the servers do is theirs to show.",
  controls: [
    control("GDPR-25.1", "By design", "Data are few and pseudonymous, and can be taken out of the log.", {
      events: ["call", "pseudonyms"],
    }),
    control(
      "GDPR-25.2",
      "By default",
      "Nothing is kept of what was asked but its digest, unless somebody says so.",
      {
        events: ["digests"],
        tests: ["retention-bounded"],
      },
    ),
    control("GDPR-30", "Records of processing", "Who used which tool on whose behalf can be told.", {
      events: ["call", "outcome"],
      lacks: "purposes, categories and recipients are the controller's to write down",
    }),
    control(
      "GDPR-32.1a",
      "Pseudonyms and encryption",
      "People have pseudonyms, links and keys are encrypted.",
      {
        events: ["pseudonyms", "mutual"],
        tests: ["plain-http", "tls-1.2", "sealed-keys"],
      },
    ),
    control(
      "GDPR-32.1b",
      "Confidential, whole, resilient",
      "Only who may gets in, and changes are found out.",
      {
        events: ["mutual", "call"],
        tests: ["no-certificate", "tool-without-rule", "tampered-log"],
        against: ["observing", "log-incident"],
      },
    ),
    control("GDPR-32.1c", "Restored in time", "What is lost comes back from a backup.", {
      events: ["backup"],
    }),
    control("GDPR-32.1d", "Tested", "That all this works is tested again and again.", {
      events: ["call"],
      tests: ["no-certificate", "tool-without-rule", "revoked-identity", "tampered-log"],
    }),
  ],
} as const satisfies Framework;
