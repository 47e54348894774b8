/** The one way from a proof of who somebody is to a session, whatever was proven: paced, and told to the audit log. */
import { z } from "zod";

import { attempts } from "../../kernel/attempts.ts";
import { type From, type Login, roles, type WayIn } from "../../control/login.ts";
import { Reply } from "../../control/route.ts";
import type { Sessions } from "../../control/sessions.ts";
import type { Clock } from "../../kernel/clock.ts";
import { Refusal } from "../../kernel/refusal.ts";

/** Somebody came in, or tried to. */
export type Tried =
  | { readonly way: WayIn; readonly login: Login }
  /** Why not. */
  | { readonly way: WayIn; readonly refused: unknown };

/** What cannot be guessed is tried all the same: that is kept from costing anything. */
const loginPace = [
  { burst: 10, perMinute: 10 },
  { burst: 60, perMinute: 60 },
] as const;

export const sessionAnswer = z.object({
  name: z.string(),
  roles: z.array(z.enum(roles)),
  /** How it came in. */
  by: z.string(),
  /** For the header of changes; null without a cookie. */
  csrf: z.string().nullable(),
  /** Null: it doesn't end by itself. */
  expiresAtUnixMs: z.number().nullable(),
});

type SessionAnswer = z.output<typeof sessionAnswer>;

export interface Entrance {
  /** One try from there. @throws Refusal `too_many_requests` */
  readonly take: (from: From) => void;
  /** One try, which makes a session of a proof. @param of who that is; undefined: nobody */
  readonly enter: (
    way: WayIn,
    of: () => Login | undefined | Promise<Login | undefined>,
    from: From,
  ) => Promise<Reply<SessionAnswer>>;
}

export function entrance(needs: {
  readonly sessions: Sessions;
  readonly clock: Clock;
  readonly tried: (what: Tried) => void;
}): Entrance {
  const { sessions, clock, tried } = needs;
  const tries = attempts(...loginPace);
  const take: Entrance["take"] = ({ address }) => tries(address, clock.nowUnixMs());
  const enter: Entrance["enter"] = async (way, of, from) => {
    take(from);
    try {
      const login = somebody(await of(), way);
      const nowUnixMs = clock.nowUnixMs();
      const secret = sessions.begin(login, from, nowUnixMs);
      tried({ way, login });
      return new Reply(saidOf(login, sessions.of(secret, from, nowUnixMs)), {
        "set-cookie": cookie(secret, from),
      });
    } catch (refused) {
      tried({ way, refused });
      throw refused;
    }
  };
  return { take, enter };
}

/** @throws Refusal `no_identity` */
function somebody(login: Login | undefined, way: WayIn): Login {
  if (login !== undefined) return login;
  throw new Refusal("no_identity", `That ${way} isn't good (any more); "latticegate login" prints a link.`);
}

/** Over TLS, browsers see to it that no other host and no plain page of this one has set it (RFC 6265bis §4.1.3.2). */
export function cookieName(isRemote: boolean): string {
  return isRemote ? "__Host-latticegate-session" : "latticegate-session";
}

export function cookieOfNobody(from: From): string {
  return `${cookie("", from)}; Max-Age=0`;
}

function cookie(secret: string, { isRemote = false }: From): string {
  const secure = isRemote ? "; Secure" : "";
  return `${cookieName(isRemote)}=${secret}; Path=/; HttpOnly; SameSite=Strict${secure}`;
}

export function saidOf(
  { name, roles: has, by }: Login,
  session: { readonly csrf: string; readonly expiresAtUnixMs: number } | undefined,
): SessionAnswer {
  return {
    name,
    roles: [...has],
    by,
    csrf: session?.csrf ?? null,
    expiresAtUnixMs: session?.expiresAtUnixMs ?? null,
  };
}
