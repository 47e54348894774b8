/** Why one call of the log is decided as it is, rule by rule. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";

import { change } from "../../api.ts";
import { type Explained, readExplained } from "../../model/policy.ts";
import { count } from "../../model/words.ts";
import { setQuery } from "../../router.ts";
import { useAction } from "../../use-action.ts";
import { Badge, Status, type Tone } from "../../ui/badge.tsx";
import { Button } from "../../ui/button.tsx";
import { Code } from "../../ui/code.tsx";
import { Field } from "../../ui/field.tsx";
import { Facts, Panel } from "../../ui/panel.tsx";
import { Empty, Failure } from "../../ui/states.tsx";
import { Effect } from "./rules.tsx";

export function Explain({ asked }: { readonly asked: string }): JSX.Element {
  const callId = useSignal(asked);
  const result = useSignal<Explained | undefined>(undefined);
  const action = useAction();
  const ask = async (): Promise<void> => {
    const id = callId.peek().trim();
    setQuery({ tab: "explain", call: id });
    result.value = await change("POST", "/policy/explain", { callId: id }, readExplained);
  };
  useEffect(() => {
    if (asked !== "") void action.run(ask);
  }, []);
  return (
    <Panel
      title="A call of the log"
      says="With the rules of now, as far as the log has what they read: of arguments never a text."
    >
      <form
        class="filters"
        onSubmit={(event) => {
          event.preventDefault();
          if (callId.value.trim() !== "") void action.run(ask);
        }}
      >
        <Field
          label="Its id"
          isCode
          value={callId.value}
          maxLength={128}
          onInput={(value) => (callId.value = value)}
        />
        <Button type="submit" kind="primary" isBusy={action.isBusy}>
          Explain
        </Button>
      </form>
      {action.failure !== undefined && <Failure says={action.failure} />}
      {result.value === undefined ? (
        <Empty title="Name a call">
          Each call on <a href="/live">Live</a> has its id.
        </Empty>
      ) : (
        <Why explained={result.value} />
      )}
    </Panel>
  );
}

const counting: Readonly<Record<string, readonly [Tone, string]>> = {
  yes: ["good", "counts"],
  no: ["plain", "doesn't count"],
  unknown: ["warn", "can't be told"],
};

function Why({
  explained: { logged, decision, rules, others },
}: {
  readonly explained: Explained;
}): JSX.Element {
  return (
    <>
      {logged !== undefined && (
        <p role="status">
          The log says: <strong>{logged.outcome}</strong>
          {logged.rule !== "" && ` by ${logged.rule}`}.
        </p>
      )}
      {decision !== undefined && (
        <p>
          Decision: {decision.verdict} {decision.rule !== "" && `by ${decision.rule}`} {decision.because}
        </p>
      )}
      {rules.length === 0 && <Empty title="No rule is about this call" />}
      <ul class="rules">
        {rules.map(({ rule, effect, party, counts, isShadow, why, when, values }, at) => {
          const [tone, words] = counting[counts] ?? ["plain", counts];
          return (
            <li key={`${at} ${rule}`} class="rule rule-body">
              <span class="rule-head">
                <strong class="rule-name">{rule}</strong>
                <Effect effect={effect} />
                <Status tone={tone}>{words}</Status>
                {isShadow && <Badge tone="warn">watched only</Badge>}
              </span>
              <p class="small">
                {why.length === 0 ? "It has no condition." : why.join("; ")}{" "}
                <span class="faint">Asked of {party}.</span>
              </p>
              {when !== "" && <Code label={`Condition of ${rule}`} text={when.trim()} />}
              {values.length > 0 && (
                <Facts facts={values.map(([path, value]) => [path, <code key={path}>{value}</code>])} />
              )}
            </li>
          );
        })}
      </ul>
      {others > 0 && <p class="small faint">{count(others, "rule is", "rules are")} about other things.</p>}
    </>
  );
}
