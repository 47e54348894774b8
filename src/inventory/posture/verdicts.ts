/**
 * What the cryptography that was observed is worth, against who records today and reads later (key exchange), and against who
 * forges (authentication); until when, by whom. Pure: what is observed, and a clock's time, in; words out.
 */
import { builtInProfiles } from "../../crypto/suites/profiles.ts";
import { groupKind } from "../../wire/tls-names.ts";
import type {
  AuthenticationVerdict,
  Deadline,
  KeyExchangeVerdict,
  Link,
  ObservedCertificate,
  ObservedTls,
  Posture,
  Verdict,
} from "./posture.ts";

export function postureOf(link: Link, nowUnixMs: number): Posture {
  if (link.kind === "local") {
    const because = ["it is a pipe between processes of one machine"];
    return {
      link,
      keyExchange: { verdict: "local", because, dates: [] },
      authentication: { verdict: "local", because, dates: [] },
      profiles: builtInProfiles.map(({ document }) => document.name),
    };
  }
  if (link.kind === "clear") {
    return {
      link,
      keyExchange: { verdict: "none", because: ["HTTP without TLS: anybody on the way reads it"], dates: [] },
      authentication: {
        verdict: "none",
        because: ["HTTP without TLS: anybody on the way can answer in its place"],
        dates: [],
      },
      profiles: [],
    };
  }
  return {
    link,
    keyExchange: keyExchangeOf(link.tls),
    authentication: authenticationOf(link.tls, nowUnixMs),
    profiles: profilesOf(link.tls),
  };
}

/**
 * NIST IR 8547 (initial public draft, November 2024), tables 2 and 4: RSA, finite-field and elliptic-curve algorithms of 112
 * bits of security are deprecated after 2030, all of them disallowed after 2035.
 * CNSA 2.0 (NSA, version 2.1, December 2024): required of new national security systems from 2027 on, exclusive by 2033.
 */
const afterShort: readonly Deadline[] = [
  { from: "2031-01-01", what: "deprecated", source: "NIST IR 8547" },
  { from: "2036-01-01", what: "disallowed", source: "NIST IR 8547" },
];
const afterLong: readonly Deadline[] = [{ from: "2036-01-01", what: "disallowed", source: "NIST IR 8547" }];
const notCnsa: readonly Deadline[] = [
  { from: "2027-01-01", what: "disallowed", source: "CNSA 2.0, new systems" },
  { from: "2034-01-01", what: "disallowed", source: "CNSA 2.0" },
];

function keyExchangeOf(tls: ObservedTls): Verdict<KeyExchangeVerdict> {
  const weak = weaknesses(tls);
  if (weak.length > 0) return verdict("weak", weak, []);
  const better = tls.groups.filter((group) => groupKind(group) !== "classical");
  const plain = tls.groups.filter((group) => groupKind(group) === "classical");
  const older = tls.versions.filter((version) => version !== "TLSv1.3");
  if (better.length === 0) {
    const [group] = plain;
    const because =
      group === undefined
        ? `it speaks ${older.at(-1) ?? "no version that is known"}, which has no ML-KEM`
        : `it has no group with ML-KEM; ${group} is what it takes`;
    const isShort = group === "ffdhe2048" || (tls.primeBits ?? 3072) < 3072;
    return verdict("classical", [because, recorded], [...(isShort ? afterShort : afterLong), ...notCnsa]);
  }
  if (plain.length === 0 && older.length === 0) {
    const isCnsa = better.every((group) => /1024/.test(group));
    return verdict("hybrid", [`it takes ${better.join(", ")} and nothing else`], isCnsa ? [] : notCnsa);
  }
  const others = [...plain, ...older].join(", ");
  if (tls.asksForHybrid === false) {
    return verdict(
      "downgradable",
      [`it has ${better[0]}, and takes ${plain[0] ?? "less"} of a client that sends that first`, recorded],
      [...afterLong, ...notCnsa],
    );
  }
  if (tls.asksForHybrid === undefined) {
    return verdict("unknown", [`it has ${better[0]} and ${others}; which it prefers couldn't be seen`], []);
  }
  return verdict(
    "hybrid-preferred",
    [`it asks whoever can for ${better[0]}, and takes ${others} of others`],
    [...afterLong, ...notCnsa],
  );
}

const recorded = "who records it today reads it once there is a quantum computer";

