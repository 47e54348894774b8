/** `latticegate/client`: for authors of MCP clients: say what a call is for, ask for its receipt, and check what its answer proves; no IO of its own. */
export { type AskedReceipt, readReceipt, withReceipt } from "../audit/asked-receipt.ts";
export { type ReceiptTrust, type ReceiptVerdict, verifyReceipt } from "../audit/receipt.ts";
export { type LogKey, readLogKey } from "../crypto/log-key.ts";
export { declaredIntent, type Intent, withIntent } from "../wire/intent.ts";
export { type AnswerSigner, signerOf, withSignatureOffer } from "../integrity/answer-signer.ts";
export {
  type AnswerMessage,
  type AnswerTrust,
  type AnswerVerdict,
  verifyAnswer,
} from "../integrity/verify-answer.ts";
export type { DirectProof, PromisedProof, SignatureFault } from "../model/message-proof.ts";
