/** The page that verifies bundles and receipts in a browser, as the package brings it. */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

import { sha256Hex } from "../crypto/hash.ts";
import { Refusal } from "../kernel/refusal.ts";

const file = fileURLToPath(new URL("../../web/dist/verify.html", import.meta.url));

/** @throws Refusal `bad_state` if the page wasn't built */
export async function offlineVerifier(): Promise<{ readonly bytes: Uint8Array; readonly sha256: string }> {
  try {
    const bytes = await readFile(file);
    return { bytes, sha256: sha256Hex(bytes) };
  } catch (cause) {
    throw new Refusal("bad_state", `${file} isn't there; \`npm run build -w web\` makes it.`, { cause });
  }
}
