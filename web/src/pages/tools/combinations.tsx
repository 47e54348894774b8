/** Toxic combinations: tools that are harmless alone and let a stranger's text do harm together. */
import type { JSX } from "preact";

import { type Combination, markWords } from "../../model/tools.ts";
import { count } from "../../model/words.ts";
import { Icon } from "../../ui/icon.tsx";
import { Panel } from "../../ui/panel.tsx";

const titles: Readonly<Record<string, string>> = {
  exfiltration: "Private data can be sent away",
  sabotage: "A stranger's text can destroy or pay",
};

export function Combinations({
  combinations,
}: {
  readonly combinations: readonly Combination[];
}): JSX.Element | null {
  if (combinations.length === 0) return null;
  return (
    <Panel
      title="Toxic combinations"
      says="No tool of these is wrong by itself. Take one part away from who has them all, or have a rule refuse the last one in a session that has used the others."
    >
      <div class="stack">
        {combinations.map((each, at) => (
          <details key={`${each.kind} ${at}`} open={at === 0 && combinations.length < 3}>
            <summary>
              {titles[each.kind] ?? each.kind}: {whoseWords(each.who)}
            </summary>
            <One combination={each} />
          </details>
        ))}
      </div>
    </Panel>
  );
}

const maxNamed = 4;

function whoseWords(who: readonly string[]): string {
  const more = who.length - maxNamed;
  return `${who.slice(0, maxNamed).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

function One({
  combination: { parts, says, isAcrossServers },
}: {
  readonly combination: Combination;
}): JSX.Element {
  return (
    <div class="stack combination">
      <ol class="parts">
        {parts.map(({ mark, tools }, at) => (
          <li key={mark}>
            <p class="small faint">
              {at + 1}. {markWords[mark] ?? mark}
            </p>
            <ul>
              {tools.map((name) => (
                <li key={name} class="mono">
                  {name}
                </li>
              ))}
            </ul>
            {at < parts.length - 1 && <Icon name="right" size={18} />}
          </li>
        ))}
      </ol>
      <p class="small">
        {says.charAt(0).toUpperCase() + says.slice(1)}.{" "}
        {isAcrossServers && `It takes ${count(2, "server", "or more servers")}: no server's owner sees it.`}
      </p>
    </div>
  );
}
