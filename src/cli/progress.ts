/** One line on stderr that says that long work goes on; on terminals only, and gone before anything else is printed. */

/** The commands that may take longer than a person waits without asking. */
export const longWork: Readonly<Record<string, string>> = {
  "audit verify": "Verifying the log",
  "audit export": "Reading the log",
  "audit verify-bundle": "Verifying the bundle",
  "audit renew": "Hashing the log anew",
  "detect train calls": "Training",
  "detect train flows": "Training",
  "detect train text": "Training",
  "detect calibrate": "Calibrating",
  "detect eval calls": "Evaluating",
  "detect eval flows": "Evaluating",
  "detect eval text": "Evaluating",
  "detect eval tools": "Evaluating",
  "playbooks try": "Replaying the log",
  "policy diff": "Replaying the log",
  "policy suggest": "Reading what was captured",
  "policy report": "Reading what was captured",
};

const everyMs = 1000;
const eraseLine = "\r\u001b[2K";

export interface Progress {
  readonly clear: () => void;
  readonly end: () => void;
}

/** Nothing is shown in the first second. */
export function progress(command: string, stream: NodeJS.WriteStream = process.stderr): Progress {
  const what = longWork[command];
  if (what === undefined || !stream.isTTY) return { clear: () => undefined, end: () => undefined };
  let seconds = 0;
  let isShown = false;
  const timer = setInterval(() => {
    seconds += everyMs / 1000;
    stream.write(`${eraseLine}${what} … ${seconds} s`);
    isShown = true;
  }, everyMs).unref();
  const clear = (): void => {
    if (isShown) stream.write(eraseLine);
    isShown = false;
  };
  return {
    clear,
    end: () => {
      clearInterval(timer);
      clear();
    },
  };
}
