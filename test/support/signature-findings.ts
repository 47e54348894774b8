/** Where a wrong signature was found, and what it was called: by what the client was told, and by what the ends recorded. */
import type { Told } from "./bank.ts";
import type { IntegrityScene } from "./integrity-scene.ts";
import { entriesOf } from "./records.ts";

export interface Finding {
  readonly at: "the client" | "the gateway" | "the server";
  /** Code of the refusal, or event of the entry. */
  readonly as: string;
  readonly fault: string;
}

/** What clients were told. */
export function toldFaults(told: readonly Told[]): readonly Finding[] {
  return told.flatMap(({ message }) => {
    const said = message.result?._meta?.[authorization] ?? dataOf(message.error)?.[authorization];
    const { reason = "", fault = "" } = (said ?? {}) as { readonly reason?: string; readonly fault?: string };
    return said === undefined ? [] : [{ at: "the client" as const, as: reason, fault }];
  });
}

const authorization = "dev.latticegate/authorization";

function dataOf(error: Told["message"]["error"]): Readonly<Record<string, unknown>> | undefined {
  return error?.data as Readonly<Record<string, unknown>> | undefined;
}

/** What both ends found: in the outcomes of their calls, and in what they logged, which is recorded with a count. */
export async function foundFaults({ house, exposed }: IntegrityScene): Promise<readonly Finding[]> {
  const of = async (
    at: Finding["at"],
    { state, log }: { readonly state: string; readonly log: readonly string[] },
  ): Promise<readonly Finding[]> => [
    ...(await entriesOf({ config: { state } }, "call.outcome")).flatMap(({ event: as, facts }) => {
      const fault = faultIn(facts);
      return fault === undefined ? [] : [{ at, as, fault }];
    }),
    ...log.flatMap((line) => {
      const { event: as, fault } = JSON.parse(line) as { readonly event: string; readonly fault?: string };
      return as === "signature.fault" && fault !== undefined ? [{ at, as, fault }] : [];
    }),
  ];
  return [
    ...(await of("the gateway", { state: house.config.state, log: house.log })),
    ...(await of("the server", exposed)),
  ];
}

/** What both ends have in their audit logs. */
export async function auditedFaults({ house, exposed }: IntegrityScene): Promise<readonly Finding[]> {
  const of = async (at: Finding["at"], state: string): Promise<readonly Finding[]> =>
    (await entriesOf({ config: { state } })).flatMap(({ event: as, facts }) => {
      const fault = faultIn(facts) ?? (as === "signature.fault" ? facts["fault"] : undefined);
      return fault === undefined ? [] : [{ at, as, fault }];
    });
  return [...(await of("the gateway", house.config.state)), ...(await of("the server", exposed.state))];
}

/** What isn't wrong with a signature, but isn't signature enough, counts by its reason. */
function faultIn(facts: Readonly<Record<string, string>>): string | undefined {
  const reason = facts["reason"];
  return facts["signature_fault"] ?? (reason === "signature_required" ? reason : undefined);
}

/** Those that weren't there before. */
export function newFindings(before: readonly Finding[], now: readonly Finding[]): readonly Finding[] {
  const left = before.map((each) => JSON.stringify(each));
  return now.filter((each) => {
    const at = left.indexOf(JSON.stringify(each));
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  });
}
