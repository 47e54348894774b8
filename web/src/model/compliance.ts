/** Compliance evidence as the API has it. */
import { fields, list, number, text, texts } from "./fields.ts";

export const verdicts = ["met", "not met", "no evidence"] as const;
export type Verdict = (typeof verdicts)[number];

export interface Example {
  readonly index: number;
  readonly id: string;
  readonly at: string;
}

interface TestResult {
  readonly test: string;
  readonly result: string;
  readonly says: string;
  readonly entry: Example;
}

export interface Control {
  readonly id: string;
  readonly title: string;
  readonly asks: string;
  readonly isOnlyShould: boolean;
  readonly verdict: Verdict;
  readonly because: readonly string[];
  readonly evidence: readonly {
    readonly says: string;
    readonly count: number;
    readonly isLeast: boolean;
    readonly examples: readonly Example[];
  }[];
  readonly tests: readonly TestResult[];
}

export interface Level {
  readonly dimension: string;
  readonly level: number;
  readonly missing: readonly { readonly control: string; readonly because: string }[];
}

export interface Framework {
  readonly name: string;
  readonly title: string;
  readonly source: string;
  readonly note: string;
  readonly controls: readonly Control[];
  readonly counts: Readonly<Record<Verdict, number>>;
  readonly levels: readonly Level[];
}

export interface Report {
  readonly at: string;
  readonly logSize: number;
  readonly why: string;
  readonly tests: readonly {
    readonly test: string;
    readonly shows: string;
    readonly isRefusal: boolean;
    readonly result: TestResult | undefined;
  }[];
  readonly frameworks: readonly Framework[];
}

export function readReport(value: unknown): Report {
  const report = fields(value);
  return {
    at: text(report["at"]),
    logSize: number(fields(report["log"])["size"]),
    why: text(fields(report["tested"])["why"]),
    tests: list(report["tests"]).map((test) => ({
      test: text(test["test"]),
      shows: text(test["shows"]),
      isRefusal: test["kind"] === "refusal",
      result: test["result"] === null ? undefined : readResult(fields(test["result"])),
    })),
    frameworks: list(report["frameworks"]).map(readFramework),
  };
}

function readFramework(framework: ReturnType<typeof fields>): Framework {
  const counts = fields(framework["counts"]);
  return {
    name: text(framework["name"]),
    title: text(framework["title"]),
    source: text(framework["source"]),
    note: text(framework["note"]),
    controls: list(framework["controls"]).map(readControl),
    counts: {
      met: number(counts["met"]),
      "not met": number(counts["not met"]),
      "no evidence": number(counts["no evidence"]),
    },
    levels: list(framework["levels"]).map((level) => ({
      dimension: text(level["dimension"]),
      level: number(level["level"]),
      missing: list(level["missing"]).map((missing) => ({
        control: text(missing["control"]),
        because: text(missing["because"]),
      })),
    })),
  };
}

function readControl(control: ReturnType<typeof fields>): Control {
  return {
    id: text(control["id"]),
    title: text(control["title"]),
    asks: text(control["asks"]),
    isOnlyShould: fields(control["grade"])["binding"] === "should",
    // What isn't understood isn't met.
    verdict: verdicts.find((verdict) => verdict === control["verdict"]) ?? "no evidence",
    because: texts(control["because"]),
    evidence: list(control["evidence"]).map((evidence) => ({
      says: text(evidence["says"]),
      count: number(evidence["count"]),
      isLeast: evidence["isLeast"] === true,
      examples: list(evidence["examples"]).map(readExample),
    })),
    tests: list(control["tests"]).map(readResult),
  };
}

function readResult(result: ReturnType<typeof fields>): TestResult {
  return {
    test: text(result["test"]),
    result: text(result["result"]),
    says: text(result["says"]),
    entry: readExample(fields(result["entry"])),
  };
}

function readExample(example: ReturnType<typeof fields>): Example {
  return { index: number(example["index"]), id: text(example["id"]), at: text(example["at"]) };
}

/** Short names for tabs; the whole title stands below. */
const shortNames: Readonly<Record<string, string>> = {
  cosai: "CoSAI",
  nsa: "NSA",
  "owasp-mcp": "OWASP MCP",
  "owasp-asi": "OWASP ASI",
  soc2: "SOC 2",
  gdpr: "GDPR",
  "ai-act": "AI Act",
  cswp39: "CSWP 39",
};

export function shortName({ name, title }: Framework): string {
  return shortNames[name] ?? title;
}
