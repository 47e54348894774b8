/** The profile in force, and another one in two steps: what it would change, then its application. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";

import { change, may } from "../../api.ts";
import {
  type Plan,
  type PlanRow,
  planSays,
  type Profiles,
  readPlan,
  readProfiles,
} from "../../model/crypto.ts";
import { useAction } from "../../use-action.ts";
import { Badge, Status, type Tone } from "../../ui/badge.tsx";
import { Button } from "../../ui/button.tsx";
import { Confirm } from "../../ui/dialog.tsx";
import { Check, Field, Select } from "../../ui/field.tsx";
import { Facts, Panel } from "../../ui/panel.tsx";
import { Empty, Failure, Notice, Show } from "../../ui/states.tsx";
import { Time } from "../../ui/time.tsx";
import { toast } from "../../ui/toast.tsx";
import { useLoaded } from "../../use-loaded.ts";

export function Profile(): JSX.Element {
  const loaded = useLoaded("/crypto/profiles", readProfiles, ["crypto"]);
  return (
    <Show loaded={loaded} rows={10}>
      {(profiles) => (
        <>
          <InForce profiles={profiles} />
          <Change profiles={profiles} onDone={loaded.reload} />
        </>
      )}
    </Show>
  );
}

function InForce({
  profiles: { configured, inForce, since, outgoing, profiles },
}: {
  readonly profiles: Profiles;
}): JSX.Element {
  const own = profiles.find(({ name }) => name === inForce);
  return (
    <Panel title="In force" says={own?.summary}>
      <Facts
        facts={[
          ["Profile", <strong key="name">{inForce}</strong>],
          ...(since === "" ? [] : [["Since", <Time key="since" at={since} />] as const]),
          ["Key exchange", own?.groups.join(", ") ?? "–"],
          ["Identities", own?.identities.join(", ") ?? "–"],
          ...outgoing.map(
            ({ profile, until }) =>
              [
                "Still taken",
                <span key={profile}>
                  {profile}, until <Time at={until} as="full" />
                </span>,
              ] as const,
          ),
        ]}
      />
      {configured !== inForce && (
        <Notice tone="warn">
          The config names {configured}. Write <code>profile: {inForce}</code> into it, so that it says what
          is in force.
        </Notice>
      )}
    </Panel>
  );
}

const overlaps = [
  { value: "10m", label: "10 minutes" },
  { value: "2h", label: "2 hours, as usual" },
  { value: "1d", label: "a day" },
  { value: "7d", label: "a week" },
] as const;

interface Shown {
  readonly plan: Plan;
  /** As it was asked for, and is ordered with. */
  readonly wish: { readonly profile: string; readonly overlap: string };
}

function Change({
  profiles: { inForce, profiles },
  onDone,
}: {
  readonly profiles: Profiles;
  readonly onDone: () => void;
}): JSX.Element {
  const others = profiles.filter(({ name }) => name !== inForce);
  const chosen = useSignal("");
  const overlap = useSignal("2h");
  const shown = useSignal<Shown | undefined>(undefined);
  const action = useAction();
  const profile = others.some(({ name }) => name === chosen.value) ? chosen.value : (others[0]?.name ?? "");
  const forget = (): void => void (shown.value = undefined);
  const ask = async (): Promise<void> => {
    const wish = { profile, overlap: overlap.value };
    shown.value = { wish, plan: await change("POST", "/crypto/plan", wish, readPlan) };
  };
  return (
    <Panel
      title="Another profile"
      says="First what it would change and whom it would break; that changes nothing."
    >
      <div class="filters">
        <Wishes
          others={others}
          profile={profile}
          overlap={overlap.value}
          onChange={(wish) => {
            chosen.value = wish.profile;
            overlap.value = wish.overlap;
            forget();
          }}
        />
        <Button icon="eye" isBusy={action.isBusy} onClick={() => void action.run(ask)}>
          Show the plan
        </Button>
      </div>
      {action.failure !== undefined && <Failure says={action.failure} />}
      {shown.value !== undefined && (
        <Decision
          shown={shown.value}
          onDone={() => {
            forget();
            onDone();
          }}
        />
      )}
    </Panel>
  );
}

interface WishesProps {
  readonly others: Profiles["profiles"];
  readonly profile: string;
  readonly overlap: string;
  readonly onChange: (wish: Shown["wish"]) => void;
}

