/** CoSAI, authorization and delegation. */
import type { Control } from "../../control.ts";
import { lacking, must, rowsOf, should } from "./row.ts";

const row = rowsOf("Authorization and delegation");

export const authorization: readonly Control[] = [
  ...row("AD-tools", "Each call of a tool is decided", {
    2: should("Callers have lists of the tools that they may call.", {
      events: ["call"],
      tests: ["tool-without-rule"],
      against: ["observing"],
    }),
    3: must("Rules decide by caller, tool and arguments, before anything runs.", {
      events: ["call", "arguments"],
      tests: ["tool-without-rule"],
      against: ["observing"],
    }),
    4: must(
      "They decide each call anew, with its risk, and what looks compromised loses its rights by itself.",
      {
        events: ["call", "arguments", "risk", "auto-response"],
        tests: ["tool-without-rule", "revoked-identity"],
        against: ["observing"],
      },
    ),
  }),
  ...row("AD-scopes", "Scopes are small", {
    2: should("What a caller may is said for each server.", { events: ["call"], against: ["observing"] }),
    3: must("Tokens carry the least scopes, and more are asked for when they are needed.", {
      events: ["token"],
      tests: ["tool-without-rule", "foreign-token"],
    }),
    4: must(
      "Sensitive calls carry structured intent (RFC 9396).",
      lacking("authorization_details of RFC 9396 isn't read"),
    ),
  }),
  ...row("AD-depth", "Delegations are bounded", {
    2: should("There is a depth that no chain exceeds.", {
      events: ["delegated"],
      tests: ["wide-delegation"],
    }),
    3: must("Depth, time and audience are bounded.", {
      events: ["delegated", "chain"],
      tests: ["wide-delegation"],
    }),
    4: must("They are, over links that are bound to keys at every hop.", {
      events: ["delegated", "chain", "mutual"],
      tests: ["no-certificate", "wide-delegation"],
      against: ["bearer-token"],
    }),
  }),
  ...row("AD-binding", "Credentials are bound to their holder", {
    3: must("A credential is worth nothing without its key: mutual TLS or DPoP.", {
      events: ["mutual"],
      tests: ["no-certificate"],
      against: ["bearer-token"],
    }),
    4: must(
      "The keys of callers are attested by hardware.",
      lacking("the keys of callers aren't attested by hardware"),
    ),
  }),
  ...row("AD-narrowing", "Delegations only narrow", {
    2: should("Each hop may less than the one before.", {
      events: ["delegated"],
      tests: ["wide-delegation"],
    }),
    3: must("No hop may more than who delegated.", {
      events: ["delegated", "chain"],
      tests: ["wide-delegation"],
    }),
    4: must("Each narrowing is signed into the chain.", {
      events: ["delegated", "chain"],
      tests: ["wide-delegation"],
    }),
  }),
  ...row("AD-audience", "Tokens are for one audience", {
    2: should("A token for somebody else isn't taken.", { events: ["token"], tests: ["foreign-token"] }),
    3: must("Tokens name this server (RFC 8707).", { events: ["token"], tests: ["foreign-token"] }),
    4: must("They do everywhere, and the metadata of RFC 9728 says so.", {
      events: ["token"],
      tests: ["foreign-token"],
    }),
  }),
  ...row("AD-passthrough", "Tokens aren't passed on", {
    2: must("A caller's token is never sent to a server.", {
      events: ["outcome"],
      unproven: "a caller's token is never sent on; no test of a running gateway shows it",
    }),
    3: must("Servers get tokens of their own, by exchange (RFC 8693).", { events: ["grant"] }),
    4: must(
      "Those are bound to keys for every server.",
      lacking("tokens for servers aren't all bound to keys; that is up to their authorization servers"),
    ),
  }),
  ...row("AD-people", "People decide what can't be undone", {
    2: must("People confirm what destroys or changes.", { events: ["held", "approved"] }),
    3: must("Rules say in one place what people decide, and each question names its call.", {
      events: ["held", "approved"],
      against: ["observing"],
    }),
    4: must("More than one person approves what is worth much.", {
      events: ["held", "approved-by-two"],
      against: ["observing"],
    }),
  }),
];
