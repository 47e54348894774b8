/** `latticegate signer`: the process that holds the root and log keys, from its folder to a socket and back. */
import { readIfThere } from "../../host/store/files.ts";
import { readSecretSource, type SecretSource } from "../../host/store/secret-source.ts";
import { serveSigner } from "../../host/signer/signer-socket.ts";
import { takeWriterLock } from "../../host/store/writer-lock.ts";
import { isTrustDomain } from "../../identity/spiffe-id.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { openSignerKeys, signerPaths } from "./signer-folder.ts";
import { openVault } from "./vault.ts";

export interface SignerProcessOptions {
  readonly state: string;
  readonly socket: string;
  readonly forGroup: boolean;
  readonly unlock: SecretSource | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

/** @throws Refusal that says what keeps it from starting; nothing is left open then */
export async function startSigner(
  options: SignerProcessOptions,
): Promise<{ readonly stop: () => Promise<void> }> {
  const { state, clock, log } = options;
  const paths = signerPaths(state);
  const trustDomain = (await readIfThere(paths.trustDomain))?.trim();
  if (trustDomain === undefined || !isTrustDomain(trustDomain)) {
    throw new Refusal("bad_state", `${state} is no signer's folder; make it with "latticegate signer init".`);
  }
  await using opening = new AsyncDisposableStack();
  opening.defer(
    takeWriterLock(paths.lock, (pid) => `Process ${pid} is this folder's signer; stop that one first.`),
  );
  const keys = await openSignerKeys(state, options.unlock);
  const answer = await openVault({ keys, memoryFile: paths.memory, trustDomain, clock, log });
  const secret = await readSecretSource({ file: paths.secret }, "Gateways can't be told from others");
  const serving = await serveSigner({
    path: options.socket,
    forGroup: options.forGroup,
    secret,
    answer,
    log,
  });
  opening.defer(serving.close);
  const opened = opening.move();
  return { stop: () => opened.disposeAsync() };
}
