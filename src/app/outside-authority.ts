/** `latticegate ca request | import`: an organisation's own authority signs the key we issue with. */
import { readFile } from "node:fs/promises";

import { issueAnchor } from "../crypto/certificate.ts";
import { readChain } from "../crypto/outside-chain.ts";
import { createIssuingRequest } from "../crypto/signing-request.ts";
import type { RootChange, RootRecord, RootStore } from "../host/store/state-roots.ts";
import { type Purpose, rootName } from "../identity/authority.ts";
import type { Clock } from "../kernel/clock.ts";
import { Refusal } from "../kernel/refusal.ts";
import type { Config } from "./config.ts";
import { issuesFrom, listRoots, openStore, type RootReport, stillRotating } from "./root-operations.ts";
import {
  eventOf,
  exportRoots,
  mustBeNext,
  nextGeneration,
  readRoot,
  rootKeyName,
  trustedOf,
} from "./roots.ts";
import { statePaths } from "./state-folder.ts";

/** PEM of a PKCS #10 request for a new issuing key; the same one until it is imported or given up. */
export async function requestIssuing(config: Config, purpose: Purpose, clock: Clock): Promise<string> {
  refuseWithSigner(config);
  const { store, keys, making, close } = await openStore(config, clock);
  try {
    const open = requested(store.roots(), purpose);
    const generation = open?.generation ?? nextGeneration(store.roots(), purpose);
    const suite = open?.suite ?? making.suite;
    const key = await keys.signing(rootKeyName({ purpose, generation }), suite);
    const commonName = rootName(config.trust_domain, { purpose, generation });
    const request = await createIssuingRequest(key, { commonName, trustDomain: config.trust_domain });
    if (open === undefined) addRequested(store, { purpose, generation, suite }, clock);
    return request;
  } finally {
    close();
  }
}

/** A signer signs what it can judge: leafs and roots of this trust domain, and neither requests nor anchors of others. */
function refuseWithSigner({ signer }: Config): void {
  if (signer === undefined) return;
  throw new Refusal(
    "bad_state",
    "The root keys are with a signer, which signs no request for an outside authority; that needs a gateway without one.",
  );
}

function addRequested(
  store: RootStore,
  which: Pick<RootRecord, "purpose" | "generation" | "suite">,
  clock: Clock,
): void {
  const nowUnixMs = clock.nowUnixMs();
  const root = {
    ...which,
    certificate: null,
    outside: null,
    createdUnixMs: nowUnixMs,
    issuesFromUnixMs: nowUnixMs,
  };
  store.change((roots, change) => {
    mustBeNext(roots, root);
    change.add(root);
    change.tell(eventOf("request", root, clock));
  });
}

/** Takes the chain for the key that was requested; from then on it is a generation as after a rotation. */
export async function importIssuing(
  config: Config,
  options: { readonly purpose: Purpose; readonly file: string; readonly clock: Clock },
): Promise<RootReport> {
  refuseWithSigner(config);
  const { purpose, clock } = options;
  const pem = await readFile(options.file, "utf8").catch((cause: unknown) => {
    throw new Refusal("bad_config", `${options.file} can't be read.`, { cause });
  });
  const { store, keys, close } = await openStore(config, clock);
  try {
    const open = requested(store.roots(), purpose);
    if (open === undefined) {
      throw new Refusal(
        "bad_state",
        `Nothing was requested; run "latticegate ca request --for ${purpose}" first.`,
      );
    }
    const key = await keys.signing(rootKeyName(open), open.suite);
    const nowUnixMs = clock.nowUnixMs();
    const trustDomain = config.trust_domain;
    const chain = readChain({ pem, key: key.publicKey, purpose, trustDomain, nowUnixMs });
    const certificate = await issueAnchor(chain[0], key, trustDomain);
    const outside = chain.map((each) => each.toString()).join("");
    const issuesFromUnixMs = issuesFrom(config, purpose, nowUnixMs);
    takeIn(store, open, { certificate, outside, issuesFromUnixMs }, clock);
    await exportRoots(statePaths(config.state), store);
    return await reportOn(config, open, clock);
  } finally {
    close();
  }
}

function takeIn(
  store: RootStore,
  open: RootRecord,
  signed: Parameters<RootChange["complete"]>[1],
  clock: Clock,
): void {
  const { certificate } = signed;
  const { subject } = readRoot(certificate);
  store.change((roots, change) => {
    const trusted = trustedOf(roots, open.purpose);
    if (requested(roots, open.purpose)?.generation !== open.generation) {
      throw new Refusal(
        "bad_state",
        "Another command changed the roots meanwhile; look at them and try again.",
      );
    }
    if (trusted.length > 1) throw stillRotating(open.purpose);
    if (trusted.some((root) => readRoot(root.certificate).subject === subject)) {
      throw new Refusal(
        "bad_certificate",
        "The chain can't be imported: another root of ours has that name.",
      );
    }
    change.complete(open, signed);
    change.tell(eventOf("import", { ...open, certificate }, clock));
  });
}

function requested(roots: readonly RootRecord[], purpose: Purpose): RootRecord | undefined {
  return roots.find((root) => root.purpose === purpose && root.certificate === null && root.ended === null);
}

async function reportOn(
  config: Config,
  { purpose, generation }: RootRecord,
  clock: Clock,
): Promise<RootReport> {
  const all = await listRoots(config, clock);
  const found = all.find((root) => root.purpose === purpose && root.generation === generation);
  if (found === undefined) throw new Error("a root that was just imported is gone");
  return found;
}
