/** The machine's clock, and its log on stderr: JSON lines, or readable ones on a terminal. */
import type { Clock } from "../kernel/clock.ts";
import type { Log, LogFields } from "../kernel/log.ts";
import { coloured, type Style } from "./colour.ts";

export const systemClock: Clock = { nowUnixMs: () => Date.now() };

const levels = ["debug", "info", "warn", "error"] as const;
type LogLevel = (typeof levels)[number];

export interface LogOptions {
  readonly level: LogLevel;
  readonly clock: Clock;
  readonly write: (line: string) => void;
  readonly form: "json" | "text";
}

/** @param options by default `info` and above on stderr, text if that is a terminal */
export function systemLog(options: Partial<LogOptions> = {}): Log {
  const { level = "info", clock = systemClock, form = process.stderr.isTTY ? "text" : "json" } = options;
  const write = options.write ?? ((line: string) => void process.stderr.write(line));
  const line =
    (lineLevel: LogLevel) =>
    (event: string, fields: LogFields = {}): void => {
      if (levels.indexOf(lineLevel) < levels.indexOf(level)) return;
      const time = new Date(clock.nowUnixMs()).toISOString();
      if (form === "json") return write(jsonLine(time, lineLevel, event, fields));
      const word = lineLevel.padEnd(5);
      const shownLevel = options.write ? word : coloured(levelStyles[lineLevel], word, process.stderr);
      write(textLine(time, shownLevel, event, fields));
    };
  return { debug: line("debug"), info: line("info"), warn: line("warn"), error: line("error") };
}

function jsonLine(time: string, level: LogLevel, event: string, fields: LogFields): string {
  return `${JSON.stringify({ event, time, level, ...fields })}\n`;
}

const levelStyles: Readonly<Record<LogLevel, Style>> = {
  debug: "aside",
  info: "good",
  warn: "waits",
  error: "bad",
};

function textLine(time: string, level: string, event: string, fields: LogFields): string {
  const rest = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${typeof value === "string" ? JSON.stringify(value) : String(value)}`);
  return `${time.slice(11, 19)} ${level} ${event} ${rest.join(" ")}\n`;
}
