/** The keys of whoever publishes rules or models: those of a gateway's config, or of a folder of their own (`--state`). */
import { configWithoutRules } from "../app/policy/known-config.ts";
import { sidecarState } from "../app/sidecar-state.ts";
import { type ConfigKeys, openConfigKeys } from "../app/signer/gateway-signer.ts";
import { openKeys } from "../app/state-folder.ts";
import { type CommandCall, configFile } from "./command.ts";

export async function publisherKeys(call: CommandCall): Promise<ConfigKeys> {
  const state = call.text("state");
  if (state === undefined) return await openConfigKeys(configWithoutRules(configFile(call)));
  return { keys: await openKeys(sidecarState(state), undefined), close: () => undefined };
}
