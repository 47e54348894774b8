/**
 * The few words that are known: what asks an agent for something, what it may be asked to do, and what says nothing.
 * Each group is one bit, so that what stands in a piece of text is two numbers.
 */
import { wordHash } from "./words.ts";

/** What tools do and people ask for; words of one row mean the same to an agent. */
const actions: readonly (readonly string[])[] = [
  ["send", "email", "mail", "forward", "deliver", "dispatch", "reply", "transmit", "submit"],
  [
    "pay",
    "transfer",
    "payment",
    "wire",
    "remit",
    "money",
    "fund",
    "donate",
    "withdraw",
    "deposit",
    "transaction",
  ],
  [
    "create",
    "add",
    "make",
    "new",
    "generate",
    "insert",
    "append",
    "register",
    "open",
    "write",
    "draft",
    "compose",
  ],
  ["delete", "remove", "erase", "drop", "wipe", "purge", "destroy", "clear", "uninstall", "kick", "ban"],
  ["update", "change", "modify", "edit", "set", "replace", "rename", "adjust", "reset", "configure", "alter"],
  ["visit", "browse", "click", "navigate", "webpage", "website", "link", "url", "page", "load", "goto"],
  ["book", "reserve", "reservation", "booking", "schedule", "appointment", "plan"],
  ["buy", "purchase", "order", "checkout", "cart", "subscribe"],
  ["invite", "enroll", "join", "member", "participant"],
  ["message", "dm", "chat", "notify", "tell", "inform", "contact", "slack", "sms", "ping", "text"],
  ["post", "publish", "tweet", "comment", "announce", "upload", "review"],
  ["share", "grant", "permission", "access", "expose", "disclose", "leak", "reveal"],
  ["password", "credential", "login", "token", "secret", "key", "passcode"],
  ["run", "execute", "command", "shell", "script", "install", "eval", "deploy", "launch", "start"],
  ["cancel", "revoke", "terminate", "abort", "unsubscribe", "refund", "return", "stop", "close"],
  ["download", "fetch", "save", "store", "copy", "clone", "export", "fork", "move"],
  ["star", "like", "follow", "rate", "vote", "approve", "accept", "confirm", "merge"],
  ["get", "read", "list", "search", "find", "view", "show", "check", "query", "retrieve", "look"],
];
/** The last row only reads. */
export const readingAction = 1 << (actions.length - 1);

/** What texts that steer an agent are made of; a family counts once however often it occurs. */
const cues: readonly { readonly weight: number; readonly words: readonly string[] }[] = [
  {
    weight: 1.5,
    words: [
      "ignore",
      "disregard",
      "forget",
      "override",
      "bypass",
      "instead",
      "ignorez",
      "ignora",
      "ignoriere",
    ],
  },
  { weight: 1, words: ["instruction", "directive", "prompt", "guideline", "instrucción", "anweisung", "指"] },
  {
    weight: 1.5,
    words: [
      "ai",
      "assistant",
      "model",
      "llm",
      "gpt",
      "chatgpt",
      "claude",
      "gemini",
      "llama",
      "mistral",
      "mixtral",
      "agent",
      "chatbot",
      "bot",
      "copilot",
      "command-r",
    ],
  },
  { weight: 0.5, words: ["you", "your", "yourself", "u", "vous", "sie", "usted"] },
  {
    weight: 1,
    words: [
      "must",
      "should",
      "need",
      "please",
      "mandatory",
      "required",
      "require",
      "ensure",
      "kindly",
      "necessary",
      "shall",
      "bitte",
      "favor",
      "请",
    ],
  },
  { weight: 0.5, words: ["before", "first", "after", "then", "once", "afterward", "finally", "prior"] },
  {
    weight: 1,
    words: [
      "important",
      "urgent",
      "immediately",
      "critical",
      "attention",
      "asap",
      "priority",
      "essential",
      "crucial",
      "urgently",
      "wichtig",
    ],
  },
  {
    weight: 0.5,
    words: [
      "task",
      "request",
      "goal",
      "objective",
      "todo",
      "solve",
      "complete",
      "proceed",
      "continue",
      "achieve",
    ],
  },
  {
    weight: 0.5,
    words: [
      "system",
      "admin",
      "administrator",
      "developer",
      "user",
      "owner",
      "authorized",
      "official",
      "security",
      "policy",
    ],
  },
  { weight: 0.3, words: ["message", "information", "note", "reminder", "announcement", "notice"] },
  { weight: 0.7, words: ["previous", "above", "earlier", "original", "preceding"] },
  { weight: 0.7, words: ["secretly", "silently", "quietly", "without", "hidden", "unnoticed", "notify"] },
  { weight: 0.5, words: ["following", "do", "perform", "follow", "carry", "execute", "step", "action"] },
];
/** The family of what sets text apart: tags, rows of signs. */
export const markCue = 1 << cues.length;
const cueWeights = [...cues.map(({ weight }) => weight), 0.5];

/** Pay no attention: they stand everywhere. */
const silent = (
  "the a an of to in on for and or is are was be by with at as from this that it its i me my we our has have had will would " +
  "can could does not no if than so into out up all any about more most other there their they he she his her been were am us"
).split(" ");

/** After these, a verb is what somebody is asked to do. */
const leads =
  "please to must should then and first you now also immediately just directly kindly can could finally instead need next bitte".split(
    " ",
  );

/** Groups of bits by word. */
const actionOf = new Map<number, number>();
const cueOf = new Map<number, number>();
for (const [row, words] of actions.entries())
  for (const word of words.flatMap(formsOf)) actionOf.set(word, (actionOf.get(word) ?? 0) | (1 << row));
for (const [row, { words }] of cues.entries())
  for (const word of words.flatMap(formsOf)) cueOf.set(word, (cueOf.get(word) ?? 0) | (1 << row));
const silentWords = new Set(silent.map(wordHash));
const leadWords = new Set(leads.map(wordHash));

function formsOf(word: string): readonly number[] {
  const stem = word.endsWith("e") ? word.slice(0, -1) : word;
  const last = word.at(-1) ?? "";
  return [
    ...new Set(
      [word, `${word}s`, `${stem}ed`, `${stem}ing`, `${word}${last}ed`, `${word}${last}ing`].map(wordHash),
    ),
  ];
}

export function actionsOf(word: number): number {
  return actionOf.get(word) ?? 0;
}

/** What people call the first of these. */
export function actionName(bits: number): string {
  return actions.find((_, row) => (bits & (1 << row)) !== 0)?.[0] ?? "do that";
}

export function cuesOf(word: number): number {
  return cueOf.get(word) ?? 0;
}

export function isSilent(word: number): boolean {
  return silentWords.has(word);
}

export function isLead(word: number): boolean {
  return leadWords.has(word);
}

/** How much these families together sound like somebody who steers an agent; about 0 to 11. */
export function cueScore(families: number): number {
  let score = 0;
  for (let row = 0; row < cueWeights.length; row++)
    if ((families & (1 << row)) !== 0) score += cueWeights[row] ?? 0;
  return score;
}
