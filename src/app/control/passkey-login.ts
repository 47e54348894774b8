/** Logging in with a passkey: whom it is of it says itself, and what that one may the config. */
import { type Challenges, challengeLifetimeMs, challenges } from "../../control/challenges.ts";
import type { From, Login } from "../../control/login.ts";
import { type Route, route } from "../../control/route.ts";
import {
  askForPasskey,
  challengeIn,
  checkedLogin,
  type LoginAnswer,
  notTaken,
  type PasskeyPage,
} from "../../host/passkeys/webauthn.ts";
import type { PeopleStore } from "../../host/store/state-people.ts";
import type { Clock } from "../../kernel/clock.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { ControlSettings } from "../config/control.ts";
import { type Entrance, sessionAnswer } from "./entrance.ts";
import { loginNamed } from "./known-people.ts";
import { loginBody, questionAnswer } from "./passkey-answers.ts";
import { mustBePasskeyPage } from "./passkey-page.ts";

export interface PasskeyLoginNeeds {
  readonly store: PeopleStore;
  readonly settings: ControlSettings;
  readonly clock: Clock;
  /** 32 bytes of it. */
  readonly random: () => Uint8Array;
  /** Under which the page is served. */
  readonly origins: () => readonly string[];
  readonly entrance: Entrance;
}

const tag = "session";

export function passkeyLoginRoutes(needs: PasskeyLoginNeeds): readonly Route[] {
  const { clock, random, origins, entrance } = needs;
  const asked = challenges<PasskeyPage>(random);
  return [
    route({
      method: "POST",
      path: "/session/passkey/start",
      summary: "Begins a login with a passkey: what its device signs.",
      tag,
      role: "public",
      answer: questionAnswer,
      handle: async ({ from, host }) => {
        entrance.take(from);
        const page = mustBePasskeyPage(host, origins());
        const challenge = asked.ask(page, from, clock.nowUnixMs());
        return { options: { ...(await askForPasskey({ challenge, page }, challengeLifetimeMs)) } };
      },
    }),
    route({
      method: "POST",
      path: "/session/passkey",
      summary: "Ends a login with a passkey, with what its device signed.",
      tag,
      role: "public",
      body: loginBody,
      answer: sessionAnswer,
      handle: ({ body, from }) =>
        entrance.enter("passkey", () => loginOfPasskey(body, { ...needs, asked, from }), from),
    }),
  ];
}

interface Answering extends PasskeyLoginNeeds {
  readonly asked: Challenges<PasskeyPage>;
  readonly from: From;
}

/** @throws Refusal `denied` with the reason */
async function loginOfPasskey(
  answer: LoginAnswer,
  { store, settings, clock, asked, from }: Answering,
): Promise<Login> {
  const challenge = challengeIn(answer.response.clientDataJSON);
  const page = asked.take(challenge, from, clock.nowUnixMs());
  if (page === undefined)
    throw notTaken("challenge", "It answers nothing that was asked of this browser lately; begin again.");
  const passkey = store.passkey(answer.id);
  if (passkey === undefined || passkey.host !== page.host || passkey.handle !== answer.response.userHandle)
    throw notTaken("unknown", "Nobody here has it (any more).");
  const { person: whose, id } = passkey;
  try {
    const use = await checkedLogin(answer, { challenge, page }, passkey);
    const login = loginNamed(whose, "passkey", settings);
    if (login === undefined)
      throw notTaken("not_named", "`control.people` in the config doesn't name you (any more).");
    if (!store.usedPasskey(id, { ...use, atUnixMs: clock.nowUnixMs() }))
      throw notTaken("counter", "It was removed, or used elsewhere at this very moment.");
    return { ...login, passkey: id };
  } catch (error) {
    throw error instanceof Refusal ? of(error, whose) : error;
  }
}

/** For the audit log: whose passkey it was. */
function of(refusal: Refusal, whose: string): Refusal {
  const { code, message, cause, facts } = refusal;
  return new Refusal(code, message, { cause, facts: { ...facts, whose } });
}
