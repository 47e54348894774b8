/** A workload's own proof, which gets it an identity without a join token: where it stands, read anew each time. */
import { open } from "node:fs/promises";

import { parseBundle } from "../crypto/outside-path.ts";
import type { WorkloadProof } from "../host/net/enrol-client.ts";
import { type Anchor, readAnchor } from "../identity/anchor.ts";
import { Refusal } from "../kernel/refusal.ts";

export interface Bootstrap {
  /** As `latticegate ca anchor` prints it. */
  readonly anchor: Anchor;
  /** Files; whoever rotates them replaces their content. */
  readonly proof:
    | { readonly kind: "token"; readonly file: string }
    | { readonly kind: "svid"; readonly certificateFile: string; readonly keyFile: string };
}

/** More than any token, chain or key has. */
const maxFileBytes = 64 * 1024;

/**
 * What was named on the command line or in the environment; undefined if nothing was.
 * @throws Refusal `bad_config` for halves, and for two proofs at once
 */
export function bootstrapOf(given: {
  readonly gateway?: string | undefined;
  readonly tokenFile?: string | undefined;
  readonly svid?: string | undefined;
  readonly svidKey?: string | undefined;
}): Bootstrap | undefined {
  const { gateway, tokenFile, svid, svidKey } = given;
  const isProof = tokenFile !== undefined || svid !== undefined || svidKey !== undefined;
  if (gateway === undefined && !isProof) return undefined;
  if (gateway === undefined) {
    throw new Refusal(
      "bad_config",
      'Say with --gateway whom the proof is for; "latticegate ca anchor" prints it.',
    );
  }
  const anchor = readAnchor(gateway);
  if (tokenFile !== undefined && svid === undefined && svidKey === undefined) {
    return { anchor, proof: { kind: "token", file: tokenFile } };
  }
  if (tokenFile === undefined && svid !== undefined && svidKey !== undefined) {
    return { anchor, proof: { kind: "svid", certificateFile: svid, keyFile: svidKey } };
  }
  throw new Refusal(
    "bad_config",
    "Expected one proof beside --gateway: --token-file, or --svid with --svid-key.",
  );
}

/** @throws Refusal `bad_config` if it isn't there or isn't what it should be */
export async function readProof({ proof }: Bootstrap): Promise<WorkloadProof> {
  if (proof.kind === "token") {
    const token = (await textOf(proof.file)).trim();
    if (!/^[\w-]+\.[\w-]+\.[\w-]+$/.test(token))
      throw new Refusal("bad_config", `${proof.file} holds no JWT.`);
    return { kind: "token", token };
  }
  const chain = parseBundle(await textOf(proof.certificateFile));
  if (chain === undefined)
    throw new Refusal("bad_config", `${proof.certificateFile} holds no certificates (PEM).`);
  return { kind: "svid", chain: chain.map(({ raw }) => raw), key: await textOf(proof.keyFile) };
}

async function textOf(file: string): Promise<string> {
  try {
    await using handle = await open(file);
    const { bytesRead, buffer } = await handle.read({ buffer: Buffer.alloc(maxFileBytes) });
    if (bytesRead < maxFileBytes) return buffer.toString("utf8", 0, bytesRead);
  } catch (cause) {
    throw new Refusal("bad_config", `${file} can't be read.`, { cause });
  }
  throw new Refusal("bad_config", `${file} is longer than ${maxFileBytes} bytes.`);
}
