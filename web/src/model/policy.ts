/** Rules, drafts of them, and what becomes of calls by them, as the API has it. */
import { revealed } from "../../../src/wire/hidden-text.ts";
import { fields, list, number, text, texts } from "./fields.ts";

export interface Rule {
  readonly name: string;
  readonly on: string;
  readonly effect: string;
  readonly isShadow: boolean;
  readonly because: string;
  readonly inWords: string;
  readonly callers: readonly string[];
  readonly targets: readonly string[];
  readonly when: string;
  readonly reads: readonly string[];
}

export interface Policy {
  readonly worldDigest: string;
  readonly rules: readonly Rule[];
  readonly more: number;
  readonly source:
    | { readonly kind: string; readonly file: string; readonly text: string; readonly isInForce: boolean }
    | undefined;
  /** Why the source can't be read. */
  readonly trouble: string;
  readonly bundle:
    | {
        readonly sequence: number;
        readonly publisher: string;
        readonly source: string;
        readonly commit: string;
        readonly sinceUnixMs: number;
      }
    | undefined;
}

export function readPolicy(value: unknown): Policy {
  const { worldDigest, rules, more, source, trouble, bundle } = fields(value);
  const [from, pack] = [fields(source), fields(bundle)];
  return {
    worldDigest: text(worldDigest),
    rules: list(rules).map((rule) => ({
      name: text(rule["name"]),
      on: text(rule["on"]),
      effect: text(rule["effect"]),
      isShadow: rule["mode"] === "shadow",
      because: revealed(text(rule["because"])),
      inWords: revealed(text(rule["inWords"])),
      callers: texts(rule["callers"]).map(revealed),
      targets: texts(rule["targets"]).map(revealed),
      when: text(rule["when"]),
      reads: texts(rule["reads"]),
    })),
    more: number(more),
    source:
      from["text"] === undefined
        ? undefined
        : {
            kind: text(from["kind"]),
            file: text(from["file"]),
            text: text(from["text"]),
            isInForce: from["isInForce"] === true,
          },
    trouble: text(trouble),
    bundle:
      pack["sequence"] === undefined
        ? undefined
        : {
            sequence: number(pack["sequence"]),
            publisher: text(pack["publisher"]),
            source: text(pack["source"]),
            commit: text(pack["commit"]),
            sinceUnixMs: number(pack["sinceUnixMs"]),
          },
  };
}

/** Those that have every word of it somewhere, of one effect or all. */
export function rulesMatching(rules: readonly Rule[], sought: string, effect: string): readonly Rule[] {
  const words = sought.toLowerCase().split(/\s+/).filter(Boolean);
  return rules.filter((rule) => {
    if (effect !== "" && rule.effect !== effect) return false;
    const { name, because, inWords, callers, targets, when } = rule;
    const all = [name, because, inWords, ...callers, ...targets, when].join("\n").toLowerCase();
    return words.every((word) => all.includes(word));
  });
}

export interface Mistake {
  readonly line: number;
  readonly column: number;
  readonly isError: boolean;
  readonly rule: string;
  readonly kind: string;
  readonly wrong: string;
  readonly mend: string;
}

export interface Checked {
  readonly rules: number;
  readonly errors: number;
  readonly warnings: number;
  readonly mistakes: readonly Mistake[];
  readonly more: number;
  readonly withoutTools: readonly string[];
}

export function readChecked(value: unknown): Checked {
  const { rules, errors, warnings, findings, more, withoutTools } = fields(value);
  return {
    rules: number(rules),
    errors: number(errors),
    warnings: number(warnings),
    mistakes: list(findings).map((each) => ({
      line: number(each["line"]),
      column: number(each["column"]),
      isError: each["severity"] === "error",
      rule: text(each["rule"]),
      kind: text(each["kind"]),
      wrong: revealed(text(each["wrong"])),
      mend: revealed(text(each["mend"])),
    })),
    more: number(more),
    withoutTools: texts(withoutTools),
  };
}

/** Of each line that has one, whether it is an error. */
export function marksOf(mistakes: readonly Mistake[]): ReadonlyMap<number, "error" | "warning"> {
  const marks = new Map<number, "error" | "warning">();
  for (const { line, isError } of mistakes) {
    if (isError || !marks.has(line)) marks.set(line, isError ? "error" : "warning");
  }
  return marks;
}

export interface Tried {
  readonly passed: number;
  readonly failed: number;
  readonly files: readonly string[];
  readonly cases: readonly {
    readonly file: string;
    readonly name: string;
    readonly isPassed: boolean;
    readonly why: readonly string[];
  }[];
}

