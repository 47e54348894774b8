/** One screen: how the gateway is, what stands behind it, what was just decided. */
import type { JSX } from "preact";

import { calls, link, status } from "../gateway.ts";
import type { Link } from "../model/polling.ts";
import type { Call, Status } from "../model/status.ts";
import { callerName, count, duration } from "../model/words.ts";

export function Page(): JSX.Element {
  return (
    <>
      <header>
        <img src="/icon.svg" alt="" width="36" height="36" />
        <h1>Latticegate</h1>
        <LinkState link={link.value} />
      </header>
      {link.value.kind === "expired" ? <Expired /> : <Gateway status={status.value} calls={calls.value} />}
    </>
  );
}

function LinkState({ link }: { readonly link: Link }): JSX.Element {
  const words = {
    connecting: "connecting",
    live: "serving",
    expired: "link expired",
    unreachable: "gateway unreachable",
  } as const;
  return (
    <p role="status" class={`link ${link.kind}`}>
      {words[link.kind]}
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
          <code>latticegate up</code> printed, or ask <code>latticegate status</code>.
        </p>
      </section>
    </main>
  );
}

function Gateway({
  status,
  calls,
}: {
  readonly status: Status | undefined;
  readonly calls: readonly Call[];
}): JSX.Element {
  if (status === undefined) return <main aria-busy="true" />;
  return (
    <main>
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
