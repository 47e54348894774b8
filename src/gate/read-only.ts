/** Which tools only read: as the config says, or who approved them; never because their server says so. */
import { isLabelledReadOnly } from "./tools.ts";
import type { World } from "./world.ts";

export function isReadOnly(
  { server, tool, atUnixMs }: { readonly server: string; readonly tool: string; readonly atUnixMs: number },
  world: World,
): boolean {
  const isConfigured = world.signatures.get(server)?.isReadOnly(tool) === true;
  return isConfigured || isLabelledReadOnly(world, server, tool, atUnixMs);
}
