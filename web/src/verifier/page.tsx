/** Files and a fingerprint in, an answer out. All that files say is shown as text. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";

import { maxAuditBundleBytes } from "../../../src/audit/audit-bundle.ts";
import type { Given, Judgement } from "./judge.ts";
// oxlint-disable-next-line import/default -- Vite makes the class
import VerifierWorker from "./worker.ts?worker&inline";

type State =
  | { readonly kind: "waiting" }
  | { readonly kind: "working" }
  | { readonly kind: "failed"; readonly why: string }
  | { readonly kind: "done"; readonly judgement: Judgement };

export function Verifier(): JSX.Element {
  const files = useSignal<readonly File[]>([]);
  const fingerprint = useSignal("");
  const state = useSignal<State>({ kind: "waiting" });
  const take = (list: FileList | null | undefined): void => {
    files.value = [...(list ?? [])];
    state.value = { kind: "waiting" };
  };
  useEffect(() => {
    // Wherever it falls: else the browser would leave the page for the file.
    document.addEventListener("dragover", (event) => event.preventDefault());
    document.addEventListener("drop", (event) => {
      event.preventDefault();
      take(event.dataTransfer?.files);
    });
  }, []);
  const run = async (): Promise<void> => {
    state.value = { kind: "working" };
    const asked = [files.value, fingerprint.value] as const;
    const answer = await verified(...asked);
    // INVARIANT: no answer stands beside other files or another fingerprint than it is about.
    if (files.value === asked[0] && fingerprint.value === asked[1]) state.value = answer;
  };
  const isReady = files.value.length > 0 && fingerprint.value.trim() !== "" && state.value.kind !== "working";
  return (
    <main>
      <h1>Is this what the log was signed over?</h1>
      <p class="faint">This page works without a network: nothing that you open here leaves this computer.</p>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void run();
        }}
      >
        <label>
          The bundle; or a receipt and the log key file
          <input type="file" multiple onChange={(event) => take(event.currentTarget.files)} />
        </label>
        <label>
          Fingerprint of the log's keys, from somebody you trust, never from who handed you the file
          <input
            type="text"
            spellcheck={false}
            autocomplete="off"
            placeholder="64 hexadecimal digits"
            onInput={(event) => {
              fingerprint.value = event.currentTarget.value;
              state.value = { kind: "waiting" };
            }}
          />
        </label>
        {files.value.length > 0 && <p class="faint">{files.value.map(({ name }) => name).join(", ")}</p>}
        <button type="submit" disabled={!isReady}>
          Verify
        </button>
      </form>
      <div role="status">
        <Answer state={state.value} />
      </div>
    </main>
  );
}

async function verified(files: readonly File[], fingerprint: string): Promise<State> {
  const size = files.reduce((sum, file) => sum + file.size, 0);
  if (size > maxAuditBundleBytes) {
    return { kind: "failed", why: `${size} bytes are too many; ${maxAuditBundleBytes} are the most.` };
  }
  const worker = new VerifierWorker();
  try {
    const read = await Promise.all(files.map(async (file) => new Uint8Array(await file.arrayBuffer())));
    const judgement = await new Promise<Judgement>((resolve, reject) => {
      worker.addEventListener("message", ({ data }: MessageEvent<Judgement>) => resolve(data));
      worker.addEventListener("error", ({ message }) => reject(new Error(message)));
      const given: Given = { files: read, fingerprint };
      worker.postMessage(
        given,
        read.map(({ buffer }) => buffer),
      );
    });
    return { kind: "done", judgement };
  } catch (error) {
    const why = error instanceof Error ? error.message : "";
    return { kind: "failed", why: `This browser couldn't verify it, which says nothing of the file. ${why}` };
  } finally {
    worker.terminate();
  }
}

function Answer({ state }: { readonly state: State }): JSX.Element | null {
  if (state.kind === "waiting") return null;
  if (state.kind === "working") return <p>Verifying …</p>;
  if (state.kind === "failed") return <p class="failed">{state.why}</p>;
  return <Verdict judgement={state.judgement} />;
}

function Verdict({ judgement }: { readonly judgement: Judgement }): JSX.Element {
  const { isIntact, says, facts, findings } = judgement;
  return (
    <>
      <section class={isIntact ? "intact" : "broken"}>
        <h2>{isIntact ? "Yes" : "No"}</h2>
        <p>{says}</p>
        {findings.length > 0 && (
          <ul>
            {findings.map((text) => (
              <li>{text}</li>
            ))}
          </ul>
        )}
        {facts.length > 0 && (
          <dl>
            {facts.map(([name, value]) => (
              <div>
                <dt>{name}</dt>
                <dd>{value}</dd>
              </div>
            ))}
          </dl>
        )}
      </section>
      {judgement.rows.length > 0 && <Entries judgement={judgement} />}
    </>
  );
}

function Entries({ judgement: { rows, count, isIntact } }: { readonly judgement: Judgement }): JSX.Element {
  return (
    <section class="entries">
      <h2>
        {rows.length < count ? `${rows.length} of the ${count} entries` : "The entries"}
        {!isIntact && ", as the file claims them"}
      </h2>
      <table>
        <thead>
          <tr>
            {["Entry", "Time", "Event", "Outcome", "Who", "What"].map((name) => (
              <th scope="col">{name}</th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(({ index, isBroken, when, event, outcome, who, what }) => (
            <tr class={isBroken ? "broken" : ""}>
              <th scope="row">{index}</th>
              {[when, event, outcome, who, what].map((text) => (
                <td>{text}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
