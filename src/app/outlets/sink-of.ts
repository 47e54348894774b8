/** The sink that an outlet's config asks for, with its secrets read. */
import { readFileSync } from "node:fs";
import path from "node:path";

import { hostAndPort } from "../../host/net/listen.ts";
import { isSecureUrl } from "../../host/oauth/bounded-fetch.ts";
import type { OutletTls } from "../../host/outlets/outlet-tls.ts";
import { postSink } from "../../host/outlets/post-sink.ts";
import type { Sink } from "../../host/outlets/sink.ts";
import { syslogSink } from "../../host/outlets/syslog-sink.ts";
import { fromBase64, utf8 } from "../../kernel/bytes.ts";
import type { Clock } from "../../kernel/clock.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { cefLine } from "../../respond/events/cef.ts";
import { chatMessage } from "../../respond/events/chat.ts";
import { ocsfEvent } from "../../respond/events/ocsf.ts";
import { otlpLogs } from "../../respond/events/otlp.ts";
import { plainEvent } from "../../respond/events/plain.ts";
import { jsonFormat, type LineFormat } from "../../respond/events/shortened.ts";
import type { Teller, Told } from "../../respond/events/told.ts";
import type { OutletConfig } from "../config/outlets.ts";
import { secretFrom } from "../secret-source.ts";

export interface SinkParts {
  readonly name: string;
  /** Relative paths count from here. */
  readonly folder: string;
  readonly teller: Teller;
  readonly clock: Clock;
}

const recordsPerRequest = 200;

/** @throws Refusal `bad_config` for files and secrets that aren't there */
export function sinkOf(outlet: OutletConfig, parts: SinkParts): Sink {
  const { teller, clock } = parts;
  const secure = tlsOf(outlet, parts);
  if (outlet.type === "syslog") {
    const { plain, danger_plain: isDangerous, danger_unproven_end: unprovenEnd, address, format } = outlet;
    const { max_message: maxMessageBytes } = outlet;
    return syslogSink({
      ...hostAndPort(address),
      ...(!plain && !isDangerous && { tls: secure }),
      unprovenEnd,
      teller,
      format: lineFormats[format],
      maxMessageBytes,
    });
  }
  const url = urlOf(outlet.url, parts);
  if (outlet.type === "slack") {
    const body = one((told) => chatMessage(told, teller));
    return postSink({ url, tls: secure, headers: {}, body, perRequest: 1, clock });
  }
  const headers = headersOf(outlet.headers, parts);
  if (outlet.type === "otlp") {
    const body = (events: readonly Told[]): object => otlpLogs(events, teller, clock.nowUnixMs());
    return postSink({ url, tls: secure, headers, body, perRequest: recordsPerRequest, clock });
  }
  const secret =
    outlet.secret && signingKey(secretFrom(outlet.secret, at(parts, "secret"), parts.folder), parts);
  const event = outlet.format === "ocsf" ? ocsfEvent : plainEvent;
  const body = one((told) => event(told, teller));
  return postSink({ url, tls: secure, headers, ...(secret && { secret }), body, perRequest: 1, clock });
}

const lineFormats = {
  ocsf: jsonFormat(ocsfEvent),
  json: jsonFormat(plainEvent),
  cef: cefLine,
} as const satisfies Record<string, LineFormat>;

function one(body: (told: Told) => object): (events: readonly Told[]) => object {
  return ([told]) => (told === undefined ? {} : body(told));
}

function at({ name }: SinkParts, key: string): string {
  return `outlets.${name}.${key}`;
}

function tlsOf({ ca, certificate, key }: OutletConfig, parts: SinkParts): OutletTls {
  const read = (file: string | undefined, what: string): string | undefined => {
    if (file === undefined) return undefined;
    try {
      return readFileSync(path.resolve(parts.folder, file), "utf8");
    } catch (cause) {
      throw new Refusal("bad_config", `${at(parts, what)}: ${file} can't be read.`, { cause });
    }
  };
  const [authorities, own, secret] = [read(ca, "ca"), read(certificate, "certificate"), read(key, "key")];
  return {
    ...(authorities !== undefined && { ca: authorities }),
    ...(own !== undefined && { certificate: own }),
    ...(secret !== undefined && { key: secret }),
  };
}

type Given = Exclude<OutletConfig, { readonly type: "syslog" }>["url"];

function urlOf(given: Given, parts: SinkParts): string {
  if (typeof given === "string") return given;
  const url = secretFrom(given, at(parts, "url"), parts.folder);
  if (isSecureUrl(url)) return url;
  throw new Refusal("bad_config", `${at(parts, "url")}: expected an https URL, or http on localhost.`);
}

function headersOf(
  given: Readonly<Record<string, Given>>,
  parts: SinkParts,
): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(given).map(([name, value]) => [
      name,
      typeof value === "string" ? value : secretFrom(value, at(parts, `headers.${name}`), parts.folder),
    ]),
  );
}

/** Fewer could be guessed. */
const minSecretBytes = 16;

/** As Standard Webhooks writes them, or any text. */
function signingKey(secret: string, parts: SinkParts): Uint8Array {
  const key = secret.startsWith("whsec_") ? fromBase64(secret.slice("whsec_".length)) : utf8(secret);
  if (key !== undefined && key.length >= minSecretBytes) return key;
  throw new Refusal("bad_config", `${at(parts, "secret")}: expected at least ${minSecretBytes} bytes.`);
}
