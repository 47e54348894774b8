/** Verifies beside the page, so that the page stays awake. */
import { type Given, judge } from "./judge.ts";

addEventListener("message", ({ data }: MessageEvent<Given>) => postMessage(judge(data)));
