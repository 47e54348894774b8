/** What CycloneDX wants to know of an algorithm, by the names that posture has. */

export interface Algorithm {
  readonly name: string;
  readonly primitive: "kem" | "key-agree" | "combiner" | "signature" | "unknown";
  readonly parameterSetIdentifier?: string;
  readonly cryptoFunctions?: readonly string[];
  /** Categories 1 to 5 of NIST's call for proposals; 0 of what a quantum computer breaks. Absent if it isn't known. */
  readonly nistQuantumSecurityLevel?: number;
}

/** FIPS 203 §8, FIPS 204 §4, FIPS 205 §11: the category of each parameter set. The first row that fits counts. */
const rows: readonly (readonly [RegExp, Omit<Algorithm, "name">])[] = [
  ...(
    [
      ["512", 1],
      ["768", 3],
      ["1024", 5],
    ] as const
  ).flatMap(([set, level]): readonly (readonly [RegExp, Omit<Algorithm, "name">])[] => [
    [new RegExp(`^(?:ML-?KEM-?)${set}$`, "i"), kem("kem", set, level)],
    [new RegExp(`(?:ML-?KEM|Kyber)-?${set}`, "i"), kem("combiner", set, level)],
  ]),
  [/ML-?DSA-?44/i, signs("44", 2)],
  [/ML-?DSA-?65/i, signs("65", 3)],
  [/ML-?DSA-?87/i, signs("87", 5)],
  [/SLH-?DSA.*128/i, signs("128", 1)],
  [/SLH-?DSA.*192/i, signs("192", 3)],
  [/SLH-?DSA.*256/i, signs("256", 5)],
  [
    /^(?:X25519|X448|secp|ffdhe|brainpool.*tls|P-\d)/i,
    {
      primitive: "key-agree",
      cryptoFunctions: ["keygen", "keyderive"],
      nistQuantumSecurityLevel: 0,
    },
  ],
  [/RSA|EC|Ed25519|Ed448|DSA|sha\d/i, signs(undefined, 0)],
];

export function algorithmOf(name: string, keyBits?: number): Algorithm {
  const full = keyBits !== undefined && /^RSA/i.test(name) && !/\d/.test(name) ? `${name}-${keyBits}` : name;
  const found = rows.find(([pattern]) => pattern.test(full))?.[1] ?? { primitive: "unknown" as const };
  return { name: full, ...found };
}

function kem(primitive: "kem" | "combiner", set: string, level: number): Omit<Algorithm, "name"> {
  return {
    primitive,
    parameterSetIdentifier: set,
    cryptoFunctions: ["keygen", "encapsulate", "decapsulate"],
    nistQuantumSecurityLevel: level,
  };
}

function signs(set: string | undefined, level: number): Omit<Algorithm, "name"> {
  return {
    primitive: "signature",
    ...(set !== undefined && { parameterSetIdentifier: set }),
    cryptoFunctions: ["sign", "verify"],
    nistQuantumSecurityLevel: level,
  };
}
