/** NIST CSWP 39, Considerations for Achieving Crypto Agility, December 2025. */
import { control, type Framework } from "../control.ts";

export const cswp39 = {
  name: "cswp39",
  title: "NIST CSWP 39, crypto agility",
  source: "https://csrc.nist.gov/pubs/cswp/39/considerations-for-achieving-cryptographic-agility/final",
  note: "Its subjects, under ids of ours.",
  controls: [
    control("CA-identified", "Algorithms have names", "What is used is negotiated and recorded by name.", {
      events: ["hybrid", "profile"],
    }),
    control("CA-inventory", "Inventory", "Where cryptography is used is known.", {
      events: ["hybrid"],
      tests: ["inventory"],
    }),
    control("CA-policy", "One policy", "Which algorithms may be used is said in one place.", {
      events: ["profile"],
      tests: ["tls-1.2", "classical-only"],
      against: ["classical"],
    }),
    control("CA-hybrid", "Hybrid algorithms", "Two algorithms stand in for one that may fall.", {
      events: ["hybrid", "hybrid-identity"],
      tests: ["classical-only"],
      against: ["classical"],
    }),
    control("CA-downgrade", "Safe negotiation", "Nobody in between can talk both ends into less.", {
      events: ["hybrid"],
      tests: ["tls-1.2", "classical-only"],
      against: ["classical"],
    }),
    control("CA-transition", "Transitions while running", "Algorithms were changed without a stop.", {
      events: ["profile-changed"],
    }),
    control("CA-keys", "Keys are replaced", "Keys of links and roots were replaced.", {
      events: ["renewed", "root"],
    }),
    control(
      "CA-long-term",
      "Long-lived signatures",
      "What has to count for decades was renewed, or its keys were.",
      {
        events: ["log-rotated"],
      },
    ),
    control(
      "CA-upstream",
      "Both sides of the gateway",
      "Links to servers are as strong as those to callers.",
      {
        events: ["hybrid", "outcome"],
        tests: ["classical-only"],
        against: ["classical", "server-classical"],
      },
    ),
  ],
} as const satisfies Framework;
