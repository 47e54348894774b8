/** The dashboard: who is logged in, the frame around the pages, and the page that the address names. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";

import { Failed, loadSession, may, session } from "./api.ts";
import { Frame } from "./frame/frame.tsx";
import { isShownTo } from "./model/routes.ts";
import { hasPage, loadPage, pageState } from "./pages.ts";
import { found, goTo, query } from "./router.ts";
import { startStream, stopStream } from "./stream.ts";
import { Button } from "./ui/button.tsx";
import { Empty, Failure } from "./ui/states.tsx";
import { Toasts } from "./ui/toast.tsx";

export function App(): JSX.Element {
  const name = found.value?.place.name;
  return (
    <>
      {name === "login" ? (
        <main id="main" class="alone">
          <Named />
        </main>
      ) : (
        <LoggedIn />
      )}
      <Toasts />
    </>
  );
}

/** The session first; without one, the login page with the way back here. */
function LoggedIn(): JSX.Element {
  const failure = useSignal<string | undefined>(undefined);
  const wasIn = useRef(false);
  const who = session.value;
  const ask = (): void => {
    failure.value = undefined;
    loadSession().catch((error: unknown) => {
      if (error instanceof Failed && error.status === 401) toLogin();
      else failure.value = error instanceof Error ? error.message : "The gateway can't be reached.";
    });
  };
  useEffect(() => {
    if (who !== undefined) {
      wasIn.current = true;
      startStream();
    } else if (wasIn.current) toLogin();
    else ask();
  }, [who === undefined]);
  useEffect(() => stopStream, []);
  if (failure.value !== undefined) {
    return (
      <main id="main" class="alone">
        <Failure says={failure.value} onRetry={ask} />
      </main>
    );
  }
  if (who === undefined) return <main id="main" class="alone" aria-busy="true" />;
  const place = found.value?.place;
  return (
    <Frame who={who}>
      {place === undefined || isShownTo(place, may("viewer")) ? <Named /> : <Elsewhere />}
    </Frame>
  );
}

/** Who only approves lands among the approvals. */
function Elsewhere(): JSX.Element | null {
  useEffect(() => goTo("/approvals", { replace: true }), []);
  return null;
}

function toLogin(): void {
  const here = location.pathname + location.search;
  goTo(here === "/" ? "/login" : `/login?back=${encodeURIComponent(here)}`, { replace: true });
}

/** The page that the address names. */
function Named(): JSX.Element {
  const at = found.value;
  const name = at?.place.name;
  const title = at?.place.title ?? "No such page";
  useEffect(() => {
    if (name !== undefined) loadPage(name);
  }, [name]);
  const state = name === undefined ? undefined : pageState(name);
  useArrival(location.pathname, title, state?.kind === "there");
  if (at === undefined || name === undefined || !hasPage(name)) return <NotFound />;
  if (state?.kind === "failed") {
    return <Failure says="This page couldn't be loaded." onRetry={() => loadPage(name)} />;
  }
  if (state?.kind !== "there") return <div class="page" aria-busy="true" />;
  const Page = state.page;
  return (
    <div class={`page page-${name}`} key={name}>
      <Page rest={at.rest} query={query.value} />
    </div>
  );
}

/** On another page: its title, the top, and the focus on its heading, as if the browser had loaded it. */
function useArrival(path: string, title: string, isThere: boolean): void {
  const isFirst = useRef(true);
  useEffect(() => {
    document.title = `${title} · Latticegate`;
    if (!isThere) return;
    if (!isFirst.current) {
      scrollTo(0, 0);
      document.querySelector<HTMLElement>("#main h1")?.focus({ preventScroll: true });
    }
    isFirst.current = false;
  }, [path, title, isThere]);
}

function NotFound(): JSX.Element {
  return (
    <div class="page">
      <Empty
        title={<h1 tabIndex={-1}>There is no such page</h1>}
        icon="search"
        actions={
          <Button kind="primary" onClick={() => goTo("/")}>
            Overview
          </Button>
        }
      >
        The address may be of another version, or cut.
      </Empty>
    </div>
  );
}
