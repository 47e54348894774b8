/** The command line that starts this program. */
import path from "node:path";
import { fileURLToPath } from "node:url";

/** How this very program is started again, whatever folder the client stands in. */
export function thisCommand(): readonly [string, ...(readonly string[])] {
  const extension = path.extname(fileURLToPath(import.meta.url));
  return [process.execPath, fileURLToPath(new URL(`main${extension}`, import.meta.url))];
}
