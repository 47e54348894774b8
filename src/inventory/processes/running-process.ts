/** Processes and listening ports of a machine, as its operating system tells them. */

export interface RunningProcess {
  readonly pid: number;
  readonly parent: number;
  /** Program and arguments; where the system tells one line alone, as far as it can be taken apart. Never shown as it is. */
  readonly command: readonly string[];
  readonly user?: string;
  /** What its standard input is; absent where that isn't told. */
  readonly stdin?: "pipe" | "other";
}

export interface Listener {
  /** As the system writes it: `127.0.0.1`, `::`. */
  readonly host: string;
  readonly port: number;
  readonly pid?: number;
}
