/** Around every page: the menu, how the gateway is, who is logged in, the way to the content. */
import { useSignal } from "@preact/signals";
import type { ComponentChildren, JSX } from "preact";
import { useEffect } from "preact/hooks";

import { change, may, session } from "../api.ts";
import { areKeysShown } from "../keys.ts";
import type { Session } from "../model/api-answers.ts";
import { isShownTo, places } from "../model/routes.ts";
import type { Status as GatewayStatus } from "../model/status.ts";
import { hasPage } from "../pages.ts";
import { found, goTo } from "../router.ts";
import { Status, type Tone } from "../ui/badge.tsx";
import { Button } from "../ui/button.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { Icon, type IconName } from "../ui/icon.tsx";
import { Notice } from "../ui/states.tsx";
import { setTheme, theme } from "../ui/theme.ts";
import { type GatewayState, gatewayState, type Standing, useStanding } from "./standing.ts";

export function Frame({
  who,
  children,
}: {
  readonly who: Session;
  readonly children: ComponentChildren;
}): JSX.Element {
  const standing = useStanding(may("viewer"));
  const isMenuOpen = useSignal(false);
  const path = found.value?.place.path;
  useEffect(() => {
    isMenuOpen.value = false;
  }, [path]);
  return (
    <div class="frame">
      <a class="skip" href="#main">
        To the content
      </a>
      <header class="top">
        <a class="brand" href="/">
          <img src="/icon.svg" alt="" width="26" height="26" />
          <span>Latticegate</span>
        </a>
        <State state={gatewayState(standing.status)} />
        <Tools who={who} />
      </header>
      <Menu
        standing={standing}
        isOpen={isMenuOpen.value}
        onMore={() => (isMenuOpen.value = !isMenuOpen.value)}
      />
      <main id="main" tabIndex={-1}>
        {standing.status !== undefined && <Stopped status={standing.status} />}
        {children}
        <Foot status={standing.status} />
      </main>
      {areKeysShown.value && <Keys />}
    </div>
  );
}

const states: Readonly<
  Record<GatewayState, { readonly tone: Tone; readonly icon: IconName; readonly says: string }>
> = {
  connecting: { tone: "plain", icon: "clock", says: "connecting" },
  live: { tone: "good", icon: "dot", says: "live" },
  reconnecting: { tone: "warn", icon: "refresh", says: "reconnecting" },
  unreachable: { tone: "bad", icon: "warning", says: "gateway unreachable" },
  stopped: { tone: "bad", icon: "stop", says: "STOPPED" },
};

function State({ state }: { readonly state: GatewayState }): JSX.Element {
  const { tone, icon, says } = states[state];
  return (
    <div class={`state ${state}`} role="status" aria-label="Gateway">
      <Status tone={tone} icon={icon}>
        {says}
      </Status>
    </div>
  );
}

function Tools({ who }: { readonly who: Session }): JSX.Element {
  const next = { system: "light", light: "dark", dark: "system" } as const;
  const icon = { system: "system", light: "sun", dark: "moon" } as const;
  const logOut = async (): Promise<void> => {
    await change("DELETE", "/session").catch(() => undefined);
    session.value = undefined;
    goTo("/login");
  };
  return (
    <div class="top-tools">
      <span class="keys-button">
        <Button
          kind="quiet"
          icon="keyboard"
          isIconOnly
          title="Keys (?)"
          onClick={() => (areKeysShown.value = true)}
        >
          Keys
        </Button>
      </span>
      <Button
        kind="quiet"
        icon={icon[theme.value]}
        isIconOnly
        title={`Colours: ${theme.value}`}
        onClick={() => setTheme(next[theme.value])}
      >
        Colours: {theme.value}
      </Button>
      <a class="who" href="/account" title={`${who.name}: ${who.roles.join(", ")}`}>
        <Icon name="account" />
        <span>{who.name.replace(/^(operator|person):/, "")}</span>
      </a>
      <Button kind="quiet" icon="logout" isIconOnly title="Log out" onClick={() => void logOut()}>
        Log out
      </Button>
    </div>
  );
}

