/**
 * The log port: an event name and its fields. Never payloads, keys or tokens.
 * `error`: a person must act. `warn`: degraded. `info`: life cycle and verdicts. `debug`: the rest.
 */
export interface Log {
  readonly error: LogLine;
  readonly warn: LogLine;
  readonly info: LogLine;
  readonly debug: LogLine;
}

type LogLine = (event: string, fields?: LogFields) => void;

export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;
