/** The witnesses of a log, and whether what they cosigned is this log. */
import { isOfLog, publishedHead } from "../audit/log-proofs.ts";
import { openLogReader } from "../host/store/log-reader.ts";
import { keptCosignatures } from "./witness-records.ts";

export interface ListedWitness {
  /** Of its key. */
  readonly name: string;
  /** Undefined in a copy of the log. */
  readonly spiffeId: string | undefined;
  readonly size: number;
  readonly atUnixMs: number;
  /** How many entries the log has beyond. */
  readonly behind: number;
  /** Undefined where the log's tiles don't tell any more. */
  readonly agrees: boolean | undefined;
}

/** @param state of the gateway, if it is at hand; by the log's folder alone nobody has a name */
export async function listWitnesses(
  log: string,
  state: string | undefined,
): Promise<readonly ListedWitness[]> {
  const { files } = openLogReader(log);
  const published = await publishedHead(files);
  if (published === undefined) return [];
  const { origin, size: total } = published.body;
  const [trustDomain = ""] = origin.split("/log/");
  const cosignatures = await keptCosignatures(log, trustDomain, state);
  return await Promise.all(
    cosignatures.map(async ({ key, body, atUnixS, spiffeId }): Promise<ListedWitness> => {
      const agrees = await isOfLog(files, body);
      const behind = Math.max(0, total - body.size);
      return { name: key.name, spiffeId, size: body.size, atUnixMs: atUnixS * 1000, behind, agrees };
    }),
  );
}
