/** One screen: how the gateway is, what stands behind it, what was just decided. */
import type { JSX } from "preact";

import { approvals, calls, incidents, link, logIn, openNamed, responses, status } from "../gateway.ts";
import type { Approval } from "../model/approvals.ts";
import type { Link } from "../model/polling.ts";
import type { Call, Status } from "../model/status.ts";
import { callerName, count, duration } from "../model/words.ts";
import { Approvals } from "./approvals.tsx";
import { Incidents } from "./incidents.tsx";
import { Responses, StoppedNotice } from "./responses.tsx";

export function Page(): JSX.Element {
  return (
    <>
      <header>
        <img src="/icon.svg" alt="" width="36" height="36" />
        <h1>Latticegate</h1>
        <LinkState link={link.value} isStopped={(status.value?.stopped.length ?? 0) > 0} />
      </header>
      {link.value.kind === "expired" ? (
        <Expired />
      ) : (
        <Gateway
          isKnown={link.value.kind !== "connecting"}
          status={status.value}
          calls={calls.value}
          approvals={approvals.value}
        />
      )}
    </>
  );
}

function LinkState({ link, isStopped }: { readonly link: Link; readonly isStopped: boolean }): JSX.Element {
  const words = {
    connecting: "connecting",
    live: "serving",
    expired: "link expired",
    unreachable: "gateway unreachable",
  } as const;
  const isOff = link.kind === "live" && isStopped;
  return (
    <p role="status" class={`link ${isOff ? "stopped" : link.kind}`}>
      {isOff ? "STOPPED" : words[link.kind]}
    </p>
  );
}

function Expired(): JSX.Element {
  return (
    <main>
      <section class="notice">
        <h2>This link has expired</h2>
        <p>
          Each start of the gateway has a link of its own. Take the new one from what{" "}
          <code>latticegate up</code> printed, or ask <code>latticegate status</code>. Who approves calls has
          a token of its own.
        </p>
        <TokenForm />
      </section>
    </main>
  );
}

function TokenForm(): JSX.Element {
  const submit = (event: Event): void => {
    event.preventDefault();
    const token = new FormData(event.currentTarget as HTMLFormElement).get("token");
    if (typeof token !== "string" || token === "") return;
    logIn(token);
    void openNamed();
  };
  return (
    <form class="decision" onSubmit={submit}>
      <label>
        Token
        <input name="token" type="password" autocomplete="off" required />
      </label>
      <button type="submit">Log in</button>
    </form>
  );
}

interface GatewayProps {
  /** It has answered. */
  readonly isKnown: boolean;
  /** Of the operator's page alone. */
  readonly status: Status | undefined;
  readonly calls: readonly Call[];
  readonly approvals: readonly Approval[];
}

function Gateway({ isKnown, status, calls, approvals: waiting }: GatewayProps): JSX.Element {
  if (!isKnown) return <main aria-busy="true" />;
  if (status === undefined) {
    return (
      <main>
        <Approvals requests={waiting} />
      </main>
    );
  }
  return (
    <main>
      <StoppedNotice stopped={status.stopped} />
      <Incidents incidents={incidents.value} />
      <Approvals requests={waiting} />
      <Responses responses={responses.value} />
      <Facts status={status} />
      <Servers status={status} />
      <Calls calls={calls} trustDomain={status.trustDomain} />
      {status.notYet.length > 0 && (
        <section>
          <h2>Asked for in the config, not yet carried out</h2>
          <ul>
            {status.notYet.map((text) => (
              <li key={text}>{text}</li>
            ))}
          </ul>
        </section>
      )}
      <footer>
        Latticegate {status.version} · trust domain {status.trustDomain} · log {status.log.origin}
      </footer>
    </main>
  );
}

function Facts({ status }: { readonly status: Status }): JSX.Element {
  const { listener, log } = status;
  const head = log.checkpoint;
  return (
    <dl class="facts">
      <div>
        <dt>Listening</dt>
        <dd>{listener.address}</dd>
        <dd class="small">up {duration(Date.now() - status.startedAtUnixMs)}</dd>
      </div>
      <div>
        <dt>Key exchange</dt>
        <dd>{listener.groups[0]}</dd>
        <dd class="small">{listener.groups.slice(1).join(", ") || "nothing else"}</dd>
      </div>
      <div>
        <dt>Identity</dt>
        <dd>{listener.authentication}</dd>
        <dd class="small">profile {listener.profile}</dd>
      </div>
      <div>
        <dt>Audit log</dt>
        <dd>{count(log.size, "entry", "entries")}</dd>
        <dd class="small">
          {head === null ? "no head yet" : `head ${head.size} · ${head.root.slice(0, 12)}…`}
        </dd>
      </div>
    </dl>
  );
}

function Servers({ status }: { readonly status: Status }): JSX.Element {
  return (
    <section>
      <h2>Servers</h2>
      <table>
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col">Transport</th>
            <th scope="col">Target</th>
            <th scope="col" class="number">
              Calls
            </th>
            <th scope="col" class="number">
              Failed
            </th>
          </tr>
        </thead>
        <tbody>
          {status.servers.map((server) => (
            <tr key={server.name}>
              <th scope="row">{server.name}</th>
              <td>{server.transport}</td>
              <td class="target">{server.target}</td>
              <td class="number">{server.calls}</td>
              <td class="number">{server.failures}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {status.servers.length === 0 && <p class="empty">No servers are configured.</p>}
    </section>
  );
}

function Calls({
  calls,
  trustDomain,
}: {
  readonly calls: readonly Call[];
  readonly trustDomain: string;
}): JSX.Element {
  return (
    <section>
      <h2>Last calls</h2>
      <table>
        <thead>
          <tr>
            <th scope="col">Time</th>
            <th scope="col">Caller</th>
            <th scope="col">Call</th>
            <th scope="col">Verdict</th>
            <th scope="col">Rule</th>
            <th scope="col">Outcome</th>
            <th scope="col" class="number">
              ms
            </th>
          </tr>
        </thead>
        <tbody>
          {calls.map((call) => (
            <tr key={call.callId} title={call.callId}>
              <td>
                <time dateTime={new Date(call.atUnixMs).toISOString()}>
                  {new Date(call.atUnixMs).toLocaleTimeString()}
                </time>
              </td>
              <td>{callerName(call.caller, trustDomain)}</td>
              <th scope="row">{call.what}</th>
              <td>
                <span class={`verdict ${call.verdict}`}>{call.verdict}</span>
              </td>
              <td>{call.rule ?? ""}</td>
              <td>{call.outcome ?? "under way"}</td>
              <td class="number">{call.ms ?? ""}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {calls.length === 0 && <p class="empty">Nobody has called since the gateway started.</p>}
    </section>
  );
}
