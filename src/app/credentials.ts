/** Certificates that live an hour: shown to TLS, and renewed at half-life. */
import type { KeyPair } from "../crypto/keys.ts";
import type { ClassicalCredentials } from "../host/net/link-proof.ts";
import type { Credentials } from "../host/net/tls.ts";
import { renewAtUnixMs } from "../identity/authority.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Log } from "../kernel/log.ts";

/** TLS takes keys as PEM only. */
export function credentialsOf(
  key: KeyPair,
  certificate: string,
  classical?: ClassicalCredentials,
): Credentials {
  const privateKey = key.privateKey.export({ format: "pem", type: "pkcs8" });
  return { certificate, privateKey, ...(classical && { classical }) };
}

const retryMs = 60_000;

/**
 * Calls `renew` at half-life of what ends at `notAfterUnixMs`, again and again, or at once with `now`; a failure is
 * tried anew in a minute. Once `stop` resolves, nothing is under way.
 * @param wishedUnixMs when it is wished for earlier than that, if it is
 */
export function renewing(
  notAfterUnixMs: number,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
  renew: () => Promise<number>,
  wishedUnixMs: () => number | undefined = () => undefined,
): {
  readonly now: () => void;
  /** Looks whether it is wished for earlier by now. */
  readonly look: () => void;
  /** Resolves when that is done, or failed. */
  readonly atOnce: () => Promise<void>;
  readonly stop: () => Promise<void>;
} {
  let timer: NodeJS.Timeout | undefined;
  /** One after the other: `now` may come while one is under way. */
  let underWay: Promise<void> = Promise.resolve();
  let isOver = false;
  let attempts = 0;
  let nextUnixMs = 0;
  const attempt = async (): Promise<void> => {
    try {
      schedule(renewAtUnixMs(await renew()));
    } catch (error) {
      log.error("identity.renewal_failed", { reason: error instanceof Error ? error.message : "unknown" });
      schedule(clock.nowUnixMs() + retryMs);
    }
  };
  const begin = (): void => {
    attempts += 1;
    underWay = underWay.then(attempt).finally(() => (attempts -= 1));
  };
  const schedule = (atUnixMs: number): void => {
    if (isOver) return;
    clearTimeout(timer);
    nextUnixMs = atUnixMs;
    const dueUnixMs = Math.min(atUnixMs, wishedUnixMs() ?? atUnixMs);
    timer = setTimeout(begin, Math.max(0, dueUnixMs - clock.nowUnixMs())).unref();
  };
  schedule(renewAtUnixMs(notAfterUnixMs));
  return {
    now: () => schedule(clock.nowUnixMs()),
    look: () => {
      // One that is under way looks when it is over.
      if (attempts === 0) schedule(nextUnixMs);
    },
    atOnce: () => {
      clearTimeout(timer);
      begin();
      return underWay;
    },
    stop: async () => {
      isOver = true;
      clearTimeout(timer);
      await underWay;
    },
  };
}
