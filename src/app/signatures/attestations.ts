/**
 * `dev.latticegate/attest`: the ends keep what they promised. The end that serves checks what is said of the calls, and
 * says the same of its answers; who stands between two others checks both.
 */
import type { Answer, Journaled } from "../../gate/call.ts";
import { cut, faulty } from "../../gate/signature-refusals.ts";
import type { ServerSignatures } from "../../gate/world.ts";
import {
  type Attestation,
  checkStatement,
  readAttestation,
  signStatement,
  writeAttestation,
} from "../../integrity/batch.ts";
import { encodedObject, textIn } from "../../integrity/fields.ts";
import { paramsOf, requestOf, resultFrame, resultIn, wholeAnswer } from "./said-message.ts";
import type { Desk } from "./signature-desk.ts";

/** @throws Refusal `signature_refused`, `route_cut` */
export async function answerAttest(call: Journaled, terms: ServerSignatures, desk: Desk): Promise<Answer> {
  const { said, issuer } = covered(call, terms, desk);
  const nowUnixMs = desk.clock.nowUnixMs();
  const range = desk.batches.next(issuer, said.range, nowUnixMs);
  const long = desk.long.take(issuer, said.long, nowUnixMs);
  const about = { direction: "res", issuer: desk.id, audience: issuer, long } as const;
  const statement = await signStatement(range, about, desk.signer(), nowUnixMs);
  const result = writeAttestation({ range, statement, long: [], faults: [] });
  return wholeAnswer(resultFrame(requestOf(call), result).bytes, factsOf(said));
}

/** @throws Refusal `signature_refused`, `route_cut`, before the server's end hears of it */
export async function passAttest(
  { call, forward }: { readonly call: Journaled; readonly forward: () => Promise<Answer> },
  terms: ServerSignatures,
  desk: Desk,
): Promise<Answer> {
  const { said, issuer } = covered(call, terms, desk);
  const answer = { ...(await forward()), facts: () => factsOf(said) };
  const result = resultIn(answer, requestOf(call))?.result;
  const told = result && readAttestation(result);
  const { peer } = terms;
  if (told === undefined || peer === undefined) return answer;
  const nowUnixMs = desk.clock.nowUnixMs();
  const about = { direction: "res", issuer: peer, audience: issuer, nowUnixMs } as const;
  const { fault } = checkStatement(told.statement, told.range, { ...about, ...desk.keysOf(peer) });
  if (fault !== undefined) {
    desk.records.fault({ fault, principal: peer, at: call.server, how: "found" });
    throw faulty(fault, { code: "answer_refused" });
  }
  cutIfContradicted(desk, { signer: peer, audience: issuer }, told);
  return answer;
}

interface Covered {
  readonly said: Attestation;
  readonly issuer: string;
}

/** What the calling end says of its calls holds, and contradicts none of them. */
function covered(call: Journaled, terms: ServerSignatures, desk: Desk): Covered {
  const said = readAttestation(paramsOf(requestOf(call)));
  const issuer = said && textIn(encodedObject(said.statement.payload)?.["iss"], 2048);
  if (said === undefined || issuer === undefined) throw faulty("malformed");
  const { caller, server } = call;
  if (issuer !== caller.id && !terms.relays.includes(caller.id)) throw faulty("wrong_issuer");
  const { audience } = terms;
  const nowUnixMs = desk.clock.nowUnixMs();
  const about = { direction: "req", issuer, audience, nowUnixMs } as const;
  const { fault } = checkStatement(said.statement, said.range, { ...about, ...desk.keysOf(issuer) });
  if (fault !== undefined) throw faulty(fault);
  for (const report of said.faults)
    desk.records.fault({ ...report, principal: issuer, at: server, how: "reported" });
  cutIfContradicted(desk, { signer: issuer, audience }, said);
  return { said, issuer };
}

/** @throws Refusal `route_cut` */
function cutIfContradicted(
  desk: Desk,
  route: { readonly signer: string; readonly audience: string },
  { range }: Attestation,
): void {
  const contradicted = desk.promises.cover(route, range, desk.clock.nowUnixMs());
  if (contradicted.length === 0) return;
  desk.cut(route.signer, "wrong_batch", route.audience);
  throw cut("wrong_batch");
}

function factsOf({ range, statement }: Attestation): Readonly<Record<string, string>> {
  const root = textIn(encodedObject(statement.payload)?.["root"], 128) ?? "";
  return { batch: range.batch, leaves: String(range.leaves.length), root };
}
