/** The pharmacy's API: a real HTTP server, and the Swagger file that describes it. */
import http from "node:http";
import type { AddressInfo } from "node:net";

import { atEnd, type Cleanup } from "./cleanup.ts";

export const swagger = {
  swagger: "2.0",
  info: { title: "Pharmacy inventory", version: "7" },
  host: "api.pharmacy.test",
  schemes: ["https"],
  basePath: "/v1",
  paths: {
    "/inventory/query": {
      post: {
        operationId: "queryInventory",
        summary: "Stock of a drug.",
        consumes: ["application/json"],
        produces: ["application/json"],
        parameters: [
          {
            name: "body",
            in: "body",
            required: true,
            schema: {
              type: "object",
              required: ["drug"],
              properties: { drug: { type: "string" }, at_least: { type: "integer" } },
            },
          },
        ],
        responses: { 200: { description: "The stock.", schema: { $ref: "#/definitions/Stock" } } },
      },
    },
    "/pharmacy-records": {
      get: {
        summary: "All records.",
        produces: ["application/json"],
        responses: { 200: { description: "Records.", schema: { type: "array", items: { type: "object" } } } },
      },
    },
    "/records/{id}": {
      delete: {
        operationId: "removeRecord",
        parameters: [{ name: "id", in: "path", required: true, type: "string" }],
        responses: { 204: { description: "Gone." } },
      },
    },
  },
  definitions: {
    Stock: {
      type: "object",
      properties: { drug: { type: "string" }, units: { type: "integer" } },
    },
  },
};

export interface Asked {
  readonly method: string;
  readonly url: string;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

export interface Pharmacy {
  /** With the path that its document says. */
  readonly url: string;
  readonly asked: Asked[];
}

export type Answers = (asked: Asked, response: http.ServerResponse) => void;

/** What the pharmacy itself says. */
export const stocked: Answers = ({ method, url, body }, response) => {
  const path = url.split("?", 1)[0];
  const say = (status: number, value: unknown, type = "application/json"): void => {
    response.writeHead(status, { "content-type": type }).end(JSON.stringify(value));
  };
  if (method === "POST" && path === "/v1/inventory/query") {
    const { drug } = JSON.parse(body) as { drug?: string };
    if (drug === "unknown")
      say(404, { title: "No such drug", detail: "It isn't in the register." }, "application/problem+json");
    else say(200, { drug, units: 12 });
  } else if (method === "GET" && path === "/v1/pharmacy-records") say(200, [{ id: "r1", units: 3 }]);
  else if (method === "DELETE") response.writeHead(204).end();
  else say(404, { error: "nothing here" });
};

export async function pharmacy(t: Cleanup, answers: Answers = stocked): Promise<Pharmacy> {
  const asked: Asked[] = [];
  const server = http.createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      const { method = "", url = "", headers } = request;
      const one = { method, url, headers, body };
      asked.push(one);
      answers(one, response);
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  atEnd(t, () => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`, asked };
}
