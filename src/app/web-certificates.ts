/** The certificates of a listener for clients with tokens: read from their files, and again when these change. */
import { readFileSync } from "node:fs";

import type { Ports } from "../gate/ports.ts";
import type { Credentials } from "../host/net/tls.ts";
import { checkWebCertificate, type WebDoors } from "../host/net/web-tls.ts";
import { watchFiles } from "../host/store/watched-files.ts";
import { Refusal } from "../kernel/refusal.ts";
import type { WebListener } from "./config/listen.ts";

/** Files that change are taken over once they fit together. */
export function watchCertificates(
  listener: Pick<WebListener, "url" | "certificates">,
  web: Pick<WebDoors, "renew">,
  { clock, log }: Pick<Ports, "clock" | "log">,
): ReturnType<typeof watchFiles> {
  return watchFiles(
    listener.certificates.flatMap(({ certificate, key }) => [certificate, key]),
    () => {
      try {
        web.renew(readCredentials(listener, clock.nowUnixMs()));
        log.info("listener.certificate_renewed", { url: listener.url });
      } catch (error) {
        // Half of what belongs together may be there; the rest comes as another change. The old one serves on.
        const reason = error instanceof Error ? error.message : "unknown";
        log.error("listener.certificate_refused", { url: listener.url, reason });
      }
    },
  );
}

/** @throws Refusal `bad_config` */
export function readCredentials(
  { url, certificates }: Pick<WebListener, "url" | "certificates">,
  nowUnixMs: number,
): readonly Credentials[] {
  return certificates.map((files) => {
    const certificate = readText(files.certificate);
    checkWebCertificate(certificate, new URL(url).hostname, nowUnixMs);
    return { certificate, privateKey: readText(files.key) };
  });
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new Refusal("bad_config", `${file} can't be read.`, { cause });
  }
}
