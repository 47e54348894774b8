/** The machine's clock, and its log on stderr: JSON lines, or readable ones on a terminal. */
import type { Clock } from "../kernel/clock.ts";
import type { Log, LogFields } from "../kernel/log.ts";

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
      write(
        form === "json" ? jsonLine(time, lineLevel, event, fields) : textLine(time, lineLevel, event, fields),
      );
    };
  return { debug: line("debug"), info: line("info"), warn: line("warn"), error: line("error") };
}

function jsonLine(time: string, level: LogLevel, event: string, fields: LogFields): string {
  return `${JSON.stringify({ event, time, level, ...fields })}\n`;
}

function textLine(time: string, level: LogLevel, event: string, fields: LogFields): string {
  const rest = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${typeof value === "string" ? JSON.stringify(value) : String(value)}`);
  return `${time.slice(11, 19)} ${level.padEnd(5)} ${event} ${rest.join(" ")}\n`;
}
