/** The rule that is often quoted for encrypted flows: it stands here to be compared with, and judges nothing. */
import type { FlowSummary } from "./flow-window.ts";

const manyBits = 7.5;
const shortestGapMs = 1;

export function isByQuotedRule({ sizeEntropy, records, firstMs, lastMs }: FlowSummary): boolean {
  return sizeEntropy > manyBits || (records > 1 && (lastMs - firstMs) / (records - 1) < shortestGapMs);
}
