/** Where a witness gets heads of a log and their proofs from: a gateway, or the log's folder. */
import { crossingPath } from "../audit/crossing.ts";
import { shownFrom } from "../audit/log-proofs.ts";
import { readShownHead, type ShownHead } from "../audit/witness-answer.ts";
import { type LogKey, readLogKey } from "../crypto/log-key.ts";
import { revocationsAlpn } from "../host/net/front-door.ts";
import { hostAndPort } from "../host/net/listen.ts";
import { askLog, type LogQuestion, type LogReply, unexpected } from "../host/net/log-client.ts";
import { linkAgent } from "../host/net/revocation-client.ts";
import { clientTlsOptions } from "../host/net/tls.ts";
import { openLogReader } from "../host/store/log-reader.ts";
import { fromUtf8, utf8 } from "../kernel/bytes.ts";
import { Refusal } from "../kernel/refusal.ts";
import { readKeyFile } from "./log-verification.ts";
import type { SidecarIdentity } from "./sidecar-identity.ts";

export interface LogSource {
  /** The public keys as the log has them now: nothing but its word for them. */
  readonly keys: () => Promise<LogKey>;
  /** The newest head, with the proof from that size. */
  readonly shown: (old: number) => Promise<ShownHead>;
  /** Undefined if the log has no such generation. */
  readonly crossing: (number: number) => Promise<Uint8Array | undefined>;
  /** Takes a cosignature; absent where nobody does. */
  readonly cosign?: (cosignature: Uint8Array) => Promise<void>;
  /** Takes word of an incident, or that one was accepted. */
  readonly report?: (report: IncidentReport) => Promise<void>;
}

export interface IncidentReport {
  /** Of incident, or `accepted`. */
  readonly kind: string;
  readonly says: string;
  /** Entries of the two heads; 0 where there was none. */
  readonly kept: number;
  readonly shown: number;
}

/** Shorter than others wait for the folder's lock, so that no gateway keeps them from it. */
const longestMs = 50_000;

interface AskingFor {
  readonly signal: AbortSignal;
  /** All questions together; 50 seconds by default. */
  readonly withinMs?: number;
}

/** The log of a sidecar's gateway, on a link of its own that ends with `work`, or when it has taken too long. */
export async function withGatewayLog<T>(
  identity: SidecarIdentity,
  { signal: given, withinMs = longestMs }: AskingFor,
  work: (source: LogSource) => Promise<T>,
): Promise<T> {
  const signal = AbortSignal.any([given, AbortSignal.timeout(withinMs)]);
  const { address, spiffeId } = identity.gateway;
  const isServer = new URL(identity.spiffeId).pathname.startsWith("/server/");
  const tlsOptions = clientTlsOptions({
    profile: identity.terms(),
    serverRoots: identity.serverRoots,
    peerSpiffeId: spiffeId,
    credentials: identity.credentials(),
    // Servers are under roots of their own, and come in by the door at which they ask for revocations.
    ...(isServer && { alpn: revocationsAlpn }),
  });
  const agent = linkAgent(tlsOptions, hostAndPort(address), signal);
  try {
    return await work(gatewayLog((question) => askLog(question, { agent, address, signal })));
  } finally {
    agent.destroy();
  }
}

function gatewayLog(ask: (question: LogQuestion) => Promise<LogReply>): LogSource {
  const asked = async (question: LogQuestion, statuses: readonly number[]): Promise<LogReply> => {
    const reply = await ask(question);
    if (statuses.includes(reply.status)) return reply;
    throw unexpected(question, reply);
  };
  const get = (path: string, statuses: readonly number[]) => asked({ method: "GET", path }, statuses);
  const post = async (path: string, body: Uint8Array): Promise<void> => {
    await asked({ method: "POST", path, body }, [204]);
  };
  return {
    keys: async () => readLogKey(fromUtf8((await get("/log/keys", [200])).body) ?? ""),
    shown: async (old) => {
      // 409: it has fewer entries than that; its head is there all the same.
      const { body } = await get(`/log/checkpoint?old=${old}`, [200, 409]);
      return checked(readShownHead(body), old);
    },
    crossing: async (number) => {
      const { status, body } = await get(`/log/crossings/${number}`, [200, 404]);
      return status === 200 ? body : undefined;
    },
    cosign: (cosignature) => post("/log/cosignature", cosignature),
    report: (report) => post("/log/incident", utf8(JSON.stringify(report))),
  };
}

/** A log's folder, or a copy. @param key file with its public keys */
export function folderLog(folder: string, key: string): LogSource {
  const { files } = openLogReader(folder);
  return {
    keys: () => readKeyFile(key),
    shown: async (old) => checked(await shownFrom(files, old), old),
    crossing: (number) => files(crossingPath(number)),
  };
}

function checked(shown: ShownHead | undefined, old: number): ShownHead {
  if (shown?.old === old) return shown;
  throw new Refusal(
    "bad_log",
    "The log shows no head with a proof; expected what docs/formats/witness.md says.",
  );
}
