/** The official SDKs' clients, in every era they speak, as one: what each can do, and what it was asked and told. */
import assert from "node:assert/strict";

import {
  Client as ClientV2,
  LOG_LEVEL_META_KEY,
  StreamableHTTPClientTransport as HttpV2,
} from "@modelcontextprotocol/client";
import { StdioClientTransport as StdioV2 } from "@modelcontextprotocol/client/stdio";
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport as StdioV1 } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport as HttpV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import * as v1 from "@modelcontextprotocol/sdk/types.js";
import { z } from "zod";

/** How a client reaches the server: a command it starts, or a URL. */
export type Front =
  | { readonly kind: "stdio"; readonly program?: string; readonly args: readonly string[] }
  | { readonly kind: "http"; readonly url: string };

export interface ToolResult {
  readonly isError?: boolean | undefined;
  readonly content: readonly { readonly type: string; readonly text?: string }[];
  readonly structuredContent?: unknown;
}

interface CallOptions {
  readonly signal?: AbortSignal;
  readonly onprogress?: () => void;
}

interface Page {
  readonly names: readonly string[];
  readonly next?: string | undefined;
}

type Listed = "tools" | "resources" | "resourceTemplates" | "prompts";

type Level = "info" | "error";

type Arguments = Readonly<Record<string, unknown>>;

/** What every client can do, whatever its SDK calls it. */
export interface Speaker {
  readonly era: "legacy" | "modern";
  /** The names of the tools, as the SDK lists them; a modern client knows their headers after that. */
  readonly tools: () => Promise<readonly string[]>;
  /** A page as the server gives it; tools, resources and prompts by name, templates by URI. */
  readonly page: (what: Listed, cursor?: string) => Promise<Page>;
  readonly call: (name: string, args: Arguments, options?: CallOptions) => Promise<ToolResult>;
  /** A call with what it logs at that level; without one, as its era has it by default. */
  readonly callLogged: (name: string, level?: Level) => Promise<readonly unknown[]>;
  readonly read: (uri: string) => Promise<unknown>;
  readonly prompt: (name: string, args?: Readonly<Record<string, string>>) => Promise<unknown>;
  readonly complete: (prompt: string, argument: string, value: string) => Promise<readonly string[]>;
  /** Listens to changes of lists and of that resource, by the means of the era. @returns what ends it */
  readonly listen: (uri: string) => Promise<() => Promise<unknown>>;
  readonly request: (method: string, params: object) => Promise<unknown>;
  /** What it was told unasked: methods, and of resources their URIs. */
  readonly told: string[];
  readonly person: Person;
  readonly close: () => Promise<void>;
}

/** Who answers what servers ask. */
interface Person {
  action: "accept" | "decline";
  /** Messages of the forms, texts for the model, and "roots". */
  readonly asked: string[];
}

interface Property {
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly oneOf?: readonly { readonly const: string }[];
  readonly anyOf?: readonly { readonly const: string }[];
  readonly items?: Property;
  readonly default?: unknown;
}

interface Form {
  readonly message: string;
  readonly requestedSchema?: { readonly properties?: Readonly<Record<string, unknown>> };
}

function answers() {
  const person: Person = { action: "accept", asked: [] };
  return {
    person,
    elicit: (form: object) => {
      const { message, requestedSchema } = form as Form;
      person.asked.push(message);
      if (person.action === "decline") return { action: "decline" as const };
      // An address to go to has no form.
      if (requestedSchema === undefined) return { action: "accept" as const };
      const properties = Object.entries(requestedSchema?.properties ?? {});
      const content = properties.map(([name, property]) => [name, filledIn(name, property as Property)]);
      return { action: "accept" as const, content: Object.fromEntries(content) as Record<string, string> };
    },
    sample: (question: object) => {
      const { messages } = question as { messages: readonly { content: { text: string } }[] };
      person.asked.push(messages[0]?.content.text ?? "");
      const content = { type: "text" as const, text: "Paris" };
      return { role: "assistant" as const, model: "test", content };
    },
    roots: () => {
      person.asked.push("roots");
      return { roots: [{ uri: "file:///house", name: "house" }] };
    },
  };
}

const typed: Readonly<Record<string, string>> = { name: "Ada", username: "ada", email: "ada@example.org" };

function filledIn(name: string, property: Property): unknown {
  if (property.default !== undefined) return property.default;
  const choices = property.enum ?? (property.oneOf ?? property.anyOf)?.map((choice) => choice.const);
  if (choices !== undefined) return choices[0];
  if (property.type === "array") return [filledIn(name, property.items ?? {})];
  if (property.type === "boolean") return true;
  return property.type === "string" ? (typed[name] ?? "blue") : 2;
}

const capabilities = { elicitation: { form: {}, url: {} }, sampling: {}, roots: {} };

