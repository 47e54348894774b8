/** A draft on trial: by the cases beside the rules, and by the calls the log has. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";

import { change } from "../../api.ts";
import {
  type ChangedCalls,
  type Replayed,
  readReplayed,
  readTried,
  type Tried,
  wayOf,
} from "../../model/policy.ts";
import { count } from "../../model/words.ts";
import { useAction } from "../../use-action.ts";
import { Status } from "../../ui/badge.tsx";
import { Button } from "../../ui/button.tsx";
import { Select } from "../../ui/field.tsx";
import { Panel } from "../../ui/panel.tsx";
import { Empty, Failure, Notice } from "../../ui/states.tsx";
import { Time } from "../../ui/time.tsx";

export function Tests({ text }: { readonly text: string }): JSX.Element {
  const result = useSignal<{ readonly of: string; readonly tried: Tried } | undefined>(undefined);
  const action = useAction();
  const run = async (): Promise<void> => {
    result.value = { of: text, tried: await change("POST", "/policy/test", { text }, readTried) };
  };
  const known = result.value;
  return (
    <Panel
      title="Tests"
      says="The cases beside the rules (*.policy-test.yaml), judged by the draft."
      actions={
        <Button icon="play" isBusy={action.isBusy} onClick={() => void action.run(run)}>
          Run the tests
        </Button>
      }
    >
      {action.failure !== undefined && <Failure says={action.failure} />}
      {known !== undefined && (
        <>
          {known.of !== text && <Notice tone="warn">The draft has changed since: run them again.</Notice>}
          <Results tried={known.tried} />
        </>
      )}
    </Panel>
  );
}

function Results({ tried: { passed, failed, files, cases } }: { readonly tried: Tried }): JSX.Element {
  if (files.length === 0)
    return (
      <Empty title="There are no cases for these rules">
        Write some beside them: docs/formats/policy-test.md has how.
      </Empty>
    );
  return (
    <>
      <p role="status">
        <Status tone={failed > 0 ? "bad" : "good"}>
          {passed} passed, {failed} failed
        </Status>
      </p>
      <ul class="cases">
        {cases.map(({ file, name, isPassed, why }, at) => (
          <li key={`${at} ${file} ${name}`}>
            <Status tone={isPassed ? "good" : "bad"}>{isPassed ? "pass" : "fail"}</Status>
            <div>
              {name}
              {why.map((line) => (
                <p key={line} class="small faint">
                  {line}
                </p>
              ))}
            </div>
          </li>
        ))}
      </ul>
    </>
  );
}

const spans = [
  { value: "1h", label: "the last hour" },
  { value: "24h", label: "the last day" },
  { value: "7d", label: "the last week" },
  { value: "30d", label: "the last month" },
] as const;

export function Replay({ text }: { readonly text: string }): JSX.Element {
  const since = useSignal("24h");
  const result = useSignal<{ readonly of: string; readonly replayed: Replayed } | undefined>(undefined);
  const action = useAction();
  const run = async (): Promise<void> => {
    const replayed = await change("POST", "/policy/diff", { text, since: since.value }, readReplayed);
    result.value = { of: text, replayed };
  };
  const known = result.value;
  return (
    <Panel
      title="Replay"
      says="Recorded calls, decided again by the draft: what would be allowed or denied otherwise."
      actions={
        <>
          <Select
            label="Calls of"
            isLabelHidden
            value={since.value}
            options={spans}
            onChange={(value) => (since.value = value)}
          />
          <Button icon="play" isBusy={action.isBusy} onClick={() => void action.run(run)}>
            Replay
          </Button>
        </>
      }
    >
      {action.failure !== undefined && <Failure says={action.failure} />}
      {known !== undefined && (
        <>
          {known.of !== text && <Notice tone="warn">The draft has changed since: replay it again.</Notice>}
          <Differences replayed={known.replayed} />
        </>
      )}
    </Panel>
  );
}

function Differences({ replayed }: { readonly replayed: Replayed }): JSX.Element {
  const { calls, changes, stays, unknown, isCut, groups } = replayed;
  return (
    <>
      <p role="status">
        {count(calls, "call", "calls")}: <strong>{changes} would change</strong>, {stays} would stay,{" "}
        {unknown} can't be told.
      </p>
      {isCut && <Notice tone="warn">There are more calls than were looked at; the newest were.</Notice>}
      {groups.length === 0 && (
        <Empty
          title={calls === 0 ? "The log has no calls of that time" : "No call would be decided otherwise"}
        />
      )}
      <ul class="replay-rows">
        {groups.map((each) => (
          <li key={`${each.callId} ${each.count}`}>
            <Changed each={each} />
          </li>
        ))}
      </ul>
    </>
  );
}

const ways = {
  opens: ["warn", "unlock", "would pass"],
  closes: ["bad", "lock", "would be refused"],
  other: ["info", "info", "otherwise"],
} as const;

function Changed({ each }: { readonly each: ChangedCalls }): JSX.Element {
  const { caller, target, callId, atUnixMs, before, after, because, reads, isKnown } = each;
  const [tone, icon, words] = isKnown ? ways[wayOf(each)] : (["plain", "dot", "can't be told"] as const);
  return (
    <>
      <Status tone={tone} icon={icon}>
        {words}
      </Status>
      <div>
        {count(each.count, "call", "calls")} to <span class="said">{target}</span>{" "}
        <span class="small faint">
          by {caller}, such as <a href={`/policy?tab=explain&call=${encodeURIComponent(callId)}`}>one</a>{" "}
          <Time at={atUnixMs} />
        </span>
        <p>
          {worded(before)} → {worded(after)} <span class="faint">{because}</span>
        </p>
        {reads.length > 0 && <p class="small faint">The log doesn't have {reads.join(", ")}.</p>}
      </div>
    </>
  );
}

function worded(decided: ChangedCalls["before"]): string {
  if (decided === undefined) return "?";
  return decided.rule === "" ? decided.verdict : `${decided.verdict} (${decided.rule})`;
}
