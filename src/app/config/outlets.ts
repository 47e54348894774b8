/** `outlets` in the config: who is told outside of the audit log, what, and how. */
import { z } from "zod";

import { eventGroups, usualGroups } from "../../respond/events/event-groups.ts";
import { isLoopbackHost } from "../../host/net/loopback.ts";
import { hostAndPort } from "../../host/net/listen.ts";
import { address, secretSource, secureUrl, sizeBytes } from "./values.ts";

const outletName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9_-]{0,31}$/, "expected a name of lower-case letters, digits, '_' and '-'");

const common = {
  from: z
    .enum(["now", "start"])
    .default("now")
    .describe("Where a new outlet begins: at what happens from now on, or at the start of the log."),
  callers: z
    .enum(["names", "pseudonyms"])
    .default("names")
    .describe(
      "How callers and users are called: by name, or by the pseudonym they have in the log, which an erasure reaches there too.",
    ),
};

const picked = (usual: readonly (typeof eventGroups)[number][]) =>
  z
    .array(z.enum(eventGroups))
    .min(1)
    .default([...usual])
    .describe("Which events are told; `decisions` and `outcomes` come with every call.");

const format = z
  .enum(["ocsf", "cef", "json"])
  .default("ocsf")
  .describe("OCSF 1.5, CEF, or flat JSON of our own.");

const tlsFields = {
  ca: z
    .string()
    .min(1)
    .optional()
    .describe("File with the authorities its certificate may be of, PEM; by default those of the system."),
  certificate: z.string().min(1).optional().describe("File with the client certificate it asks for, PEM."),
  key: z.string().min(1).optional().describe("File with the client certificate's private key, PEM."),
};

const url = z
  .union([secureUrl, secretSource])
  .describe(
    "Where it is posted to; https, or http on localhost. One that is a secret stands in a file or an environment variable.",
  );

const headers = z
  .record(
    z.string().regex(/^[A-Za-z][A-Za-z0-9-]{0,63}$/, "expected the name of a header"),
    z.union([
      z
        .string()
        .max(1024)
        .regex(/^[ -~]*$/, "expected printable ASCII"),
      secretSource,
    ]),
  )
  .default({})
  .describe("Headers that go with each request; secret ones stand in a file or an environment variable.");

const leastMessage = 8192;
const mostMessage = 65_536;

const syslog = z
  .strictObject({
    type: z.literal("syslog").describe("Syslog (RFC 5424), over TLS."),
    address: address.describe("The receiver, `host:port`; 6514 is usual for TLS."),
    format,
    ...tlsFields,
    max_message: sizeBytes
      .refine((bytes) => bytes >= leastMessage && bytes <= mostMessage, 'expected "8KiB" to "64KiB"')
      .prefault("8KiB")
      .describe(
        "Longest message, 8KiB (what rsyslog takes by default) to 64KiB; long texts in events are cut to fit, with a mark and a digest.",
      ),
    danger_plain: z
      .boolean()
      .default(false)
      .describe("Send it to other machines over TCP without TLS: anybody on the way may read and change it."),
    danger_unproven_end: z
      .boolean()
      .default(false)
      .describe(
        "Take events for read when the receiver ends the TCP connection without a close_notify of TLS, as rsyslog does with its gtls driver: anybody on the way can forge that.",
      ),
    plain: z.boolean().default(false).describe("Send it over TCP without TLS to a receiver on this machine."),
    events: picked(usualGroups),
    ...common,
  })
  .refine(
    ({ plain, danger_plain: isAsked, address: at }) =>
      !plain || isAsked || isLoopbackHost(hostAndPort(at).host),
    "plain: only on loopback; elsewhere danger_plain says that anybody on the way may read it",
  );

const webhook = z.strictObject({
  type: z.literal("webhook").describe("JSON by POST, one event each, signed as Standard Webhooks has it."),
  url,
  format: z.enum(["ocsf", "json"]).default("ocsf").describe("OCSF 1.5, or flat JSON of our own."),
  secret: secretSource
    .optional()
    .describe(
      "The secret it is signed with, at least 16 characters, or `whsec_` and base64; unsigned without.",
    ),
  headers,
  ...tlsFields,
  events: picked(usualGroups),
  ...common,
});

const chat = z.strictObject({
  type: z.literal("slack").describe("A chat's incoming webhook, Slack's or one that takes the same."),
  url,
  ...tlsFields,
  events: picked(["incidents", "responses"]),
  ...common,
});

const otlp = z.strictObject({
  type: z.literal("otlp").describe("OpenTelemetry logs, OTLP over HTTP, JSON."),
  url,
  headers,
  ...tlsFields,
  events: picked(usualGroups),
  ...common,
});

/** More would be a mistake: each reads the log on its own. */
const maxOutlets = 16;

export const outletsSchema = z
  .record(outletName, z.union([syslog, webhook, chat, otlp]))
  .refine((all) => Object.keys(all).length <= maxOutlets, `expected at most ${maxOutlets} outlets`)
  .refine(
    (all) =>
      Object.values(all).every((outlet) => (outlet.certificate === undefined) === (outlet.key === undefined)),
    "a client certificate and its key go together",
  )
  .default({})
  .describe(
    "Who is told outside of the audit log: SIEMs, webhooks, chats, collectors. Each event at least once, in order.",
  );

export type OutletConfig = z.output<typeof outletsSchema>[string];
