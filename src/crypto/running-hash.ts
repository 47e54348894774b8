/** SHA-256 of what comes in pieces. */
import { createHash } from "node:crypto";

import type { RunningDigest } from "./subject-keys.ts";

export function runningSha256(): RunningDigest {
  const running = createHash("sha256");
  return { update: (bytes) => void running.update(bytes), end: () => running.digest("base64url") };
}
