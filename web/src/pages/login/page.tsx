/** Logging in: by a one-time link, the organisation's login, a passkey, or an approval token. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";

import { change, loadSession } from "../../api.ts";
import { type LoginMethods, readLoginMethods } from "../../model/api-answers.ts";
import { wayBack } from "../../model/routes.ts";
import { arePasskeysPossible, enterWithPasskey } from "../../passkeys.ts";
import { goTo, type PageProps } from "../../router.ts";
import { Button } from "../../ui/button.tsx";
import { Field } from "../../ui/field.tsx";
import { Failure } from "../../ui/states.tsx";
import { useAction } from "../../use-action.ts";
import { useLoaded } from "../../use-loaded.ts";
import "./login.css";

export default function Page({ query }: PageProps): JSX.Element {
  const methods = useLoaded("/login-methods", readLoginMethods).data;
  const back = wayBack(query.get("back"));
  const action = useAction();
  const enterBy = async (prove: () => Promise<unknown>, then = back): Promise<void> => {
    const isIn = await action.run(async () => {
      await prove();
      await loadSession();
    });
    if (isIn) goTo(then, { replace: true });
  };
  const enter = (path: string, body: unknown, then = back): Promise<void> =>
    enterBy(() => change("POST", path, body), then);
  useEffect(() => {
    const code = takenCode();
    if (code !== undefined) void enter("/session/link", { code });
    const answer = takenAnswer();
    if (answer !== undefined) void enter("/session/oidc", answer.body, wayBack(answer.back));
  }, []);
  return (
    <section class="login">
      <img src="/icon.svg" alt="" width="44" height="44" />
      <h1 tabIndex={-1}>Log in to Latticegate</h1>
      {action.failure !== undefined && <Failure says={action.failure} />}
      {methods !== undefined && (
        <Without
          methods={methods}
          isBusy={action.isBusy}
          onLeave={() => void action.run(() => leaveForProvider(back))}
          onPasskey={() => void enterBy(enterWithPasskey)}
        />
      )}
      <Secret
        label="One-time code"
        help={
          <>
            <code>latticegate login</code> on the gateway's machine prints a link and a code. Each works once.
          </>
        }
        verb="Log in"
        isBusy={action.isBusy}
        onEnter={(code) => void enter("/session/link", { code })}
      />
      {methods?.token === true && (
        <details>
          <summary>I approve calls and have a token</summary>
          <Secret
            label="Approval token"
            help="You see what waits for you, and nothing else."
            verb="Log in with the token"
            isPassword
            isBusy={action.isBusy}
            onEnter={(token) => void enter("/session/token", { token })}
          />
        </details>
      )}
    </section>
  );
}

/** Ways in for which nothing is typed here. */
function Without({
  methods,
  isBusy,
  onLeave,
  onPasskey,
}: {
  readonly methods: LoginMethods;
  readonly isBusy: boolean;
  readonly onLeave: () => void;
  readonly onPasskey: () => void;
}): JSX.Element {
  const { oidc, passkeys } = methods;
  return (
    <>
      {passkeys && arePasskeysPossible() && (
        <Button kind="primary" icon="key" isBusy={isBusy} onClick={onPasskey}>
          Log in with a passkey
        </Button>
      )}
      {oidc && (
        <Button kind={passkeys ? "plain" : "primary"} icon="login" isBusy={isBusy} onClick={onLeave}>
          Log in with {oidc.name}
        </Button>
      )}
    </>
  );
}

/** The code of a link; taken out of the address, where it would stay in the history. */
function takenCode(): string | undefined {
  const code = new URLSearchParams(location.hash.slice(1)).get("code");
  if (code === null) return undefined;
  history.replaceState(null, "", location.pathname + location.search);
  return code;
}

const flowKey = "latticegate-oidc";

/** What proves that this browser began the login stays in it until it is back. */
async function leaveForProvider(back: string): Promise<void> {
  const { url, flow } = await change("POST", "/session/oidc/start", {}, (answer) => {
    const said = answer as { readonly url?: unknown; readonly flow?: unknown };
    return { url: String(said.url), flow: String(said.flow) };
  });
  sessionStorage.setItem(flowKey, JSON.stringify([flow, back]));
  location.assign(url);
}

/** What the provider sent back with the browser; taken out of the address. */
function takenAnswer(): { readonly body: unknown; readonly back: string } | undefined {
  const query = new URLSearchParams(location.search);
  if (!query.has("state") || !(query.has("code") || query.has("error"))) return undefined;
  history.replaceState(null, "", location.pathname);
  const kept: unknown = JSON.parse(sessionStorage.getItem(flowKey) ?? "[]");
  sessionStorage.removeItem(flowKey);
  const [flow = "", back = "/"] = Array.isArray(kept) ? kept.map(String) : [];
  return { body: { flow, query: query.toString() }, back };
}

interface SecretProps {
  readonly label: string;
  readonly help: JSX.Element | string;
  readonly verb: string;
  readonly isBusy: boolean;
  readonly isPassword?: boolean;
  readonly onEnter: (secret: string) => void;
}

function Secret({ label, help, verb, isBusy, isPassword = false, onEnter }: SecretProps): JSX.Element {
  const secret = useSignal("");
  const submit = (event: Event): void => {
    event.preventDefault();
    if (secret.value.trim() !== "") onEnter(secret.value.trim());
  };
  return (
    <form onSubmit={submit}>
      <Field
        label={label}
        help={help}
        type={isPassword ? "password" : "text"}
        value={secret.value}
        isCode
        required
        onInput={(value) => (secret.value = value)}
      />
      <Button type="submit" isBusy={isBusy}>
        {verb}
      </Button>
    </form>
  );
}
