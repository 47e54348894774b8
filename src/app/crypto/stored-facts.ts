/** What a state folder knows of the cryptography in use, whether its gateway runs or not. */
import { readdir } from "node:fs/promises";

import { certificateFacts, parseCertificate } from "../../crypto/certificate.ts";
import { readLogKey } from "../../crypto/log-key.ts";
import type { InForce } from "../../crypto/suites/in-force.ts";
import { algorithmOfKeyType } from "../../crypto/suites/signatures.ts";
import type { HeldCertificate } from "../../host/store/certificate-records.ts";
import { readIfThere } from "../../host/store/files.ts";
import { openState, type StateStore } from "../../host/store/state-sqlite.ts";
import { isGatewayId } from "../../identity/spiffe-id.ts";
import { type VerifiedManifest, verifyManifest } from "../../integrity/tools/manifest.ts";
import { toHex, utf8 } from "../../kernel/bytes.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Config } from "../config.ts";
import { profileInForce } from "../profile-in-force.ts";
import { listRoots, type RootReport } from "../root-operations.ts";
import { manifestOf, statePaths } from "../state-folder.ts";
import { withNames } from "../subject-names.ts";
import { type LatelySeen, latelySeen } from "./lately-seen.ts";

export interface StoredFacts extends LatelySeen {
  readonly inForce: InForce;
  /** The generations that count or are asked for, and the classical ones. */
  readonly roots: readonly StoredRoot[];
  /** The gateway's own left out. */
  readonly held: readonly HeldCertificate[];
  readonly joinTokens: ReturnType<StateStore["openGrants"]>;
  readonly logKeys: readonly StoredKey[];
  /** Algorithms of the keys of delegations there are. */
  readonly delegationKeys: readonly string[];
  /** Of the gateway's servers; those that count. */
  readonly manifests: readonly VerifiedManifest[];
}

export interface StoredRoot extends Pick<RootReport, "purpose" | "state" | "suite" | "notAfterUnixMs"> {
  /** Undefined of a classical one: there is one of each. */
  readonly generation: number | undefined;
  /** An authority outside has signed it. */
  readonly isOutside: boolean;
}

interface StoredKey {
  readonly algorithm: string;
  /** Eight hexadecimal digits, as in the log's heads. */
  readonly keyId: string;
}

/** @throws Refusal `bad_state` before the first start */
export async function storedFacts(config: Config, clock: Clock): Promise<StoredFacts> {
  const roots = await listRoots(config, clock);
  const nowUnixMs = clock.nowUnixMs();
  const paths = statePaths(config.state);
  const state = openState(paths.database);
  try {
    return {
      inForce: profileInForce(config, clock),
      roots: [
        ...roots.filter(({ endedUnixMs }) => endedUnixMs === undefined).map(storedRoot),
        ...(await classicalRoots(config)),
      ],
      held: state.held(nowUnixMs).filter(({ spiffeId }) => !isGatewayId(spiffeId)),
      joinTokens: state.openGrants(nowUnixMs),
      logKeys: logKeysIn((await readIfThere(paths.logKey)) ?? ""),
      delegationKeys: await delegationKeys(paths.keys),
      manifests: await signedManifests(config, nowUnixMs),
      ...(await withNames(config, ({ named }) => latelySeen(paths.log, nowUnixMs, named))),
    };
  } finally {
    state.close();
  }
}

/** Undefined before the first start. */
export async function profileInForceIfAny(config: Config, clock: Clock): Promise<InForce | undefined> {
  if ((await readIfThere(statePaths(config.state).trustDomain)) === undefined) return undefined;
  return profileInForce(config, clock);
}

function storedRoot({ purpose, generation, state, suite, notAfterUnixMs, outside }: RootReport): StoredRoot {
  return { purpose, generation, state, suite, notAfterUnixMs, isOutside: outside !== undefined };
}

async function classicalRoots({ state }: Config): Promise<readonly StoredRoot[]> {
  const paths = statePaths(state);
  const files = [
    ["server", paths.classicalServerRoot],
    ["client", paths.classicalClientRoot],
  ] as const;
  const read = files.map(async ([purpose, file]): Promise<readonly StoredRoot[]> => {
    const certificate = parseCertificate((await readIfThere(file)) ?? "");
    if (certificate === undefined) return [];
    const { keyAlgorithm: suite, notAfterUnixMs } = certificateFacts(certificate);
    return [{ purpose, generation: undefined, state: "issuing", suite, notAfterUnixMs, isOutside: false }];
  });
  return (await Promise.all(read)).flat();
}

function logKeysIn(text: string): readonly StoredKey[] {
  if (text === "") return [];
  // The generation that signs: those before it sign nothing any more.
  const keys = readLogKey(text).at(-1)?.keys ?? [];
  return keys.map(({ kind, keyId }) => ({ algorithm: algorithmOfKeyType(kind), keyId: toHex(keyId) }));
}

/** By their names: to look inside they would have to be unlocked. */
async function delegationKeys(folder: string): Promise<readonly string[]> {
  const names = await readdir(folder).catch(() => []);
  return names.flatMap((name) => {
    const keyType = /^delegation-(.+)\.json$/.exec(name)?.[1];
    return keyType === undefined ? [] : [algorithmOfKeyType(keyType)];
  });
}

async function signedManifests(
  { state, servers }: Config,
  nowUnixMs: number,
): Promise<readonly VerifiedManifest[]> {
  const read = Object.keys(servers).map(async (name) => await readIfThere(manifestOf(state, name)));
  return (await Promise.all(read)).flatMap((document = "") => {
    const checked = verifyManifest(utf8(document), { server: undefined, nowUnixMs });
    return checked.kind === "verified" ? [checked.manifest] : [];
  });
}
