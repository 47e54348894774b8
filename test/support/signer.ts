/** A signer beside a gateway, both in this process, and somebody else who speaks on its socket. */
import { mkdir, readFile } from "node:fs/promises";
import net from "node:net";
import path from "node:path";

import { parseConfig } from "../../src/app/config.ts";
import { initSigner } from "../../src/app/signer/init-signer.ts";
import { signerPaths } from "../../src/app/signer/signer-folder.ts";
import { startSigner } from "../../src/app/signer/start-signer.ts";
import { frame, framesOf } from "../../src/host/signer/frames.ts";
import { proofOf, protocolVersion } from "../../src/host/signer/messages.ts";
import { openSigner, type Signer } from "../../src/host/signer/signer-client.ts";
import { systemClock, systemLog } from "../../src/host/system.ts";
import type { Clock } from "../../src/kernel/clock.ts";
import { fromBase64url, toBase64url, utf8 } from "../../src/kernel/bytes.ts";
import { atEnd, type Cleanup } from "./cleanup.ts";
import { quicklyUnlocked, temporaryFolder } from "./gateway.ts";

export interface SignerScene {
  readonly folder: string;
  /** The signer's own folder. */
  readonly state: string;
  readonly socket: string;
  /** What a gateway's config needs to find it. */
  readonly yaml: string;
  /** What the signer logged, as JSON lines. */
  readonly log: readonly string[];
  readonly secret: () => Promise<Uint8Array>;
  /** Makes the signer's folder, moving what the gateway's has. @returns what was moved */
  readonly init: () => Promise<readonly string[]>;
  readonly start: (options?: { readonly clock?: Clock }) => Promise<{ readonly stop: () => Promise<void> }>;
  /** As a gateway asks it. */
  readonly client: (options?: { readonly secret?: string; readonly patienceMs?: number }) => Promise<Signer>;
}

export async function signerScene(t: Cleanup): Promise<SignerScene> {
  const folder = await temporaryFolder(t);
  const [state, socket] = [path.join(folder, "signer"), path.join(folder, "run", "s")];
  await mkdir(path.dirname(socket), { mode: 0o700 });
  await quicklyUnlocked(state);
  const lines: string[] = [];
  const log = systemLog({ level: "debug", form: "json", write: (line) => void lines.push(line) });
  const config = parseConfig("state: ./state\n", path.join(folder, "latticegate.yaml"));
  const secret = async (): Promise<Uint8Array> =>
    utf8((await readFile(signerPaths(state).secret, "utf8")).trim());
  return {
    folder,
    state,
    socket,
    yaml: "signer: { socket: ./run/s }\n",
    log: lines,
    secret,
    init: () => initSigner(config, { state, unlock: undefined }),
    start: async ({ clock = systemClock } = {}) => {
      const running = await startSigner({ state, socket, forGroup: false, unlock: undefined, clock, log });
      let stopping: Promise<void> | undefined;
      const stop = (): Promise<void> => (stopping ??= running.stop());
      atEnd(t, stop);
      return { stop };
    },
    client: async (options = {}) => {
      const { patienceMs = 5000 } = options;
      const known = options.secret === undefined ? await secret() : utf8(options.secret);
      const client = openSigner({ path: socket, secret: known, log, patienceMs });
      atEnd(t, client.close);
      return client;
    },
  };
}

/** What a peer is told, as JSON, until the signer closes the link. */
export interface RawPeer {
  readonly link: net.Socket;
  readonly said: readonly unknown[];
  readonly closed: () => boolean;
  readonly send: (message: object) => void;
}

export function rawPeer(t: Cleanup, socket: string): RawPeer {
  const link = net.connect(socket).on("error", () => undefined);
  atEnd(t, () => link.destroy());
  const said: unknown[] = [];
  let isClosed = false;
  const read = async (): Promise<void> => {
    for await (const message of framesOf(link)) said.push(message);
  };
  void read()
    .catch(() => undefined)
    .finally(() => (isClosed = true));
  return { link, said, closed: () => isClosed, send: (message) => void link.write(frame(message)) };
}

/** The answer to a signer's greeting, by who has `secret`. */
export function provenBy(secret: Uint8Array, greeting: unknown): object {
  const gateway = new Uint8Array(32).fill(7);
  const signer = fromBase64url((greeting as { nonce: string }).nonce) ?? new Uint8Array(0);
  const proof = toBase64url(proofOf("gateway", secret, { signer, gateway }));
  return { v: protocolVersion, nonce: toBase64url(gateway), proof };
}
