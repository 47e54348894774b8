/**
 * The relay's streams alone, as a process: no identities, no rendezvous. Each line on stdin is answered by one on stdout:
 * `offer N` by the tokens of N streams, `memory` by what it holds after garbage is collected, in bytes.
 */
import { createInterface } from "node:readline";

import { relayPort } from "../src/host/peer/relay-port.ts";
import { openSplices } from "../src/host/peer/splices.ts";
import { systemClock, systemLog } from "../src/host/system.ts";

export interface OfferedTokens {
  readonly caller: string;
  readonly peer: string;
}

const unlimited = {
  streams: 100_000,
  streamsEach: 100_000,
  bytesPerSecond: 1e12,
  idleMs: 3_600_000,
} as const;
const splices = openSplices({
  limits: unlimited,
  clock: systemClock,
  log: systemLog({ level: "error" }),
});
const port = relayPort({ onTls: (socket) => socket.destroy(), onSplice: splices.take });
port.listen(0, "127.0.0.1", () => {
  const address = port.address();
  say(typeof address === "object" ? address?.port : undefined);
});

createInterface({ input: process.stdin })
  .on("line", (line) => {
    const [order = "", count = "0"] = line.split(" ");
    if (order === "offer")
      say(
        Array.from({ length: Number(count) }, () => splices.offer({ caller: "a", peer: "b", server: "c" })),
      );
    else {
      globalThis.gc?.();
      say(process.memoryUsage.rss());
    }
  })
  .on("close", () => process.exit());

function say(what: unknown): void {
  process.stdout.write(`${JSON.stringify(what)}\n`);
}
