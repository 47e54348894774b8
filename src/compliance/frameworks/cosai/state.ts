/** CoSAI, state and discovery. */
import type { Control } from "../../control.ts";
import { lacking, must, rowsOf, should } from "./row.ts";

const row = rowsOf("State and discovery");

export const state: readonly Control[] = [
  ...row("SD-handles", "Handles are somebody's", {
    2: must("No session id proves anybody; each request does.", {
      events: ["mutual", "session"],
      tests: ["invented-session", "no-certificate"],
    }),
    3: must("Handles belong to one caller, end, can be revoked, and are logged.", {
      events: ["mutual", "session"],
      tests: ["invented-session", "no-certificate", "revoked-identity"],
    }),
    4: must("They are judged anew, and end by themselves when something is wrong.", {
      events: ["mutual", "session", "auto-response"],
      tests: ["invented-session", "no-certificate", "revoked-identity"],
    }),
  }),
  ...row("SD-discovery", "Discovery is open to checks", {
    2: should("`server/discover` and the metadata of RFC 9728.", {
      events: ["token"],
      tests: ["foreign-token"],
    }),
    3: must("Both, and scopes can be raised step by step.", { events: ["token"], tests: ["foreign-token"] }),
    4: must("With OIDC Discovery, under one set of rules.", { events: ["token"], tests: ["foreign-token"] }),
  }),
  ...row("SD-elicitation", "Servers' questions aren't trusted", {
    2: should("What servers ask of clients is for rules to allow.", { events: ["request-denied"] }),
    3: must("It leads to no privileged call unless a rule says so.", {
      events: ["request-denied"],
      lacks: "what a person answers to a server isn't told apart from other answers",
    }),
    4: must("What comes of it is checked like any input.", lacking("answers to servers aren't inspected")),
  }),
  ...row("SD-deprecated", "Old features go", {
    2: should("Nothing new rests on roots, sampling or protocol logging.", { events: ["request-denied"] }),
    3: must(
      "They are replaced.",
      lacking("roots, sampling and logging are let through unless a rule denies them"),
    ),
    4: must("What still uses them is known, and ends.", lacking("who still uses them isn't listed")),
  }),
  ...row("SD-refresh", "Refresh tokens are kept", {
    3: must("They are rotated, sealed, and prove nothing at a server.", {
      events: ["grant"],
      tests: ["sealed-keys"],
    }),
    4: must("They are revoked within a time that was agreed.", lacking("no such time is promised")),
  }),
];
