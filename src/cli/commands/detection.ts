/** Commands about detectors and benchmarks. */
import type { CommandRow } from "../command.ts";

export const detectionCommands = [
  {
    name: "detect watch",
    arguments: "FILE",
    summary:
      "Show a copy of traffic to the models, beside its path: what they say of calls; nothing is stopped.",
    load: async () => (await import("../detect-watch.ts")).detectWatch,
  },
  {
    name: "detect report",
    arguments: "FILE",
    summary: "Write a page about a copy of traffic: its sessions, how risky its calls are, and why.",
    load: async () => (await import("../detect-watch.ts")).detectReport,
  },
  {
    name: "detect train flows",
    arguments: "",
    summary:
      "Learn what benign flows of TLS records are like, and write the model; attacks among them are left out.",
    load: async () => (await import("../detect-flows.ts")).detectTrainFlows,
  },
  {
    name: "detect eval flows",
    arguments: "FILE",
    summary:
      "Say how well the model of flows tells attacks from what is benign, on recorded flows with labels.",
    load: async () => (await import("../detect-flows.ts")).detectEvalFlows,
  },
  {
    name: "detect train text",
    arguments: "",
    summary: "Learn from labelled texts how instructions in data speak, and write the model.",
    load: async () => (await import("../detect-text.ts")).detectTrainText,
  },
  {
    name: "detect eval text",
    arguments: "FILE",
    summary: "Say how well instructions in texts are told from data, on texts with labels, corpus by corpus.",
    load: async () => (await import("../detect-text.ts")).detectEvalText,
  },
  {
    name: "detect eval tools",
    arguments: "FILE",
    summary:
      "Say how well poisoned tool declarations are told from honest ones, on declarations with labels.",
    load: async () => (await import("../detect-text.ts")).detectEvalTools,
  },
  {
    name: "detect train calls",
    arguments: "",
    summary: "Learn the call model from recorded sessions: the same data give the same file.",
    load: async () => (await import("../detect-calls.ts")).detectTrainCalls,
  },
  {
    name: "detect calibrate",
    arguments: "",
    summary: "Give the call model's scores their meaning from benign sessions of your own.",
    load: async () => (await import("../detect-calls.ts")).detectCalibrate,
  },
  {
    name: "detect sign",
    arguments: "FILE",
    summary: "Sign a call model with Ed25519 and ML-DSA-65, in its file; gateways that name the key take it.",
    load: async () => (await import("../detect-sign.ts")).detectSign,
  },
  {
    name: "detect eval calls",
    arguments: "",
    summary: "Measure the call model on recorded sessions with and without attacks.",
    load: async () => (await import("../detect-calls.ts")).detectEvalCalls,
  },
  {
    name: "detect mutate text",
    before: "detect mutate",
    arguments: "FILE",
    summary:
      "Say how far the score of texts falls when the injections among them are encoded, split or disguised.",
    load: async () => (await import("../detect-text.ts")).detectMutate,
  },
  {
    name: "detect mutate calls",
    arguments: "",
    summary:
      "Say how far the call model falls when recorded attacks are encoded, disguised, split, delayed or interleaved, and what gates still find.",
    load: async () => (await import("../detect-mutate-calls.ts")).detectMutateCalls,
  },
  {
    name: "bench handshake",
    arguments: "",
    summary: "Measure on this machine what post-quantum handshakes cost beside classical ones.",
    load: async () => (await import("../bench.ts")).benchHandshake,
  },
] as const satisfies readonly CommandRow[];
