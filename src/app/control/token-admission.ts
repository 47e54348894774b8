/** Lets in whoever holds this start's token, and people by tokens of their own; from this machine alone. */
import type http from "node:http";

import type { Admission } from "../../control/control-server.ts";
import type { Login } from "../../control/login.ts";
import { checkLoopbackRequest, isSameSecret } from "../../host/net/loopback.ts";
import { type People, personOf } from "../approvals/approvers.ts";

/** @param token of this start, which stands in the state folder */
export function tokenAdmission(token: string, people: People): Admission {
  return {
    loginOf: (request) => {
      checkLoopbackRequest(request);
      const given = bearerOf(request);
      if (given === undefined) return undefined;
      if (isSameSecret(given, token))
        return { name: "operator:local", roles: new Set(["admin"]), by: "start token" };
      const person = personOf(given, people);
      return person === undefined ? undefined : personLogin(person);
    },
    // A page of another site can't know the token.
    checkChange: () => undefined,
  };
}

function personLogin(name: string): Login {
  return { name, roles: new Set(["approver"]), by: "person's token" };
}

function bearerOf({ headers }: http.IncomingMessage): string | undefined {
  return /^Bearer (.+)$/.exec(headers.authorization ?? "")?.[1];
}
