/** The gateway's end of a signer process: opened from the config, and asked how it is. */
import { readSecretSource } from "../../host/store/secret-source.ts";
import type { KeyFolder } from "../../host/store/key-folder.ts";
import { openSigner, type Signer } from "../../host/signer/signer-client.ts";
import type { SignerStatus } from "../../host/signer/messages.ts";
import type { Log } from "../../kernel/log.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { Config } from "../config.ts";
import { openKeys, statePaths } from "../state-folder.ts";

/** A command says what is wrong by its refusal. */
const quiet: Log = { error: () => {}, warn: () => {}, info: () => {}, debug: () => {} };

/** Undefined if the config has no signer. @throws Refusal `bad_state` without the secret they share */
async function signerOf(
  config: Config,
  options: { readonly log: Log; readonly patienceMs?: number },
): Promise<Signer | undefined> {
  if (config.signer === undefined) return undefined;
  const { socket, secret: source = { file: statePaths(config.state).signerSecret } } = config.signer;
  const secret = await readSecretSource(source, "The signer can't be proven");
  return openSigner({ path: socket, secret, ...options });
}

/** Keys of a gateway: its own folder's, and its signer's if the config names one. */
export interface ConfigKeys {
  readonly keys: KeyFolder;
  readonly close: () => void;
}

/**
 * The one way to a gateway's keys, for the gateway itself and for commands beside it: with a signer no root or log
 * key is opened, let alone made, in the gateway's folder.
 */
export async function openConfigKeys(config: Config, log: Log = quiet): Promise<ConfigKeys> {
  const signer = await signerOf(config, { log });
  try {
    const keys = await openKeys(config.state, config.unlock, signer);
    return { keys, close: () => signer?.close() };
  } catch (error) {
    signer?.close();
    throw error;
  }
}

export type SignerHealth =
  | { readonly kind: "none" }
  | { readonly kind: "answers"; readonly socket: string; readonly status: SignerStatus }
  | { readonly kind: "away"; readonly socket: string; readonly why: string };

/** What a person waits for a command's answer. */
const patienceMs = 2000;

/** Asks the signer, as a command that looks at the gateway from beside it. */
export async function signerHealth(config: Config): Promise<SignerHealth> {
  if (config.signer === undefined) return { kind: "none" };
  const { socket } = config.signer;
  let signer: Signer | undefined;
  try {
    signer = await signerOf(config, { log: quiet, patienceMs });
    if (signer === undefined) return { kind: "none" };
    return { kind: "answers", socket, status: await signer.status() };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const why = error.code === "signer_unavailable" ? "nobody answers there" : error.message;
    return { kind: "away", socket, why };
  } finally {
    signer?.close();
  }
}
