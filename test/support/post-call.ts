/** A tool call over plain HTTP, as a client on this machine makes it. */
import { once } from "node:events";
import http from "node:http";

import { toolCall } from "./gateway.ts";

export interface Posted {
  readonly status: number;
  readonly text: string;
}

export async function postCall(url: string, id: number | string = 1, tool = "echo"): Promise<Posted> {
  const headers = { "content-type": "application/json", accept: "application/json, text/event-stream" };
  const request = http.request(url, { method: "POST", headers });
  request.end(JSON.stringify(toolCall(tool, id)));
  const [answer] = (await once(request, "response")) as [http.IncomingMessage];
  let text = "";
  for await (const chunk of answer.setEncoding("utf8")) text += String(chunk);
  return { status: answer.statusCode ?? 0, text };
}
