/** A gateway's config as sightings: the servers it registers, at their places. */
import type { Place, Sighting } from "../../inventory/sighting.ts";
import { plainUrl, withoutSecrets } from "../../inventory/clients/secrets.ts";
import type { Config } from "../config.ts";

export function registrations({ servers, file }: Config): readonly Sighting[] {
  return Object.entries(servers).flatMap(([name, server]): readonly Sighting[] => {
    const place = placeOf(server);
    if (place === undefined) return [];
    return [{ kind: "server", server: { place, evidence: { by: "registration", gateway: file, name } } }];
  });
}

/** None of a server whose URLs its clients name themselves. */
function placeOf(server: Config["servers"][string]): Place | undefined {
  if ("command" in server) {
    return {
      kind: "stdio",
      command: withoutSecrets(server.command),
      environment: [...Object.keys(server.env), ...server.pass_env],
    };
  }
  const url = "url" in server ? plainUrl(server.url) : undefined;
  return url === undefined ? undefined : { kind: "http", url };
}
