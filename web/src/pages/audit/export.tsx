/** A run of entries as one file, which anybody verifies without this gateway. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";

import { apiHref } from "../../api.ts";
import { Field } from "../../ui/field.tsx";
import { Panel } from "../../ui/panel.tsx";

export function Export(): JSX.Element {
  const from = useSignal("0");
  const to = useSignal("99");
  const [first, last] = [Number(from.value), Number(to.value)];
  const isRun = Number.isInteger(first) && Number.isInteger(last) && first >= 0 && last >= first;
  return (
    <Panel
      title="Hand out entries"
      says="With what proves them. Its reader needs the file, a fingerprint of the log's keys, and verify.html or latticegate audit verify-bundle."
    >
      <div class="audit-search">
        <Field label="First entry" value={from.value} type="number" onInput={(text) => (from.value = text)} />
        <Field
          label="Last entry"
          value={to.value}
          type="number"
          wrong={isRun ? undefined : "It comes after the first."}
          onInput={(text) => (to.value = text)}
        />
        {isRun && (
          <a class="button primary" href={apiHref(`/audit/export?from=${first}&to=${last}`)} download="">
            Download
          </a>
        )}
      </div>
    </Panel>
  );
}
