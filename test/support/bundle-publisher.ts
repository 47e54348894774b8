/** A publisher of policy bundles, and a gateway that follows what it publishes. */
import { writeFile } from "node:fs/promises";
import path from "node:path";
import type { TestContext } from "node:test";

import { generateKeyPair, signingKey } from "../../src/crypto/keys.ts";
import { signatureSuite } from "../../src/crypto/suites/signatures.ts";
import { signBundle } from "../../src/integrity/policy-bundle.ts";
import { manifestSuiteIds, publisherKeysOf } from "../../src/integrity/tools/publisher-keys.ts";
import {
  clientOf,
  enrol,
  stubServer,
  temporaryFolder,
  testGateway,
  type TestGateway,
  toolCall,
} from "./gateway.ts";

export interface BundlePublisher {
  readonly fingerprint: string;
  /** A bundle that allows these tools of the server `lab`. */
  readonly bundle: (sequence: number, tools: readonly string[]) => Promise<string>;
}

const hour = 3_600_000;

export function bundlePublisher(): BundlePublisher {
  const signers = manifestSuiteIds.map((id) => signingKey(generateKeyPair(signatureSuite(id))));
  return {
    fingerprint: publisherKeysOf(signers).fingerprint,
    bundle: (sequence, tools) =>
      signBundle(
        {
          publisher: "acme security",
          sequence,
          issuedAtUnixMs: Date.now(),
          expiresAtUnixMs: Date.now() + hour,
          policies: tools.map((tool) => allowing(tool)),
          cases: [],
        },
        signers,
      ),
  };
}

function allowing(tool: string): Readonly<Record<string, unknown>> {
  const target = { callers: ["*"], tools: [`lab/${tool}`] };
  return { name: `may-${tool}`, ...target, effect: "allow", because: "Open." };
}

export interface FollowingScene {
  readonly folder: string;
  /** The config, on disk too. */
  readonly config: string;
  /** Starts the gateway, anew if it ran before; with another config if one is given. */
  readonly start: (yaml?: string) => Promise<Running>;
}

interface Running {
  readonly gateway: TestGateway;
  /** Which of the tools `a`, `b`, `c` may be called now. */
  readonly allowed: () => Promise<string>;
  /** What a call of `a` is answered. */
  readonly answer: () => Promise<string>;
}

/** @param from the value of `policies.bundle.from` and what else stands beside it, by the folder of the config */
export async function followingScene(
  t: TestContext,
  publishers: readonly string[],
  from: (folder: string) => string,
): Promise<FollowingScene> {
  const stub = await stubServer(t);
  const folder = await temporaryFolder(t);
  const config = path.join(folder, "latticegate.yaml");
  const first = `servers: { lab: { url: "${stub.url}" } }
policies: { bundle: { from: ${from(folder)}, publishers: [${publishers.join(", ")}] } }
`;
  await writeFile(config, `state: ./state\ndashboard: "off"\n${first}`);
  const start = async (yaml = first): Promise<Running> => {
    const gateway = await testGateway(t, yaml, { folder });
    const client = clientOf(t, gateway, await enrol(gateway));
    const answer = async (tool: string): Promise<string> => (await client.post("lab", toolCall(tool))).text;
    const allowed = async (): Promise<string> => {
      const answers = await Promise.all(
        ["a", "b", "c"].map(async (tool) => [tool, await answer(tool)] as const),
      );
      return answers.flatMap(([tool, text]) => (text.includes('"result":{}') ? [tool] : [])).join("");
    };
    return { gateway, allowed, answer: () => answer("a") };
  };
  return { folder, config, start };
}
