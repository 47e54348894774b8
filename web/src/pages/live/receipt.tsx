/** The receipt of a call's entry. */
import type { JSX } from "preact";

import { apiHref, segment } from "../../api.ts";
import { Proof } from "../../receipt/proof.tsx";
import { verifyCall } from "../../receipt/verify.ts";

/** What the log may have of a call that a receipt can be of, the last first. */
const provable = ["call.outcome", "call.decision"] as const;

export function Receipt({
  callId,
  entries,
}: {
  readonly callId: string;
  readonly entries: readonly string[];
}): JSX.Element | null {
  const event = provable.find((each) => entries.includes(each));
  if (event === undefined) return null;
  return (
    <Proof
      verify={() => verifyCall(callId, event)}
      href={apiHref(`/calls/${segment(callId)}/receipt?event=${event}`)}
      file={`${callId}.json`}
    />
  );
}
