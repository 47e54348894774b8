/** The rules in force: each in words, with what it reads and why it is there. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";

import { type Policy, type Rule, rulesMatching } from "../../model/policy.ts";
import { count } from "../../model/words.ts";
import { Badge, type Tone } from "../../ui/badge.tsx";
import { Code } from "../../ui/code.tsx";
import { Field, Select } from "../../ui/field.tsx";
import type { IconName } from "../../ui/icon.tsx";
import { Facts, Panel } from "../../ui/panel.tsx";
import { Empty } from "../../ui/states.tsx";

const looks: Readonly<Record<string, readonly [Tone, IconName]>> = {
  allow: ["good", "check"],
  deny: ["bad", "cross"],
  cut: ["bad", "stop"],
  hold: ["info", "clock"],
  step_up: ["warn", "key"],
  read_only: ["warn", "eye"],
  redact: ["accent", "lock"],
};

export function Effect({ effect }: { readonly effect: string }): JSX.Element {
  const [tone, icon] = looks[effect] ?? ["plain", "dot"];
  return (
    <Badge tone={tone} icon={icon}>
      {effect.replaceAll("_", " ")}
    </Badge>
  );
}

export function Rules({ policy: { rules, more } }: { readonly policy: Policy }): JSX.Element {
  const sought = useSignal("");
  const effect = useSignal("");
  const shown = rulesMatching(rules, sought.value, effect.value);
  const effects = [...new Set(rules.map((rule) => rule.effect))];
  return (
    <Panel
      title={
        shown.length === rules.length ? "Rules" : `${shown.length} of ${count(rules.length, "rule", "rules")}`
      }
    >
      <div class="filters">
        <Field
          label="Find a rule"
          type="search"
          placeholder="name, caller, tool, reason"
          value={sought.value}
          isFilter
          onInput={(value) => (sought.value = value)}
        />
        <Select
          label="Effect"
          value={effect.value}
          options={[
            { value: "", label: "all" },
            ...effects.map((name) => ({ value: name, label: name.replaceAll("_", " ") })),
          ]}
          onChange={(value) => (effect.value = value)}
        />
      </div>
      {rules.length === 0 && (
        <Empty title="There are no rules, so nothing is allowed">
          Draft some: <a href="/policy?tab=draft">the draft</a> is checked as you type.
        </Empty>
      )}
      {rules.length > 0 && shown.length === 0 && <Empty title="No rule has that" icon="search" />}
      <ul class="rules">
        {shown.map((rule) => (
          <li key={rule.name}>
            <OneRule rule={rule} />
          </li>
        ))}
      </ul>
      {more > 0 && <p class="small faint">{count(more, "more rule isn't", "more rules aren't")} listed.</p>}
    </Panel>
  );
}

function OneRule({ rule }: { readonly rule: Rule }): JSX.Element {
  const { name, on, effect, isShadow, because, inWords, callers, targets, when, reads } = rule;
  return (
    <details class="rule">
      <summary>
        <span class="rule-head">
          <strong class="rule-name">{name}</strong>
          <Effect effect={effect} />
          {on !== "call" && <Badge>{on}</Badge>}
          {isShadow && (
            <Badge tone="warn" icon="eye">
              watched only
            </Badge>
          )}
        </span>
        <span class="rule-words">{inWords}</span>
      </summary>
      <div class="rule-body">
        <Facts
          facts={[
            ["Why", because],
            ...(callers.length === 0 ? [] : [["Callers", <Names key="callers" names={callers} />] as const]),
            ...(targets.length === 0 ? [] : [["About", <Names key="targets" names={targets} />] as const]),
            ...(reads.length === 0 ? [] : [["Facts it reads", <Names key="reads" names={reads} />] as const]),
          ]}
        />
        {when !== "" && <Code label={`Condition of ${name}`} text={when.trim()} />}
      </div>
    </details>
  );
}

const maxNames = 40;

function Names({ names }: { readonly names: readonly string[] }): JSX.Element {
  return (
    <ul class="rule-names">
      {names.slice(0, maxNames).map((name) => (
        <li key={name}>
          <code>{name}</code>
        </li>
      ))}
      {names.length > maxNames && <li>and {names.length - maxNames} more</li>}
    </ul>
  );
}
