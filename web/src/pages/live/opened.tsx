/** One call in full: its way through the gateway, why it was decided so, what was found, what the log has of it. */
import type { JSX } from "preact";

import { segment } from "../../api.ts";
import {
  type CallDetail,
  type Entry,
  readCallDetail,
  type RuleSaid,
  type Stage,
} from "../../model/call-detail.ts";
import { shown } from "../../model/names.ts";
import { Verdict } from "../../ui/badge.tsx";
import { Code } from "../../ui/code.tsx";
import { Icon } from "../../ui/icon.tsx";
import { Facts, Panel } from "../../ui/panel.tsx";
import { Notice, Show } from "../../ui/states.tsx";
import { Time } from "../../ui/time.tsx";
import { useLoaded } from "../../use-loaded.ts";
import { LinkMark } from "./link-mark.tsx";
import { Receipt } from "./receipt.tsx";

export function Opened({ id }: { readonly id: string }): JSX.Element {
  const loaded = useLoaded(`/calls/${segment(id)}`, readCallDetail);
  const { data } = loaded;
  return (
    <div class="stack">
      <a class="back" href={`/live${location.search}`}>
        <Icon name="left" size={16} /> All calls
      </a>
      <Panel
        title={data === undefined ? "Call" : shown(data.call.what)}
        actions={data && <Verdict verdict={data.call.verdict} />}
      >
        <Show loaded={loaded} rows={10}>
          {(detail) => <Detail detail={detail} />}
        </Show>
      </Panel>
      {data && <Receipt key={id} callId={id} entries={data.entries.map(({ event }) => event)} />}
    </div>
  );
}

function Detail({ detail }: { readonly detail: CallDetail }): JSX.Element {
  const { call, chain, because, stages, risk, findings, rules, entries } = detail;
  return (
    <article class="stack" aria-label={`Call ${call.callId}`}>
      {because !== "" && <p class="lead">{shown(because)}</p>}
      <Facts
        facts={[
          ["Caller", shown(call.caller)],
          ...(chain.length === 0 ? [] : [["For", chain.map(shown).join(" → ")] as const]),
          ["At", <Time key="at" at={call.atUnixMs} as="full" />],
          ["Came on", <Link key="link" detail={detail} />],
          ["Signed", signed(detail)],
          ["Rule", shown(call.rule ?? "none")],
          ["Outcome", call.outcome ?? "under way"],
          ...(risk === null ? [] : [["Risk", riskText(risk)] as const]),
          ["Call's id", <code key="id">{call.callId}</code>],
        ]}
      />
      {stages.length > 0 && <Way stages={stages} />}
      {findings.length > 0 && (
        <section>
          <h3>Found</h3>
          <ul>
            {findings.map(({ kind, at, in: where }, i) => (
              <li key={i}>
                {kind} in the {where}
                {at !== "" && <> at {shown(at)}</>}
              </li>
            ))}
          </ul>
        </section>
      )}
      {rules.length > 0 && <Rules rules={rules} />}
      <Entries entries={entries} />
    </article>
  );
}

function Link({ detail: { link, serverLink } }: { readonly detail: CallDetail }): JSX.Element {
  const name = [link.group, link.certificate].filter((part) => part !== "").join(", ");
  return (
    <>
      <LinkMark link={link} /> {name}
      {link.regression !== "" && <Notice tone="warn">{link.regression}</Notice>}
      <div class="faint">
        {serverLink === null
          ? "the server is on this machine, or wasn't asked"
          : `to the server: ${serverLink.keyExchange}${serverLink.group === "" ? "" : `, ${serverLink.group}`}`}
      </div>
    </>
  );
}

function signed({ signatures: { call, answer } }: CallDetail): string {
  const said = (what: string, by: string): string => `${what}: ${by === "" ? "not" : by}`;
  return `${said("call", call)}; ${said("answer", answer)}`;
}

function riskText({ call, session, because }: NonNullable<CallDetail["risk"]>): string {
  const parts = [
    ...(call === null ? [] : [`call ${call.toFixed(2)}`]),
    ...(session === null ? [] : [`session ${session.toFixed(2)}`]),
  ];
  return parts.join(", ") + (because === "" ? "" : `: ${because}`);
}

const stageWords: Readonly<Record<string, string>> = {
  judge: "Judged",
  journal: "Written down",
  server: "At the server",
  answer: "Answer checked",
};

/** Its way as bars on one scale; the same in numbers beside them. */
function Way({ stages }: { readonly stages: readonly Stage[] }): JSX.Element {
  const end = Math.max(...stages.map(({ fromMs, ms }) => fromMs + ms), 0.01);
  return (
    <section>
      <h3>Its way through the gateway</h3>
      <table class="way">
        <tbody>
          {stages.map(({ stage, fromMs, ms }) => (
            <tr key={stage}>
              <th scope="row">{stageWords[stage] ?? stage}</th>
              <td class="way-bar" aria-hidden="true">
                <svg viewBox="0 0 100 10" preserveAspectRatio="none">
                  <rect x={(fromMs / end) * 100} width={Math.max((ms / end) * 100, 0.7)} y="0" height="10" />
                </svg>
              </td>
              <td class="number">{ms < 10 ? ms.toFixed(2) : ms.toFixed(0)} ms</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Rules({ rules }: { readonly rules: readonly RuleSaid[] }): JSX.Element {
  return (
    <section>
      <h3>The rules about it</h3>
      <ul class="live-rules">
        {rules.map((rule) => (
          <li key={`${rule.rule} ${rule.isShadow}`}>
            <strong>{shown(rule.rule)}</strong> {rule.effect}
            {rule.isShadow && " (recorded, not enforced)"}:{" "}
            {rule.counts === "yes"
              ? "counts"
              : rule.counts === "no"
                ? "doesn't count"
                : "can't be told any more"}
            <div class="faint">{shown(rule.because)}</div>
            {rule.why.map((why) => (
              <div class="small" key={why}>
                {shown(why)}
              </div>
            ))}
            {rule.condition !== undefined && <Code label="Condition" text={rule.condition} />}
            {rule.values.length > 0 && (
              <Facts facts={rule.values.map(({ path, value }) => [path, shown(value)] as const)} />
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

function Entries({ entries }: { readonly entries: readonly Entry[] }): JSX.Element {
  if (entries.length === 0) return <p class="faint">Its entries are being written.</p>;
  return (
    <section>
      <h3>In the audit log</h3>
      {entries.map(({ index, event, outcome, facts }) => (
        <details key={index}>
          <summary>
            Entry {index}: {event}, {outcome}
          </summary>
          <Facts facts={facts.map(([name, value]) => [name, shown(value)] as const)} />
          <a href={`/audit/${index}`}>Open it in the log</a>
        </details>
      ))}
    </section>
  );
}
