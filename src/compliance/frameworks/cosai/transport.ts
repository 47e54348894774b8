/** CoSAI, transport and network security. */
import type { Control } from "../../control.ts";
import { lacking, must, rowsOf, should } from "./row.ts";

const row = rowsOf("Transport and network");

export const transport: readonly Control[] = [
  ...row("TN-encryption", "Links are encrypted", {
    2: must("TLS on every remote link.", { events: ["mutual"], tests: ["plain-http", "tls-1.2"] }),
    3: must("TLS 1.3 with certificates of both ends, checked.", {
      events: ["mutual"],
      tests: ["plain-http", "tls-1.2", "no-certificate", "foreign-certificate"],
    }),
    4: must(
      "They are, under workload identities and trust anchors in hardware.",
      lacking("trust anchors aren't in hardware; a signer process may hold them apart"),
    ),
  }),
  ...row("TN-post-quantum", "Links outlast quantum computers", {
    3: should("Key exchange is hybrid with ML-KEM (addendum on post-quantum cryptography).", {
      events: ["hybrid"],
      tests: ["classical-only"],
      against: ["classical"],
    }),
  }),
  ...row("TN-binding", "Listeners have addresses of their own", {
    1: must("What anybody may reach without authentication is on loopback.", {
      events: ["started"],
      tests: ["own-address"],
    }),
    2: must("Nothing listens on all interfaces.", { events: ["started"], tests: ["own-address"] }),
    3: must("Networks are segmented between components.", {
      events: ["egress-opened"],
      tests: ["own-address"],
    }),
    4: must("What servers may reach is denied by default, allowed by name, and logged.", {
      events: ["egress-opened", "egress-denied"],
      tests: ["own-address"],
    }),
  }),
  ...row("TN-origin", "Other web pages are refused", {
    1: must("Origin and Host are checked.", { events: ["started"], tests: ["page-from-elsewhere"] }),
    2: must("They are, and changes are safe from forged requests.", {
      events: ["started"],
      tests: ["page-from-elsewhere", "page-without-login"],
    }),
    3: must("Nothing remote is answered without authentication.", {
      events: ["mutual"],
      tests: ["page-from-elsewhere", "page-without-login", "no-certificate"],
    }),
    4: must("Requests are signed as well.", {
      events: ["signed"],
      tests: ["page-from-elsewhere", "page-without-login", "no-certificate", "forged-signature"],
    }),
  }),
  ...row("TN-metadata", "Headers say what the message says", {
    2: must("MCP's headers and version are checked.", {
      events: ["outcome"],
      tests: ["header-mismatch", "old-version"],
    }),
    3: must("A header that contradicts its message is refused before anything is decided.", {
      events: ["outcome"],
      tests: ["header-mismatch", "old-version"],
    }),
    4: must("The gateway refuses them for all servers, and somebody is told.", {
      events: ["outcome"],
      tests: ["header-mismatch", "old-version", "outlet"],
    }),
  }),
  ...row("TN-limits", "Messages are bounded", {
    2: must("Size and depth are bounded.", {
      events: ["outcome"],
      tests: ["malformed-json", "deep-json", "long-request"],
    }),
    3: must("They are, and so is the rate of each caller.", {
      events: ["outcome", "limited"],
      tests: ["malformed-json", "deep-json", "long-request"],
    }),
    4: must(
      "Rates follow what is unusual, and costs of tenants are controlled.",
      lacking("there are no tenants whose costs could be controlled"),
    ),
  }),
  ...row("TN-messages", "Messages are whole", {
    2: should("What was asked has a digest.", { events: ["digests"] }),
    3: must("Whole messages are signed.", { events: ["signed"], tests: ["forged-signature"] }),
    4: must("Signatures count once, and for a time.", {
      events: ["signed", "answer-signed"],
      tests: ["forged-signature", "replayed-call"],
    }),
  }),
];
