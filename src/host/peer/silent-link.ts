/** A link whose other end is gone without a word: what is written to it is no sign of life, as a socket's own timeout has it. */
import type net from "node:net";

/** Ends `link` once nothing came in for that long. */
export function endIfSilent(link: net.Socket, silenceMs: number): void {
  let isHeard = false;
  const look = (): void => {
    if (!isHeard) link.destroy();
  };
  const timer = setTimeout(() => {
    isHeard = false;
    // A process that didn't get to run reads first what came meanwhile.
    setImmediate(look);
  }, silenceMs).unref();
  link.on("data", () => {
    isHeard = true;
    timer.refresh();
  });
  link.once("close", () => clearTimeout(timer));
}
