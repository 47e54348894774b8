/** One's own passkeys: the list, a new one, and one that is removed with the sessions it began. */
import { z } from "zod";

import { type Challenges, challengeLifetimeMs, challenges } from "../../control/challenges.ts";
import type { From, Login } from "../../control/login.ts";
import { roles } from "../../control/login.ts";
import { Reply, type Route, route } from "../../control/route.ts";
import type { Sessions } from "../../control/sessions.ts";
import {
  askForNewPasskey,
  challengeIn,
  checkedRegistration,
  type NewPasskeyQuestion,
  notTaken,
  type PasskeyPage,
  type RegistrationAnswer,
} from "../../host/passkeys/webauthn.ts";
import { maxPasskeysEach, type Passkey } from "../../host/store/state-people.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { shortId } from "./control-records.ts";
import { loginNamed } from "./known-people.ts";
import { passkeyAnswer, questionAnswer, registrationBody, told } from "./passkey-answers.ts";
import type { PasskeyLoginNeeds } from "./passkey-login.ts";
import { mustBePasskeyPage } from "./passkey-page.ts";

export interface PasskeyNeeds extends PasskeyLoginNeeds {
  readonly sessions: Sessions;
  /** Shown beside the person's name in its devices' lists: a host may have several gateways. */
  readonly place: string;
}

/** What a registration was begun for. */
interface Begun {
  readonly person: string;
  readonly handle: string;
  readonly page: PasskeyPage;
}

const tag = "session";
/** Who found a browser open, or took a session over, makes no way in of it that lasts. */
const freshMs = 15 * 60_000;
/** Those that prove enough for what the config gives the person. */
const goodWays: ReadonlySet<string> = new Set<Login["by"]>(["link", "oidc", "passkey"]);

export function passkeyRoutes(needs: PasskeyNeeds): readonly Route[] {
  return [listRoute(needs), ...addRoutes(needs), removeRoute(needs)];
}

function listRoute({ store }: PasskeyNeeds): Route {
  return route({
    method: "GET",
    path: "/passkeys",
    summary: "One's own passkeys, oldest first.",
    tag,
    role: roles,
    answer: z.object({ passkeys: z.array(passkeyAnswer), most: z.number() }),
    handle: ({ login }) => ({ passkeys: store.passkeys(login.name).map(told), most: maxPasskeysEach }),
  });
}

function addRoutes(needs: PasskeyNeeds): readonly Route[] {
  const { store, clock, random, entrance } = needs;
  const asked = challenges<Begun>(random);
  return [
    route({
      method: "POST",
      path: "/passkeys/start",
      summary:
        "Begins a new passkey of one's own, within 15 minutes after a login: what a device is to make.",
      tag,
      role: roles,
      answer: questionAnswer,
      handle: async ({ login, session, from, host }) => {
        entrance.take(from);
        mustBeFresh(needs, login, needs.sessions.of(session, from, clock.nowUnixMs())?.beganUnixMs);
        const begun = begin(needs, login, host);
        const challenge = asked.ask(begun, from, clock.nowUnixMs());
        return { options: { ...(await askForNewPasskey(questionOf(needs, begun, challenge))) } };
      },
    }),
    route({
      method: "POST",
      path: "/passkeys",
      summary: "Keeps a new passkey under a name.",
      tag,
      role: roles,
      body: z.strictObject({ name: z.string().trim().min(1).max(64), answer: registrationBody }),
      answer: passkeyAnswer,
      touches: "people",
      handle: async ({ body: { name, answer }, login, from }) => {
        entrance.take(from);
        const made = await registered(answer, { ...needs, asked, login, from });
        const passkey = { ...made, name, createdUnixMs: clock.nowUnixMs(), usedUnixMs: undefined };
        store.addPasskey(passkey);
        return new Reply(told(passkey), {}, shortId(passkey.id));
      },
    }),
  ];
}

/** @throws Refusal `bad_state` where there are as many as there may be, or no page for them */
function begin({ store, random, origins }: PasskeyNeeds, { name }: Login, host: string): Begun {
  const page = mustBePasskeyPage(host, origins());
  const own = store.passkeys(name);
  if (own.length >= maxPasskeysEach)
    throw new Refusal("bad_state", `You have ${maxPasskeysEach} passkeys; remove one first.`);
  // One person, one handle: devices replace what they have of it, and list it once.
  const handle = own[0]?.handle ?? Buffer.from(random()).toString("base64url");
  return { person: name, handle, page };
}

function questionOf(
  { store, place }: PasskeyNeeds,
  { person, handle, page }: Begun,
  challenge: string,
): NewPasskeyQuestion {
  const known = store.passkeys(person).filter(({ host }) => host === page.host);
  const shown = `${person.replace(/^person:/, "")} (${place})`;
  return { challenge, page, person: shown, handle, known, timeoutMs: challengeLifetimeMs };
}

/** @throws Refusal `denied` */
function mustBeFresh(
  { settings, clock }: PasskeyNeeds,
  { name, by }: Login,
  beganUnixMs: number | undefined,
): void {
  if (beganUnixMs === undefined || !goodWays.has(by))
    throw new Refusal("denied", "Log in by a link, the organisation's login or a passkey to add a passkey.");
  if (loginNamed(name, by, settings) === undefined)
    throw new Refusal("denied", "Passkeys are for people whom `control.people` in the config names.");
  if (clock.nowUnixMs() - beganUnixMs >= freshMs)
    throw new Refusal("denied", "You logged in a while ago. Log in again to add a passkey.");
}

/** @throws Refusal `denied` with the reason */
async function registered(
  answer: RegistrationAnswer,
  {
    asked,
    clock,
    login,
    from,
  }: PasskeyNeeds & { readonly asked: Challenges<Begun>; readonly login: Login; readonly from: From },
): Promise<Omit<Passkey, "name" | "createdUnixMs" | "usedUnixMs">> {
  const challenge = challengeIn(answer.response.clientDataJSON);
  const begun = asked.take(challenge, from, clock.nowUnixMs());
  if (begun === undefined || begun.person !== login.name)
    throw notTaken("challenge", "It answers nothing that was asked of this browser lately; begin again.");
  const { person, handle, page } = begun;
  return { ...(await checkedRegistration(answer, { challenge, page })), person, handle, host: page.host };
}

function removeRoute({ store, sessions, clock }: PasskeyNeeds): Route {
  return route({
    method: "DELETE",
    path: "/passkeys/{id}",
    summary: "Removes a passkey of one's own, and ends the other sessions that it began.",
    tag,
    role: roles,
    params: z.object({ id: z.string().max(1364) }),
    answer: z.object({ removed: z.string() }),
    touches: "people",
    handle: ({ params: { id }, login, session, from }) => {
      // Of another's passkey nobody is told whether it is there.
      if (store.passkey(id)?.person !== login.name || !store.removePasskey(id))
        throw new Refusal("bad_state", "You have no such passkey (any more).");
      const here = sessions.of(session, from, clock.nowUnixMs())?.id;
      sessions.endAll((each) => each.login.passkey === id && each.id !== here);
      return new Reply({ removed: id }, {}, shortId(id));
    },
  });
}
