/**
 * Calls a sidecar on loopback, all at once, each of which then needs a link of its own: URL COUNT. Writes one line of
 * JSON, what became of each. To be run where the sidecar is.
 */
import { modernCall } from "./ways.ts";

export interface CallOutcome {
  readonly ms: number;
  /** Absent if it was answered with its result. */
  readonly failure?: string;
}

const [url = "", count = "1"] = process.argv.slice(2);
const outcomes = await Promise.all(Array.from({ length: Number(count) }, (_, id) => call(id)));
process.stdout.write(`${JSON.stringify(outcomes)}\n`);

async function call(id: number): Promise<CallOutcome> {
  const began = performance.now();
  const { headers, body } = modernCall("after", { ms: 1500, id }, id);
  const failure = await fetch(url, {
    method: "POST",
    headers: headers as Record<string, string>,
    body: body as string,
  }).then(async (answer) => {
    const text = await answer.text();
    return answer.status === 200 && text.includes(`\\"id\\":${id}`) ? undefined : `${answer.status} ${text}`;
  }, String);
  const ms = performance.now() - began;
  return { ms, ...(failure !== undefined && { failure }) };
}