export function readTried(value: unknown): Tried {
  const { passed, failed, files, cases } = fields(value);
  return {
    passed: number(passed),
    failed: number(failed),
    files: texts(files),
    cases: list(cases).map((each) => ({
      file: text(each["file"]),
      name: revealed(text(each["name"])),
      isPassed: each["isPassed"] === true,
      why: texts(each["why"]).map(revealed),
    })),
  };
}

interface Decided {
  readonly verdict: string;
  readonly rule: string;
}

export interface ChangedCalls {
  readonly isKnown: boolean;
  readonly before: Decided | undefined;
  readonly after: Decided | undefined;
  readonly because: string;
  readonly reads: readonly string[];
  readonly caller: string;
  readonly target: string;
  readonly count: number;
  readonly callId: string;
  readonly atUnixMs: number;
}

export interface Replayed {
  readonly calls: number;
  readonly stays: number;
  readonly changes: number;
  readonly unknown: number;
  readonly isCut: boolean;
  readonly groups: readonly ChangedCalls[];
}

export function readReplayed(value: unknown): Replayed {
  const { calls, stays, changes, unknown, isCut, groups } = fields(value);
  return {
    calls: number(calls),
    stays: number(stays),
    changes: number(changes),
    unknown: number(unknown),
    isCut: isCut === true,
    groups: list(groups).map((each) => ({
      isKnown: each["becomes"] === "changes",
      before: readDecided(each["before"]),
      after: readDecided(each["after"]),
      because: revealed(text(each["because"])),
      reads: texts(each["reads"]),
      caller: revealed(text(each["caller"])),
      target: revealed(text(each["target"])),
      count: number(each["count"]),
      callId: text(each["callId"]),
      atUnixMs: number(each["atUnixMs"]),
    })),
  };
}

function readDecided(value: unknown): Decided | undefined {
  const { verdict, rule } = fields(value);
  return verdict === undefined ? undefined : { verdict: text(verdict), rule: text(rule) };
}

/** Of a change, which way it goes: what passes now that didn't, or the other way round. */
export function wayOf({ before, after }: ChangedCalls): "opens" | "closes" | "other" {
  const passes = (decided: Decided | undefined): boolean => decided?.verdict === "allow";
  if (before === undefined || after === undefined || passes(before) === passes(after)) return "other";
  return passes(after) ? "opens" : "closes";
}

export interface Explained {
  readonly logged: { readonly outcome: string; readonly rule: string } | undefined;
  readonly decision:
    | { readonly verdict: string; readonly rule: string; readonly because: string }
    | undefined;
  readonly others: number;
  readonly rules: readonly {
    readonly rule: string;
    readonly effect: string;
    readonly party: string;
    readonly counts: string;
    readonly isShadow: boolean;
    readonly why: readonly string[];
    readonly when: string;
    readonly values: readonly (readonly [path: string, value: string])[];
  }[];
}

export function readExplained(value: unknown): Explained {
  const { logged, decision, others, rules } = fields(value);
  const [log, decided] = [fields(logged), fields(decision)];
  return {
    logged:
      log["outcome"] === undefined ? undefined : { outcome: text(log["outcome"]), rule: text(log["rule"]) },
    decision:
      decided["verdict"] === undefined
        ? undefined
        : {
            verdict: text(decided["verdict"]),
            rule: text(decided["rule"]),
            because: revealed(text(decided["because"])),
          },
    others: number(others),
    rules: list(rules).map((each) => {
      const condition = fields(each["condition"]);
      return {
        rule: text(each["rule"]),
        effect: text(each["effect"]),
        party: revealed(text(each["party"])),
        counts: text(each["counts"]),
        isShadow: each["isShadow"] === true,
        why: texts(each["why"]).map(revealed),
        when: text(condition["text"]),
        values: list(condition["values"]).map(
          ({ path, value: read }) => [text(path), revealed(text(read))] as const,
        ),
      };
    }),
  };
}

/** What stands before the line at `at`: the next line begins with it, one deeper after a `- `. */
export function indentAt(written: string, at: number): string {
  const line = written.slice(written.lastIndexOf("\n", at - 1) + 1, at);
  const [spaces = "", dash = ""] = /^( *)(- )?/.exec(line)?.slice(1) ?? [];
  return spaces + " ".repeat(dash.length);
}

/** Where a line begins and ends. */
export function lineSpan(written: string, line: number): readonly [from: number, to: number] {
  const lines = written.split("\n");
  const from = lines.slice(0, line - 1).reduce((sum, each) => sum + each.length + 1, 0);
  return [from, from + (lines[line - 1]?.length ?? 0)];
}
