/** Whether handshakes had ML-KEM, told from the sizes of their hellos alone: no key share of it fits into shorter ones. */
import type { FlowSummary, Handshake } from "./flow-window.ts";

/** FIPS 203, table 3: the smallest encapsulation key and ciphertext, of ML-KEM-512. */
const leastKeyBytes = 800;
const leastCiphertextBytes = 768;

/** Those that were used without it; a connection of which no hello was seen isn't among them. */
export function classicalHandshakes({ handshakes }: FlowSummary): readonly Handshake[] {
  return handshakes.filter(
    ({ clientBytes, serverBytes, isUsed }) =>
      isUsed && serverBytes > 0 && (clientBytes < leastKeyBytes || serverBytes < leastCiphertextBytes),
  );
}