function Wishes({ others, profile, overlap, onChange }: WishesProps): JSX.Element {
  return (
    <>
      <Select
        label="Profile"
        value={profile}
        options={others.map(({ name, forbidden }) => ({
          value: name,
          label: forbidden.length === 0 ? name : `${name} (forbidden today)`,
        }))}
        onChange={(value) => onChange({ profile: value, overlap })}
      />
      <Select
        label="The old one is taken for"
        value={overlap}
        options={overlaps}
        onChange={(value) => onChange({ profile, overlap: value })}
      />
    </>
  );
}

/** What was shown, and the step after it. */
function Decision({ shown, onDone }: { readonly shown: Shown; readonly onDone: () => void }): JSX.Element {
  const isAsked = useSignal(false);
  const { plan } = shown;
  return (
    <>
      <ShownPlan plan={plan} />
      {may("operator") && plan.isPossible && plan.changes.length > 0 && (
        <div class="row">
          <Button kind="primary" icon="check" onClick={() => (isAsked.value = true)}>
            Apply {plan.to}
          </Button>
        </div>
      )}
      {isAsked.value && <Apply shown={shown} onDone={onDone} onClose={() => (isAsked.value = false)} />}
    </>
  );
}

const verdicts: Readonly<Record<string, Tone>> = { breaks: "bad", "may break": "warn", renews: "info" };

/** Each thing that is there, and what would become of it. */
function Rows({ rows }: { readonly rows: readonly PlanRow[] }): JSX.Element {
  if (rows.length === 0) return <Empty title="Nothing there is would be otherwise" />;
  return (
    <ul class="plan-rows">
      {rows.map(({ verdict, what, who, because, remedy, count }) => (
        <li key={`${verdict} ${what} ${who} ${because}`}>
          <Status tone={verdicts[verdict] ?? "good"}>{verdict}</Status>
          <div>
            <strong>{who}</strong> <span class="small faint">{count > 1 ? `${what}, ${count}` : what}</span>
            <p>{because}</p>
            {remedy !== "" && <p class="faint">→ {remedy}</p>}
          </div>
        </li>
      ))}
    </ul>
  );
}

function ShownPlan({ plan }: { readonly plan: Plan }): JSX.Element {
  const { from, to, doesBreak, changes, conflicts, rows, more } = plan;
  return (
    <>
      <p role="status">
        <Status tone={doesBreak ? "bad" : "good"}>
          From {from} to {to}: {planSays(plan)}
        </Status>
      </p>
      <ul class="plan-changes">
        {changes.map(({ what, gone, added }) => (
          <li key={what}>
            <span class="faint">{what}</span>
            {gone.map((id) => (
              <Badge key={id} tone="bad">
                − {id}
              </Badge>
            ))}
            {added.map((id) => (
              <Badge key={id} tone="good">
                + {id}
              </Badge>
            ))}
          </li>
        ))}
      </ul>
      {conflicts.length > 0 && (
        <Notice tone="warn">
          Before <code>profile: {to}</code> is written into the config, hybrid-preferred has to go from{" "}
          {conflicts.join(", ")}.
        </Notice>
      )}
      <Rows rows={rows} />
      {more > 0 && <p class="small faint">and {more} more</p>}
    </>
  );
}

function Apply({
  shown: { plan, wish },
  onDone,
  onClose,
}: {
  readonly shown: Shown;
  readonly onDone: () => void;
  readonly onClose: () => void;
}): JSX.Element {
  const mayBreak = useSignal(false);
  const name = useSignal("");
  const apply = async (because: string): Promise<void> => {
    if (plan.doesBreak && !mayBreak.value)
      throw new Error("Say that what breaks may break, or put it right first.");
    if (name.value.trim() !== plan.to) throw new Error(`Type ${plan.to} to say that you mean it.`);
    const order = { ...wish, planDigest: plan.digest, breaks: mayBreak.value, because };
    await change("POST", "/crypto/apply", order);
    toast(`${plan.to} is in force.`);
    onDone();
  };
  return (
    <Confirm
      title={`Apply ${plan.to}?`}
      says={
        <p>
          {planSays(plan)} Sidecars follow with their next call, idle ones within half an hour. What only{" "}
          {plan.from} has is taken for{" "}
          {overlaps.find(({ value }) => value === wish.overlap)?.label ?? wish.overlap}.
        </p>
      }
      verb={`Apply ${plan.to}`}
      isDanger={plan.doesBreak}
      onConfirm={apply}
      onClose={onClose}
    >
      {plan.doesBreak && (
        <Check
          label="What the plan says that breaks may break"
          isOn={mayBreak.value}
          onChange={(isOn) => (mayBreak.value = isOn)}
        />
      )}
      <Field label={`Type ${plan.to}`} value={name.value} isCode onInput={(value) => (name.value = value)} />
    </Confirm>
  );
}
