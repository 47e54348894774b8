/** The header with which a gateway asks the peer of a link to renew its certificate (docs/formats/enrolment.md). */

export interface RenewalWish {
  /** Certificates made before that are outdated, in whole seconds as they say their times. */
  readonly beforeUnixMs: number;
  /** Those for keys of another algorithm are, too. */
  readonly keyAlgorithm?: string | undefined;
}

export function formatRenewalWish({ beforeUnixMs, keyAlgorithm }: RenewalWish): string {
  const before = `before=${Math.ceil(beforeUnixMs / 1000)}`;
  return keyAlgorithm === undefined ? before : `${before}, key=${keyAlgorithm}`;
}

/** @returns undefined for what can't be read: who isn't told renews at half-life */
export function readRenewalWish(text: string): RenewalWish | undefined {
  const [, before, keyAlgorithm] = /^before=(\d{1,11})(?:, key=([A-Za-z0-9-]{1,40}))?$/.exec(text) ?? [];
  if (before === undefined) return undefined;
  return { beforeUnixMs: Number(before) * 1000, keyAlgorithm };
}
