/**
 * One line on stderr that says that long work goes on, rewritten in place: on terminals only, and gone before anything
 * else is printed. A command says what it is at with `call.doing`; whichever does has the line.
 */

/** Commands that may take longer than a person waits without asking, and what they do before they say more. */
export const longWork: Readonly<Record<string, string>> = {
  "audit verify": "Verifying the log",
  "audit export": "Reading the log",
  "audit query": "Reading the log",
  "audit renew": "Hashing the log anew",
  "audit witness": "Asking for the log's head",
  assess: "Testing",
  "bench handshake": "Measuring",
  "ca backup": "Sealing the backup",
  "ca drill": "Rehearsing on a copy",
  "ca restore": "Opening the backup",
  doctor: "Examining",
  "kill drill": "Stopping and opening",
  "playbooks try": "Replaying the log",
  "policy diff": "Replaying the log",
  "policy suggest": "Reading what was captured",
  "policy report": "Reading what was captured",
  scan: "Looking around",
  "tools sign": "Listing the server's tools",
};

/** Of them, those that compute without a pause, so that no timer runs meanwhile: what they do is shown at once. */
export const computing: Readonly<Record<string, string>> = {
  "audit verify-bundle": "Verifying the bundle",
  "detect train calls": "Training",
  "detect train flows": "Training",
  "detect train text": "Training",
  "detect calibrate": "Calibrating",
  "detect eval calls": "Evaluating",
  "detect eval flows": "Evaluating",
  "detect eval text": "Evaluating",
  "detect eval tools": "Evaluating",
  "detect mutate text": "Changing and judging",
  "detect mutate calls": "Changing and judging",
};

/** What is over in less needs no line. */
const firstAfterMs = 1000;
/** A line that changes faster can't be read. */
const leastBetweenMs = 100;
const eraseLine = "\r\u001b[2K";

export interface Progress {
  /** Says what goes on now, such as "Verifying the log: entry 51200 of 100000". */
  readonly doing: (what: string) => void;
  readonly clear: () => void;
  readonly end: () => void;
}

interface Terminal {
  readonly stream: Pick<NodeJS.WriteStream, "isTTY" | "write" | "columns">;
  readonly nowMs: () => number;
}

const stderr: Terminal = { stream: process.stderr, nowMs: () => performance.now() };

/** @param isQuiet whether nothing is to be shown whatever stderr is, as with --json */
export function progress(command: string, isQuiet: boolean, { stream, nowMs }: Terminal = stderr): Progress {
  if (isQuiet || !stream.isTTY) return { doing: noop, clear: noop, end: noop };
  let what = longWork[command] ?? computing[command];
  let isShown = false;
  const startedMs = nowMs();
  let writtenMs = -Infinity;
  const write = (): void => {
    if (what === undefined) return;
    writtenMs = nowMs();
    const seconds = Math.floor((writtenMs - startedMs) / 1000);
    const line = `${what} …${seconds === 0 ? "" : ` ${seconds} s`}`;
    // A line that is broken can't be taken back.
    stream.write(`${eraseLine}${line.slice(0, (stream.columns || 80) - 1)}`);
    isShown = true;
  };
  const clear = (): void => {
    if (isShown) stream.write(eraseLine);
    isShown = false;
  };
  const isComputing = Object.hasOwn(computing, command);
  if (isComputing) write();
  const timer = setInterval(write, firstAfterMs).unref();
  return {
    doing: (now) => {
      what = now;
      const isDue = nowMs() - startedMs >= firstAfterMs && nowMs() - writtenMs >= leastBetweenMs;
      if (isComputing || isDue) write();
    },
    clear,
    end: () => {
      clearInterval(timer);
      clear();
    },
  };
}

function noop(): void {
  // Nobody looks.
}
