/** `latticegate ca token | anchor | list | revoke | readmit` */
import {
  gatewayAnchor,
  listCertificates,
  makeJoinToken,
  readmitIdentity,
  revokeCertificates,
} from "../app/certificate-authority.ts";
import { loadConfig } from "../app/config.ts";
import { systemClock } from "../host/system.ts";
import { Refusal } from "../kernel/refusal.ts";
import { type Command, configFile, configOption } from "./command.ts";
import { jsonText } from "./tools-text.ts";

export const caToken = {
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

export const caAnchor = {
  options: {
    ...configOption,
    address: {
      type: "string",
      value: "HOST:PORT",
      help: "Where workloads find the gateway; as it listens by default.",
    },
  },
  run: async (call) => {
    call.out(await gatewayAnchor(loadConfig(configFile(call)), call.text("address")));
    return 0;
  },
} as const satisfies Command;

export const caList = {
  options: { ...configOption, json: { type: "boolean", help: "Print JSON." } },
  run: (call) => {
    const certificates = [...listCertificates(loadConfig(configFile(call)), systemClock)];
    if (call.flag("json")) {
      call.out(
        jsonText(
          certificates.map(({ serial, purpose, state, spiffeId, notAfterUnixMs }) => ({
            serial,
            spiffe_id: spiffeId,
            purpose,
            state,
            not_after: new Date(notAfterUnixMs).toISOString(),
          })),
        ),
      );
      return Promise.resolve(0);
    }
    for (const certificate of certificates) {
      const until = new Date(certificate.notAfterUnixMs).toISOString();
      const { serial, purpose, state, spiffeId } = certificate;
      call.out(`${serial}  ${until}  ${purpose.padEnd(16)}  ${state.padEnd(10)}  ${spiffeId}`);
    }
    return Promise.resolve(0);
  },
} as const satisfies Command;

export const caRevoke = {
  options: configOption,
  run: (call) => {
    const [what] = call.positionals;
    if (what === undefined)
      throw new Refusal(
        "bad_config",
        "Name a serial number or a SPIFFE ID; `latticegate ca list` shows them.",
      );
    const revoked = revokeCertificates(loadConfig(configFile(call)), what, systemClock);
    if (revoked?.isShutOut === true && revoked.certificates + revoked.joinTokens === 0) {
      const end = revoked.spiffeId.startsWith("oauth:")
        ? "its access tokens count no more"
        : "it had nothing that counts, and can't prove itself anew";
      call.out(`revoked ${revoked.spiffeId}: ${end}`);
      return Promise.resolve(0);
    }
    if (revoked === undefined || revoked.certificates + revoked.joinTokens === 0) {
      call.out(`nothing to revoke: no valid certificate or join token is or belongs to ${what}`);
      return Promise.resolve(1);
    }
    const { spiffeId, certificates, joinTokens } = revoked;
    const tokens = joinTokens === 0 ? "" : `, ${counted(joinTokens, "join token")}`;
    call.out(`revoked ${spiffeId}: ${counted(certificates, "certificate")}${tokens}`);
    return Promise.resolve(0);
  },
} as const satisfies Command;

export const caReadmit = {
  options: configOption,
  run: (call) => {
    const [spiffeId] = call.positionals;
    if (spiffeId === undefined) throw new Refusal("bad_config", "Name the SPIFFE ID that was revoked.");
    const isChanged = readmitIdentity(loadConfig(configFile(call)), spiffeId);
    call.out(isChanged ? `readmitted ${spiffeId}` : `nothing to do: ${spiffeId} isn't shut out`);
    return Promise.resolve(isChanged ? 0 : 1);
  },
} as const satisfies Command;
function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}
