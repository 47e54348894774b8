/** Where the models stand that come with the program. */
import { fileURLToPath } from "node:url";

export function shippedModel(name: string): string {
  return fileURLToPath(new URL(`../../models/${name}.json`, import.meta.url));
}
