/** `latticegate ca token | list | revoke` */
import { listCertificates, makeJoinToken, revokeCertificates } from "../app/certificate-authority.ts";
import { loadConfig } from "../app/config.ts";
import { systemClock } from "../host/system.ts";
import { Refusal } from "../kernel/refusal.ts";
import { type Command, configFile, configOption } from "./command.ts";

export const caToken = {
  name: "ca token",
  arguments: "",
  summary: "Make a join token: one identity, once, within ten minutes.",
  options: {
    ...configOption,
    for: {
      type: "string",
      value: "PATH",
      help: "Whom it is for: agent/NAME for connect, server/NAME for expose.",
    },
    address: {
      type: "string",
      value: "HOST:PORT",
      help: "Where the newcomer finds the gateway; as it listens by default.",
    },
  },
  run: async (call) => {
    const path = call.text("for");
    if (path === undefined)
      throw new Refusal("bad_config", "Say whom the token is for: --for agent/NAME or --for server/NAME.");
    const address = call.text("address");
    const config = loadConfig(configFile(call));
    call.out(await makeJoinToken(config, { path, ...(address !== undefined && { address }) }, systemClock));
    return 0;
  },
} as const satisfies Command;

export const caList = {
  name: "ca list",
  arguments: "",
  summary: "List the certificates given out, newest first.",
  options: configOption,
  run: (call) => {
    for (const certificate of listCertificates(loadConfig(configFile(call)))) {
      const until = new Date(certificate.notAfterUnixMs).toISOString();
      call.out(`${certificate.serial}  ${until}  ${certificate.purpose.padEnd(16)}  ${certificate.spiffeId}`);
    }
    return Promise.resolve(0);
  },
} as const satisfies Command;

export const caRevoke = {
  name: "ca revoke",
  arguments: "SERIAL|SPIFFE-ID",
  summary: "Revoke a certificate, or all of an identity; the running gateway refuses its next call.",
  options: configOption,
  run: (call) => {
    const [what] = call.positionals;
    if (what === undefined)
      throw new Refusal(
        "bad_config",
        "Name a serial number or a SPIFFE ID; `latticegate ca list` shows them.",
      );
    const serials = revokeCertificates(loadConfig(configFile(call)), what, systemClock);
    for (const serial of serials) call.out(`revoked ${serial}`);
    if (serials.length === 0) call.out(`nothing to revoke: no valid certificate is or belongs to ${what}`);
    return Promise.resolve(serials.length === 0 ? 1 : 0);
  },
} as const satisfies Command;
