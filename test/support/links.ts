/** What links negotiated, for tests of what is decided on them. */
import type { LinkPosture } from "../../src/model/channel.ts";

export const hybridLink: LinkPosture = {
  group: "X25519MLKEM768",
  level: 3,
  isPostQuantum: true,
  certificate: "ML-DSA-65",
};

export const classicalLink: LinkPosture = {
  group: "X25519",
  level: 0,
  isPostQuantum: false,
  certificate: "ML-DSA-65",
};
