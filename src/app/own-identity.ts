/** The gateway's own certificates, and the roots they are under: followed while it runs. */
import { generateKeyPair, type KeyPair, type SigningKey, signingKey } from "../crypto/keys.ts";
import { type InForce, type LinkTerms, termsAt } from "../crypto/suites/in-force.ts";
import type { Journal } from "../gate/ports.ts";
import type { ClassicalCredentials } from "../host/net/link-proof.ts";
import type { Credentials, ServerSide } from "../host/net/tls.ts";
import type { KeyFolder } from "../host/store/key-folder.ts";
import type { StateStore } from "../host/store/state-sqlite.ts";
import type { RootRecord, RootStore } from "../host/store/state-roots.ts";
import {
  type Authority,
  issueSvid,
  issuingRoot,
  type Purpose,
  type Root,
  type Svid,
  svidLifetimeMs,
  trustedRoots,
} from "../identity/authority.ts";
import { issueClassicalSvid } from "../identity/classical-authority.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Log } from "../kernel/log.ts";
import type { OpenClassicalAuthority } from "./classical-authority.ts";
import { credentialsOf } from "./credentials.ts";
import { recordIssue } from "./registrar.ts";

import type { ClientSide } from "./upstreams.ts";

export interface OwnIdentity {
  readonly keys: KeyFolder;
  readonly roots: RootStore;
  readonly state: StateStore;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly log: Log;
  readonly trustDomain: string;
  /** The gateway's. */
  readonly spiffeId: string;
  readonly inForce: () => InForce;
  /** What those may speak who were away for a while. */
  readonly comeback: (terms: LinkTerms, roots: readonly RootRecord[]) => LinkTerms;
  /** What certifies the second, classical identity. */
  readonly classical: OpenClassicalAuthority;
  readonly revokedSerials: () => ReadonlySet<string>;
}

/** What the gateway shows at its door and to servers behind `expose`, under the roots of that moment. */
export interface Standing {
  readonly authority: Authority;
  readonly inForce: InForce;
  readonly server: ServerSide;
  readonly client: ClientSide;
  /** Keys of the delegations that count, of which the first one signs. */
  readonly delegations: readonly [SigningKey, ...SigningKey[]];
  /** Of all its certificates. */
  readonly serials: readonly string[];
  readonly notAfterUnixMs: number;
}

/** Fresh keys and certificates of the gateway's own, of each algorithm that counts; TLS keys never touch the disk. */
export async function ownStanding(
  own: OwnIdentity,
  authority: Authority,
  records: readonly RootRecord[],
): Promise<Standing> {
  const serials: string[] = [];
  const nowUnixMs = own.clock.nowUnixMs();
  const inForce = own.inForce();
  const terms = termsAt(inForce, nowUnixMs);
  const issue = async (purpose: Purpose, root: Root) => {
    const key: KeyPair = generateKeyPair(root.key.suite);
    const approved = { spiffeId: own.spiffeId, purpose, publicKey: key.publicKey };
    const svid = await issueSvid(authority, approved, nowUnixMs, root);
    const twinOf = await recordIssue(svid, approved, "own", own);
    serials.push(twinOf);
    const credentials = credentialsOf(key, svid.certificate, await besideIt(own, { svid, purpose, twinOf }));
    return { credentials };
  };
  const shown = new Map<Root, Issued>();
  const issueAll = async (purpose: Purpose): Promise<readonly Credentials[]> => {
    for (const { id: algorithm } of terms.identities) {
      const root = issuingRoot(authority, { purpose, algorithm }, nowUnixMs);
      if (root !== undefined) shown.set(root, await issue(purpose, root));
    }
    return inOrder(shown, authority.roots[purpose], terms);
  };
  const server = await issueAll("server");
  const client = await issueAll("client");
  const newcomers = [];
  for (const root of oldestOfEach(authority.roots.server)) {
    const issued = shown.get(root) ?? (await issue("server", root));
    newcomers.push({ credentials: issued.credentials, serverRoot: root.certificate });
  }
  return {
    authority,
    inForce,
    server: {
      profile: inForce.profile.name,
      terms,
      credentials: server,
      clientRoots: trustedRoots(authority, "client"),
      serverRoots: trustedRoots(authority, "server"),
      newcomers: { terms: own.comeback(terms, records), shown: newcomers },
    },
    client: {
      terms,
      credentials: client,
      serverRoots: trustedRoots(authority, "server"),
      revokedSerials: own.revokedSerials,
    },
    delegations: await delegationKeys(own.keys, authority, terms),
    serials,
    notAfterUnixMs: nowUnixMs + svidLifetimeMs,
  };
}

/** One for each algorithm of identities that are given out, named after it. */
async function delegationKeys(
  keys: KeyFolder,
  { roots }: Authority,
  terms: LinkTerms,
): Promise<readonly [SigningKey, ...SigningKey[]]> {
  const identities = terms.identities.filter(({ id }) => roots.client.some(({ key }) => key.suite.id === id));
  const [first, ...more] = await Promise.all(
    identities.map(({ id }) => keys.signing(`delegation-${id.toLowerCase()}`, id)),
  );
  if (first === undefined) throw new Error("no algorithm of identities counts");
  return [first, ...more];
}

interface Issued {
  readonly credentials: Credentials;
}

/** Of the roots of one purpose, in the order in which the terms prefer their algorithms. */
function inOrder(
  issued: ReadonlyMap<Root, Issued>,
  roots: readonly Root[],
  { identities }: LinkTerms,
): readonly Credentials[] {
  return identities.flatMap(({ id }) => {
    const root = roots.find((each) => each.key.suite.id === id && issued.has(each));
    return root === undefined ? [] : (issued.get(root)?.credentials ?? []);
  });
}

/** Who joins or comes back after a while is met under the oldest root, which everybody knows who knows any of its algorithm. */
function oldestOfEach(roots: readonly Root[]): readonly Root[] {
  return roots.filter(({ key }, at) => roots.findIndex((each) => each.key.suite.id === key.suite.id) === at);
}

/** The classical certificate that goes with one. */
async function besideIt(
  own: OwnIdentity,
  { svid, purpose, twinOf }: { readonly svid: Svid; readonly purpose: Purpose; readonly twinOf: string },
): Promise<ClassicalCredentials> {
  const { authority, suite } = own.classical;
  const key = generateKeyPair(suite);
  const { certificate } = await issueClassicalSvid(authority, { svid, purpose, publicKey: key.publicKey });
  const beside = { purpose, isClassical: true, twinOf };
  await recordIssue({ ...svid, certificate }, beside, "own", own);
  const peers = purpose === "server" ? authority.roots.client : authority.roots.server;
  return { certificate, key: signingKey(key), peerRoots: [peers.certificate] };
}
