/** Certificates that live an hour: shown to TLS, and renewed at half-life. */
import type { KeyPair } from "../crypto/keys.ts";
import type { Credentials } from "../host/net/tls.ts";
import { renewAtUnixMs } from "../identity/authority.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Log } from "../kernel/log.ts";

/** TLS takes keys as PEM only. */
export function credentialsOf(key: KeyPair, certificate: string): Credentials {
  return { certificate, privateKey: key.privateKey.export({ format: "pem", type: "pkcs8" }).toString() };
}

/** Calls `renew` at half-life of what ends at `notAfterUnixMs`, again and again; a failure is tried anew in a minute. */
export function renewing(
  notAfterUnixMs: number,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
  renew: () => Promise<number>,
): { readonly stop: () => void } {
  let timer: NodeJS.Timeout;
  const schedule = (untilUnixMs: number): void => {
    const delayMs = Math.max(0, untilUnixMs - clock.nowUnixMs());
    timer = setTimeout(() => {
      renew().then(
        (next) => schedule(renewAtUnixMs(next)),
        (error: unknown) => {
          log.error("identity.renewal_failed", { reason: error instanceof Error ? error.message : "unknown" });
          schedule(clock.nowUnixMs() + 60_000);
        },
      );
    }, delayMs).unref();
  };
  schedule(renewAtUnixMs(notAfterUnixMs));
  return { stop: () => clearTimeout(timer) };
}
