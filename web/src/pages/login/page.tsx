/** Logging in: by a one-time link, the organisation's login, a passkey, or an approval token. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";

import { apiHref, change, loadSession } from "../../api.ts";
import { readLoginMethods } from "../../model/api-answers.ts";
import { wayBack } from "../../model/routes.ts";
import { goTo, type PageProps } from "../../router.ts";
import { Button, LinkButton } from "../../ui/button.tsx";
import { Field } from "../../ui/field.tsx";
import { Failure } from "../../ui/states.tsx";
import { useAction } from "../../use-action.ts";
import { useLoaded } from "../../use-loaded.ts";
import "./login.css";

export default function Page({ query }: PageProps): JSX.Element {
  const methods = useLoaded("/login-methods", readLoginMethods).data;
  const back = wayBack(query.get("back"));
  const action = useAction();
  const enter = async (path: string, body: unknown): Promise<void> => {
    const isIn = await action.run(async () => {
      await change("POST", path, body);
      await loadSession();
    });
    if (isIn) goTo(back, { replace: true });
  };
  useEffect(() => {
    const code = takenCode();
    if (code !== undefined) void enter("/session/link", { code });
  }, []);
  return (
    <section class="login">
      <img src="/icon.svg" alt="" width="44" height="44" />
      <h1 tabIndex={-1}>Log in to Latticegate</h1>
      {action.failure !== undefined && <Failure says={action.failure} />}
      {methods?.oidc && (
        <LinkButton
          kind="primary"
          icon="login"
          href={apiHref(`/session/oidc?back=${encodeURIComponent(back)}`)}
        >
          Log in with {methods.oidc.name}
        </LinkButton>
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

/** The code of a link; taken out of the address, where it would stay in the history. */
function takenCode(): string | undefined {
  const code = new URLSearchParams(location.hash.slice(1)).get("code");
  if (code === null) return undefined;
  history.replaceState(null, "", location.pathname + location.search);
  return code;
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