export async function openV1(front: Front): Promise<Speaker> {
  const client = new ClientV1({ name: "v1", version: "1" }, { capabilities });
  const { person, elicit, sample, roots } = answers();
  client.setRequestHandler(v1.ElicitRequestSchema, ({ params }) => elicit(params));
  client.setRequestHandler(v1.CreateMessageRequestSchema, ({ params }) => sample(params));
  client.setRequestHandler(v1.ListRootsRequestSchema, roots);
  const told: string[] = [];
  const logged: unknown[] = [];
  client.setNotificationHandler(
    v1.LoggingMessageNotificationSchema,
    ({ params }) => void logged.push(params),
  );
  for (const schema of [
    v1.ToolListChangedNotificationSchema,
    v1.PromptListChangedNotificationSchema,
    v1.ResourceListChangedNotificationSchema,
  ] as const)
    client.setNotificationHandler(schema, ({ method }) => void told.push(method));
  client.setNotificationHandler(
    v1.ResourceUpdatedNotificationSchema,
    ({ params }) => void told.push(params.uri),
  );
  await client.connect(
    front.kind === "http"
      ? new HttpV1(new URL(front.url))
      : new StdioV1({ command: process.execPath, args: [...front.args] }),
  );
  const call: Speaker["call"] = async (name, args, options) =>
    (await client.callTool({ name, arguments: { ...args } }, undefined, options)) as unknown as ToolResult;
  return {
    era: "legacy",
    tools: async () => (await client.listTools()).tools.map(({ name }) => name),
    page: async (what, cursor) =>
      pageIn(what, await client.request({ method: listMethods[what], params: { cursor } }, v1.ResultSchema)),
    call,
    callLogged: legacyLogged({ call, logged, setLevel: (level) => client.setLoggingLevel(level) }),
    read: (uri) => client.readResource({ uri }),
    prompt: (name, args) => client.getPrompt({ name, ...(args && { arguments: args }) }),
    complete: async (name, argument, value) => {
      const ref = { type: "ref/prompt" as const, name };
      return (await client.complete({ ref, argument: { name: argument, value } })).completion.values;
    },
    listen: async (uri) => {
      await client.subscribeResource({ uri });
      return async () => await client.unsubscribeResource({ uri });
    },
    request: (method, params) => client.request({ method, params: { ...params } }, v1.ResultSchema),
    told,
    person,
    close: () => client.close(),
  };
}

export const openV2 =
  (mode: "legacy" | "auto" | { readonly pin: string }) =>
  async (front: Front): Promise<Speaker> => {
    const client = new ClientV2({ name: "v2", version: "1" }, { capabilities, versionNegotiation: { mode } });
    const { person, elicit, sample, roots } = answers();
    client.setRequestHandler("elicitation/create", ({ params }) => elicit(params));
    client.setRequestHandler("sampling/createMessage", ({ params }) => sample(params));
    client.setRequestHandler("roots/list", roots);
    const told: string[] = [];
    const logged: unknown[] = [];
    client.setNotificationHandler("notifications/message", ({ params }) => void logged.push(params));
    for (const method of [
      "notifications/tools/list_changed",
      "notifications/prompts/list_changed",
      "notifications/resources/list_changed",
    ] as const)
      client.setNotificationHandler(method, () => void told.push(method));
    client.setNotificationHandler(
      "notifications/resources/updated",
      ({ params }) => void told.push(params.uri),
    );
    await client.connect(
      front.kind === "http"
        ? new HttpV2(new URL(front.url))
        : new StdioV2({ command: process.execPath, args: [...front.args] }),
    );
    const era = client.getProtocolEra() ?? "legacy";
    const call: Speaker["call"] = async (name, args, options) =>
      await client.callTool({ name, arguments: { ...args } }, options);
    return {
      era,
      tools: async () => (await client.listTools()).tools.map(({ name }) => name),
      page: async (what, cursor) =>
        pageIn(
          what,
          await client.request({ method: listMethods[what], params: { cursor } }, z.looseObject({})),
        ),
      call,
      callLogged:
        era === "legacy"
          ? legacyLogged({ call, logged, setLevel: (level) => client.setLoggingLevel(level) })
          : async (name, level) => {
              logged.length = 0;
              const _meta = level === undefined ? {} : { [LOG_LEVEL_META_KEY]: level };
              await client.callTool({ name, arguments: {}, _meta });
              return [...logged];
            },
      read: (uri) => client.readResource({ uri }),
      prompt: (name, args) => client.getPrompt({ name, ...(args && { arguments: args }) }),
      complete: async (name, argument, value) => {
        const ref = { type: "ref/prompt" as const, name };
        return (await client.complete({ ref, argument: { name: argument, value } })).completion.values;
      },
      listen: async (uri) => {
        if (era === "legacy") {
          await client.subscribeResource({ uri });
          return async () => await client.unsubscribeResource({ uri });
        }
        const lists = { toolsListChanged: true, promptsListChanged: true, resourcesListChanged: true };
        const subscription = await client.listen({ ...lists, resourceSubscriptions: [uri] });
        assert.deepEqual(subscription.honoredFilter.resourceSubscriptions, [uri]);
        return async () => await subscription.close();
      },
      request: (method, params) => client.request({ method, params: { ...params } }, z.looseObject({})),
      told,
      person,
      close: () => client.close(),
    };
  };

interface Logging {
  readonly call: Speaker["call"];
  readonly logged: unknown[];
  readonly setLevel: (level: Level) => Promise<unknown>;
}

function legacyLogged({ call, logged, setLevel }: Logging): Speaker["callLogged"] {
  return async (name, level) => {
    if (level !== undefined) await setLevel(level);
    logged.length = 0;
    await call(name, {});
    return [...logged];
  };
}

const listMethods = {
  tools: "tools/list",
  resources: "resources/list",
  resourceTemplates: "resources/templates/list",
  prompts: "prompts/list",
} as const satisfies Record<Listed, string>;

function pageIn(what: Listed, result: Readonly<Record<string, unknown>>): Page {
  const items = result[what] as readonly { readonly name: string; readonly uriTemplate?: string }[];
  const next = result["nextCursor"] as string | undefined;
  return { names: items.map(({ name, uriTemplate }) => uriTemplate ?? name), next };
}

/** Every name of a list, by all its pages. */
export async function allNames({ page }: Speaker, what: Listed): Promise<readonly string[]> {
  const names: string[] = [];
  let next: string | undefined;
  do {
    const got = await page(what, next);
    names.push(...got.names);
    ({ next } = got);
  } while (next !== undefined);
  return names;
}

export const textOf = ({ content }: ToolResult): string => content[0]?.text ?? "";