function groupsOf(isViewer: boolean) {
  const shown = places.filter((place) => isShownTo(place, isViewer) && hasPage(place.name));
  return (["Watch", "Act", "Govern"] as const)
    .map((group) => ({ group, shown: shown.filter((place) => "group" in place && place.group === group) }))
    .filter((each) => each.shown.length > 0);
}

/** Those that a phone's bar has; the others stand behind "More". */
const first: ReadonlySet<string> = new Set(["overview", "live", "incidents", "approvals"]);

interface MenuProps {
  readonly standing: Standing;
  readonly isOpen: boolean;
  readonly onMore: () => void;
}

function Menu({ standing, isOpen, onMore }: MenuProps): JSX.Element {
  const counts: Readonly<Record<string, number | undefined>> = {
    incidents: standing.incidents,
    approvals: standing.approvals,
  };
  const current = found.value?.place.name;
  return (
    <nav class={`menu ${isOpen ? "open" : ""}`} aria-label="Pages">
      <div class="menu-inside">
        {groupsOf(may("viewer")).map(({ group, shown }) => (
          <div class="menu-group" key={group}>
            <p class="menu-title">{group}</p>
            <ul>
              {shown.map(({ name, path, title }) => (
                <li key={name} class={first.has(name) ? "first" : "more"}>
                  <a href={path} aria-current={current === name ? "page" : undefined}>
                    <Icon name={name} />
                    <span class="menu-word">{title}</span>
                    <Count value={counts[name]} />
                  </a>
                </li>
              ))}
            </ul>
          </div>
        ))}
        <button type="button" class="menu-more" aria-expanded={isOpen ? "true" : "false"} onClick={onMore}>
          <Icon name={isOpen ? "close" : "menu"} />
          <span class="menu-word">{isOpen ? "Close" : "More"}</span>
        </button>
      </div>
    </nav>
  );
}

/** The lists behind the counts are read up to this many. */
const most = 99;

function Count({ value }: { readonly value: number | undefined }): JSX.Element | null {
  if (value === undefined || value === 0) return null;
  return (
    <span class="count">
      {value > most ? `${most}+` : value}
      <span class="hidden"> open</span>
    </span>
  );
}

function Stopped({ status }: { readonly status: GatewayStatus }): JSX.Element | null {
  if (status.stopped.length === 0) return null;
  return (
    <div class="stopped" role="alert">
      <Notice tone="bad">
        <strong>All calls are stopped.</strong>
        <ul>
          {status.stopped.map(({ source, because, by }) => (
            <li key={source}>
              {because}{" "}
              <span class="faint">
                ({source}, {by})
              </span>
            </li>
          ))}
        </ul>
        <p>
          <code>latticegate kill status</code> says how each is withdrawn.
        </p>
      </Notice>
    </div>
  );
}

function Foot({ status }: { readonly status: GatewayStatus | undefined }): JSX.Element {
  return (
    <footer class="foot">
      {status !== undefined &&
        `Latticegate ${status.version} · trust domain ${status.trustDomain} · log ${status.log.origin}`}
    </footer>
  );
}

function Keys(): JSX.Element {
  const jumps = places.filter(
    (place) => place.key !== "" && isShownTo(place, may("viewer")) && hasPage(place.name),
  );
  return (
    <Dialog title="Keys" onClose={() => (areKeysShown.value = false)}>
      <dl class="keys">
        {jumps.map(({ key, title }) => (
          <div key={key}>
            <dt>
              <kbd>g</kbd> <kbd>{key}</kbd>
            </dt>
            <dd>{title}</dd>
          </div>
        ))}
        <div>
          <dt>
            <kbd>/</kbd>
          </dt>
          <dd>the page's filter</dd>
        </div>
        <div>
          <dt>
            <kbd>?</kbd>
          </dt>
          <dd>these keys</dd>
        </div>
        <div>
          <dt>
            <kbd>Esc</kbd>
          </dt>
          <dd>closes what is open</dd>
        </div>
      </dl>
    </Dialog>
  );
}
