/** What the doctor says of the signer: whether it answers, and whether the keys are with it alone. */
import type { Config } from "../config.ts";
import type { Finding } from "../doctor.ts";
import { statePaths } from "../state-folder.ts";
import { signerHealth } from "./gateway-signer.ts";
import { signerKeysIn } from "./init-signer.ts";

/** Nothing, if the config has none. */
export async function signerFindings(config: Config): Promise<readonly Finding[]> {
  const health = await signerHealth(config);
  if (health.kind === "none") return [];
  return [health.kind === "answers" ? answering(health) : away(health), await keysOf(config)];
}

function answering(health: Extract<Awaited<ReturnType<typeof signerHealth>>, { kind: "answers" }>): Finding {
  const { keys, log } = health.status;
  const newest = log === undefined ? "no head signed yet" : `last head signed: ${log.size} entries`;
  return { level: "ok", what: "signer", text: `${health.socket}, ${keys.length} keys, ${newest}` };
}

function away(health: Extract<Awaited<ReturnType<typeof signerHealth>>, { kind: "away" }>): Finding {
  return {
    level: "wrong",
    what: "signer",
    text: `${health.socket}: ${health.why}; calls go on, heads of the log fall behind, no certificates are given out`,
    remedy: 'start it with "latticegate signer", and see docs/guide/signer.md for who may connect',
  };
}

async function keysOf(config: Config): Promise<Finding> {
  const { keys } = statePaths(config.state);
  const left = (await signerKeysIn(keys)).map(({ name }) => name);
  return left.length === 0
    ? { level: "ok", what: "keys", text: "no root or log key lies in the gateway's folder" }
    : {
        level: "wrong",
        what: "keys",
        text: `${keys} still holds ${left.join(", ")}`,
        remedy: 'stop the gateway and run "latticegate signer init"',
      };
}
