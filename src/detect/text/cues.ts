/** What instructions in a text look like: classes of words that follow each other closely. One row a cue. */
import type { Severity } from "../../model/finding.ts";
import type { WordClass } from "./lexicon.ts";

/** One step: the classes of which a word has one; `!` wants the word right behind the one before. */
type Step = WordClass | readonly WordClass[];

export interface Cue {
  readonly kind: string;
  readonly severity: Severity;
  readonly means: string;
  readonly steps: readonly Step[];
  /** Words from one step to the next, at most. */
  readonly gap: number;
}

export const cues = [
  {
    kind: "told.override",
    severity: "high",
    means: "tells the reader to ignore what it was told before",
    steps: ["override", ["prior", "every", "you"], "orders"],
    gap: 4,
  },
  {
    kind: "told.override",
    severity: "high",
    means: "tells the reader to ignore what it was told before",
    steps: ["override", "orders", ["prior", "now"]],
    gap: 4,
  },
  {
    kind: "told.override-weak",
    severity: "medium",
    means: "tells the reader to leave something out of account",
    steps: ["override", ["prior", "orders", "every"]],
    gap: 4,
  },
  {
    kind: "told.new-orders",
    severity: "high",
    means: "claims that other instructions count now",
    steps: ["now", "orders", ["you", "run", "must", "send", "read"]],
    gap: 6,
  },
  {
    kind: "told.conceal",
    severity: "high",
    means: "tells the reader to keep something from its user",
    steps: ["not", "tell", ["user", "orders", "tool", "you"]],
    gap: 4,
  },
  {
    kind: "told.conceal",
    severity: "high",
    means: "tells the reader to keep something from its user",
    steps: ["tell", "not", "user"],
    gap: 4,
  },
  {
    kind: "told.secrecy",
    severity: "high",
    means: "tells the reader to act unseen",
    steps: [["hide"], ["send", "act", "read", "run", "replace"]],
    gap: 4,
  },
  {
    kind: "told.secrecy",
    severity: "high",
    means: "tells the reader to act unseen",
    steps: [["send", "run", "read", "replace"], ["hide"]],
    gap: 6,
  },
  {
    kind: "told.send-secret",
    severity: "high",
    means: "tells the reader to send secrets somewhere",
    steps: ["send", "secret", "place"],
    gap: 10,
  },
  {
    kind: "told.read-secret",
    severity: "high",
    means: "asks for secrets, or for files that hold them",
    steps: [
      ["read", "send"],
      ["secret", "path"],
      ["send", "you", "place", "replace", "path", "must"],
    ],
    gap: 8,
  },
  {
    kind: "told.first",
    severity: "medium",
    means: "makes one act the condition of another",
    steps: ["before", "using", ["tool", "you", "every"], ["must", "run", "read", "send"]],
    gap: 8,
  },
  {
    kind: "told.first",
    severity: "medium",
    means: "makes one act the condition of another",
    steps: [["must", "urgent"], ["run", "read", "send", "using"], "before"],
    gap: 8,
  },
  {
    kind: "told.urgent",
    severity: "medium",
    means: "presses the reader to act",
    steps: ["urgent", ["you", "must", "please", "system"], ["act", "run", "send", "read"]],
    gap: 8,
  },
  {
    kind: "told.shell",
    severity: "high",
    means: "tells the reader to run a command",
    steps: [["run", "must", "act"], "shell"],
    gap: 10,
  },
  {
    kind: "told.divert",
    severity: "high",
    means: "tells the reader to put something in the place of what was asked for",
    steps: [["must", "every"], "replace", ["user", "place", "secret", "path", "every", "you"]],
    gap: 10,
  },
  {
    kind: "told.system",
    severity: "medium",
    means: "speaks as if it were the system",
    steps: ["system", ["urgent", "orders", "must", "replace"], ["you", "must", "act", "run"]],
    gap: 5,
  },
  {
    kind: "told.you-must",
    severity: "low",
    means: "tells its reader what it must do",
    steps: ["you", "must", ["act", "run", "send", "read", "replace"]],
    gap: 3,
  },
  {
    kind: "told.model",
    severity: "medium",
    means: "speaks to a model",
    steps: ["model", ["must", "please", "you", "now"], ["act", "run", "send", "read", "override"]],
    gap: 6,
  },
  {
    kind: "told.role",
    severity: "medium",
    means: "gives the reader another role",
    steps: ["you", "now", ["role", "model", "system"]],
    gap: 5,
  },
  {
    kind: "told.answer",
    severity: "low",
    means: "says how the reader is to answer",
    steps: [["act", "replace"], "you", "answer"],
    gap: 8,
  },
  {
    kind: "told.answer",
    severity: "low",
    means: "says how the reader is to answer",
    steps: ["you", "answer", ["act", "must", "replace"]],
    gap: 5,
  },
] as const satisfies readonly Cue[];
