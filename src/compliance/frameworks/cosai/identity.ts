/** CoSAI, identity and authentication. */
import type { Control } from "../../control.ts";
import { lacking, must, rowsOf, should } from "./row.ts";

const row = rowsOf("Identity and authentication");

export const identity: readonly Control[] = [
  ...row("IA-authentication", "Clients are authenticated", {
    2: must("Every remote client proves who it is, by mutual TLS or by an access token (OAuth 2.1).", {
      events: ["mutual"],
      tests: ["no-certificate", "foreign-certificate"],
    }),
    3: must("They do so with credentials that are short-lived, and end when they are revoked.", {
      events: ["mutual", "issued", "short-lived"],
      tests: ["no-certificate", "foreign-certificate", "revoked-identity"],
    }),
    4: must("An authority of the enterprise says who may, and ends it.", {
      events: ["mutual", "issued", "short-lived", "revoked"],
      tests: ["no-certificate", "foreign-certificate", "join-token-twice", "revoked-identity"],
    }),
  }),
  ...row("IA-issuer", "Credentials count from one issuer only", {
    2: must("Whoever issued a credential is checked: the root above a certificate, the issuer of a token.", {
      events: ["mutual"],
      tests: ["foreign-certificate"],
    }),
    3: must(
      "Answers of authorization servers name their issuer (RFC 9207), which is bound to what was asked.",
      {
        events: ["grant"],
        tests: ["foreign-certificate"],
      },
    ),
    4: must(
      "Issuers are bound in one place, and one that moves raises an alert.",
      lacking("an issuer that moves is refused, without an alert of its own"),
    ),
  }),
  ...row("IA-workload", "Agents have identities of their own", {
    2: should("Each agent is known by a name of its own.", { events: ["issued", "call"] }),
    3: must(
      "Each has a workload identity that is tied to a version of its code.",
      lacking("a SPIFFE ID says which workload calls, not which version of its code"),
    ),
    4: must(
      "It is attested that the workload runs as it was declared.",
      lacking("no hardware or platform attests what a workload runs; SPIRE may, outside of this gateway"),
    ),
  }),
  ...row("IA-users", "Users are named behind agents", {
    2: should("Who acts for a user says so to whoever decides.", { events: ["chain"] }),
    3: must("Agent and user stand apart in what is decided and recorded.", {
      events: ["chain", "delegated"],
    }),
    4: must("The whole chain of who acts for whom is kept.", { events: ["chain", "delegated"] }),
  }),
  ...row("IA-storage", "Credentials at rest are kept", {
    2: must("Keys are sealed at rest, for their owner alone.", {
      events: ["issued"],
      tests: ["sealed-keys"],
    }),
    3: must("They are, and are replaced on a schedule.", { events: ["renewed"], tests: ["sealed-keys"] }),
    4: must("Long-lived keys are in hardware or with an isolated process.", {
      events: ["issued"],
      tests: ["sealed-keys", "signer"],
    }),
  }),
  ...row("IA-lifetime", "Credentials end soon", {
    2: should("Their lifetime is bounded.", { events: ["short-lived"] }),
    3: must("Minutes to hours, and renewed before they end.", { events: ["short-lived", "renewed"] }),
    4: must("Minutes, by the risk of the task, and bound to a key.", {
      events: ["short-lived"],
      against: ["bearer-token"],
      lacks: "certificates last an hour, whatever the task",
    }),
  }),
];
