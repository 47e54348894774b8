/** One message of the syslog protocol (RFC 5424), framed as streams have it (RFC 5425 §4.3, RFC 6587 §3.4.1). */
import { utf8 } from "../../kernel/bytes.ts";
import { type Severity, summaryOf } from "./summary.ts";
import type { Teller, Told } from "./told.ts";

/** RFC 5424 §6.2.1: "log audit". */
const facility = 13;
const severityOf: Readonly<Record<Severity, number>> = {
  informational: 6,
  low: 5,
  medium: 4,
  high: 3,
  critical: 2,
};

/** @param text of the event, in any format of one line */
export function syslogFrame(told: Told, teller: Teller, text: string): Uint8Array {
  const { severity } = summaryOf(told);
  const pri = facility * 8 + severityOf[severity];
  const time = new Date(told.atUnixMs).toISOString();
  const header = `<${pri}>1 ${time} ${name(teller.host, 255)} latticegate - ${name(told.event, 32)}`;
  const data = `[origin software="latticegate" swVersion="${parameter(teller.version)}"]`;
  const message = utf8(`${header} ${data} ${text}`);
  const length = utf8(`${message.length} `);
  const frame = new Uint8Array(length.length + message.length);
  frame.set(length);
  frame.set(message, length.length);
  return frame;
}

/** JSON in one line, also for those who take other signs than a newline for the end of one, or show it on a terminal. */
export function jsonLine(value: object): string {
  return JSON.stringify(value).replaceAll(
    unsafeInLines,
    (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** Controls that JSON leaves as they are, separators of lines, and what turns the direction of text. */
const unsafeInLines = /[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** Printable ASCII without blanks; `-` for nothing. */
function name(text: string, maxLength: number): string {
  return text.replaceAll(/[^!-~]/g, "_").slice(0, maxLength) || "-";
}

/** RFC 5424 §6.3.3 */
function parameter(text: string): string {
  return text.replaceAll(/["\\\]]/g, "\\$&");
}