function weaknesses({ versions, ciphers, primeBits }: ObservedTls): readonly string[] {
  const ancient = versions.filter((version) => ["SSLv3", "TLSv1", "TLSv1.1"].includes(version));
  const transport = ciphers.filter((cipher) => cipher.startsWith("TLS_RSA_"));
  const broken = ciphers.filter((cipher) => /RC4|3DES|NULL|EXPORT|_MD5/.test(cipher));
  return [
    ...(ancient.length === 0 ? [] : [`it speaks ${ancient.join(" and ")} (RFC 8996: must not be used)`]),
    ...(transport.length === 0
      ? []
      : [`${transport[0]} has no forward secrecy: who gets the server's key reads all that was recorded`]),
    ...(broken.length === 0 ? [] : [`${broken[0]} is broken`]),
    ...(primeBits === undefined || primeBits >= 2048
      ? []
      : [`it agrees in a finite field of ${primeBits} bits`]),
  ];
}

function authenticationOf({ chains }: ObservedTls, nowUnixMs: number): Verdict<AuthenticationVerdict> {
  const leaves = chains.flatMap(({ certificates }) => certificates.slice(0, 1));
  if (leaves.length === 0) return verdict("unknown", ["it showed no certificate"], []);
  const faults = chains.flatMap(({ certificates }) =>
    certificates.flatMap((one, at) => faultsOf(one, at, nowUnixMs)),
  );
  if (faults.length > 0) return verdict("weak", [...new Set(faults)], []);
  const strong = leaves.filter(({ key }) => key.startsWith("ML-DSA") || key.startsWith("SLH-DSA"));
  if (strong.length === 0) {
    const [leaf] = leaves;
    const short = leaves.some(({ key, keyBits = 0 }) => key === "RSA" && keyBits < 3072);
    return verdict(
      "classical",
      [`its certificate has ${nameOf(leaf)}, which a quantum computer forges`],
      [...(short ? afterShort : afterLong), ...notCnsa],
    );
  }
  const isCnsa = strong.some(({ key }) => key === "ML-DSA-87");
  if (strong.length < leaves.length) {
    const plain = leaves.find((leaf) => !strong.includes(leaf));
    return verdict(
      "hybrid",
      [`it shows ${strong[0]?.key} to whoever can verify it, and ${nameOf(plain)} to others`],
      [...afterLong, ...(isCnsa ? [] : notCnsa)],
    );
  }
  return verdict("post-quantum", [`its certificate has ${strong[0]?.key}`], isCnsa ? [] : notCnsa);
}

function nameOf(certificate: ObservedCertificate | undefined): string {
  if (certificate === undefined) return "no key";
  return certificate.keyBits === undefined ? certificate.key : `${certificate.key}-${certificate.keyBits}`;
}

function faultsOf(
  { key, keyBits, signature, notBeforeUnixMs, notAfterUnixMs, subject, issuer }: ObservedCertificate,
  at: number,
  nowUnixMs: number,
): readonly string[] {
  const whose = at === 0 ? "its certificate" : "a certificate of its chain";
  const isRoot = at > 0 && subject === issuer;
  return [
    ...(key === "RSA" && keyBits !== undefined && keyBits < 2048
      ? [`${whose} has an RSA key of ${keyBits} bits`]
      : []),
    // Nobody checks the signature of a root on itself.
    ...(!isRoot && /sha1|md5/i.test(signature) ? [`${whose} is signed with ${signature}`] : []),
    ...(notAfterUnixMs <= nowUnixMs
      ? [`${whose} expired on ${new Date(notAfterUnixMs).toISOString().slice(0, 10)}`]
      : []),
    ...(notBeforeUnixMs > nowUnixMs ? [`${whose} isn't valid yet`] : []),
  ];
}

/** Of a link to it; whose identity it would have to show is another matter. */
function profilesOf({ groups, versions, ciphers, chains }: ObservedTls): readonly string[] {
  if (!versions.includes("TLSv1.3")) return [];
  return builtInProfiles.flatMap(({ document }) => {
    const names: readonly string[] = document.groups;
    const hasGroup = groups.some((group) => names.includes(group));
    const hasCipher = ciphers.some((cipher) => (document.ciphers as readonly string[]).includes(cipher));
    const hasIdentity = chains.some(({ certificates: [leaf] }) =>
      (document.identities as readonly string[]).includes(leaf?.key ?? ""),
    );
    const tolerates = document.classical_groups.length > 0 && groups.length > 0;
    return (hasGroup || tolerates) && hasCipher && (hasIdentity || document.name === "transition")
      ? [document.name]
      : [];
  });
}

function verdict<Name extends string>(
  name: Name,
  because: readonly string[],
  dates: readonly Deadline[],
): Verdict<Name> {
  return { verdict: name, because, dates };
}
