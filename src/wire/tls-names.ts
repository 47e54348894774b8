/** IANA's names of what is negotiated in TLS; what isn't named here is told by its number. */

const groups: Readonly<Record<number, string>> = {
  0x0017: "secp256r1",
  0x0018: "secp384r1",
  0x0019: "secp521r1",
  0x001d: "x25519",
  0x001e: "x448",
  0x001a: "brainpoolP256r1",
  0x001b: "brainpoolP384r1",
  0x001c: "brainpoolP512r1",
  0x0100: "ffdhe2048",
  0x0101: "ffdhe3072",
  0x0102: "ffdhe4096",
  0x0103: "ffdhe6144",
  0x0104: "ffdhe8192",
  0x0200: "MLKEM512",
  0x0201: "MLKEM768",
  0x0202: "MLKEM1024",
  0x11eb: "SecP256r1MLKEM768",
  0x11ec: "X25519MLKEM768",
  0x11ed: "SecP384r1MLKEM1024",
  0x11ee: "curveSM2MLKEM768",
  0x6399: "X25519Kyber768Draft00",
};

/** All that a server is asked for, those with ML-KEM first. */
export const askedGroups: readonly number[] = [
  0x11ec, 0x11eb, 0x11ed, 0x0201, 0x0202, 0x0200, 0x11ee, 0x6399, 0x001d, 0x0017, 0x0018, 0x0019, 0x001e,
  0x0100, 0x0101, 0x0102,
];

export function groupName(code: number): string {
  return groups[code] ?? hex(code);
}

/** What an exchange with it says against who records: nothing, one half of it, all of it. */
export function groupKind(name: string): "classical" | "hybrid" | "post-quantum" {
  if (/^(?:X25519|SecP\d+r1|curveSM2)(?:MLKEM|Kyber)/.test(name)) return "hybrid";
  return name.startsWith("MLKEM") ? "post-quantum" : "classical";
}

const versions: Readonly<Record<number, string>> = {
  0x0300: "SSLv3",
  0x0301: "TLSv1",
  0x0302: "TLSv1.1",
  0x0303: "TLSv1.2",
  0x0304: "TLSv1.3",
};

export function versionName(code: number): string {
  return versions[code] ?? hex(code);
}

/** Cipher suites of TLS 1.2 and older that servers of any age choose from, by preference of a client today. */
const ciphers: Readonly<Record<number, string>> = {
  0xc02c: "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
  0xc030: "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
  0xc02b: "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
  0xc02f: "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
  0xcca9: "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
  0xcca8: "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
  0x009f: "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384",
  0x009e: "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256",
  0xc024: "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384",
  0xc028: "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384",
  0xc023: "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
  0xc027: "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",
  0xc00a: "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
  0xc014: "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
  0xc009: "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
  0xc013: "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
  0x0039: "TLS_DHE_RSA_WITH_AES_256_CBC_SHA",
  0x0033: "TLS_DHE_RSA_WITH_AES_128_CBC_SHA",
  0x009d: "TLS_RSA_WITH_AES_256_GCM_SHA384",
  0x009c: "TLS_RSA_WITH_AES_128_GCM_SHA256",
  0x003d: "TLS_RSA_WITH_AES_256_CBC_SHA256",
  0x003c: "TLS_RSA_WITH_AES_128_CBC_SHA256",
  0x0035: "TLS_RSA_WITH_AES_256_CBC_SHA",
  0x002f: "TLS_RSA_WITH_AES_128_CBC_SHA",
  0x000a: "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
  0x0005: "TLS_RSA_WITH_RC4_128_SHA",
};

export const oldCiphers: readonly number[] = Object.keys(ciphers)
  .map(Number)
  .sort((a, b) => rank(a) - rank(b));

function rank(code: number): number {
  const name = ciphers[code] ?? "";
  if (/GCM|CHACHA/.test(name)) return name.startsWith("TLS_RSA") ? 2 : 0;
  return name.startsWith("TLS_RSA") ? 3 : 1;
}

export function cipherName(code: number): string {
  return ciphers[code] ?? hex(code);
}

function hex(code: number): string {
  return `0x${code.toString(16).padStart(4, "0")}`;
}
