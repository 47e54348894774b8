/** Every feature of the protocol that the fixture shows, each as a client of any era sees it. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";

import { eventually } from "./gateway.ts";
import { allNames, type Speaker, textOf } from "./sdk-clients.ts";

/** What the fixture's tools, prompts and resources are called where the client is. */
export interface Names {
  readonly name: (own: string) => string;
  readonly uri: (own: string) => string;
  /** Whether pages are the fixture's own; a virtual server joins them. */
  readonly isPaged: boolean;
}

export const ownNames: Names = { name: (own) => own, uri: (own) => own, isPaged: true };

/** Of a member, on a virtual server where every name clashes. */
export function namesOfMember(member: string): Names {
  return { name: (own) => `${member}_${own}`, uri: (own) => `${member}+${own}`, isPaged: false };
}

export interface Feature {
  readonly name: string;
  readonly check: (speaker: Speaker, at: Names) => Promise<void>;
}

const watched = "test://watched-resource";
const template = "test://template/{id}/data";

export const everyFeature: readonly Feature[] = [
  {
    name: "arguments that travel as headers arrive, of tools on later pages too",
    check: async ({ call, era, tools }, { name }) => {
      // A legacy client knows nothing of headers, and may call what it hasn't listed.
      if (era === "modern") await tools();
      const umlaut = await call(name("test_x_mcp_header_later"), { zone: "Zürich 1" });
      assert.equal(textOf(umlaut), "Zone: Zürich 1");
      assert.equal(textOf(await call(name("test_x_mcp_header"), { region: "eu" })), "Region: eu");
    },
  },
  {
    name: "tools are listed, all of them",
    check: async (speaker, { name }) => {
      const tools = await allNames(speaker, "tools");
      assert.ok(tools.includes(name("test_simple_text")));
      assert.ok(tools.includes(name("test_x_mcp_header_later")), "of a later page too");
      assert.equal(new Set(tools).size, tools.length);
      assert.ok((await speaker.tools()).includes(name("test_simple_text")));
    },
  },
  {
    name: "a list has pages, and an end",
    check: async (speaker, { name, isPaged }) => {
      if (isPaged) {
        const first = await speaker.page("resources");
        assert.equal(first.names.length, 2);
        assert.ok(first.next);
        assert.notDeepEqual((await speaker.page("resources", first.next)).names, first.names);
      }
      assert.ok((await allNames(speaker, "prompts")).includes(name("test_input_required_result_prompt")));
    },
  },
  {
    name: "a tool answers with text, an image, sound, a resource, and several of them",
    check: async ({ call }, { name }) => {
      const text = await call(name("test_simple_text"), {});
      assert.equal(textOf(text), "This is a simple text response for testing.");
      for (const [tool, types] of [
        ["test_image_content", ["image"]],
        ["test_audio_content", ["audio"]],
        ["test_embedded_resource", ["resource"]],
        ["test_multiple_content_types", ["text", "image", "resource"]],
      ] as const) {
        const { content } = await call(name(tool), {});
        assert.deepEqual(
          content.map(({ type }) => type),
          types,
        );
      }
    },
  },
  {
    name: "a tool answers with structure",
    check: async ({ call }, { name }) => {
      const { structuredContent } = await call(name("test_structured_content"), { a: 19, b: 23 });
      assert.deepEqual(structuredContent, { sum: 42 });
    },
  },
  {
    name: "a tool that fails says so",
    check: async ({ call }, { name }) => {
      const failed = await call(name("test_error_handling"), {});
      assert.equal(failed.isError, true);
      assert.equal(textOf(failed), "This tool intentionally returns an error for testing");
    },
  },
  {
    name: "resources and templates are listed and read",
    check: async (speaker, { uri }) => {
      const { read } = speaker;
      assert.equal((await allNames(speaker, "resources")).length >= 3, true);
      assert.ok((await allNames(speaker, "resourceTemplates")).includes(uri(template)));
      assert.match(JSON.stringify(await read(uri("test://static-text"))), /content of the static text/);
      assert.match(JSON.stringify(await read(uri("test://static-binary"))), /"blob":"iVBOR/);
      assert.match(JSON.stringify(await read(uri("test://template/7/data"))), /Data for ID: 7/);
    },
  },
  {
    name: "prompts are got, with and without arguments",
    check: async ({ prompt }, { name }) => {
      assert.match(JSON.stringify(await prompt(name("test_simple_prompt"))), /simple prompt for testing/);
      const both = await prompt(name("test_prompt_with_arguments"), { arg1: "a", arg2: "b" });
      assert.match(JSON.stringify(both), /arg1='a', arg2='b'/);
      const embedded = await prompt(name("test_prompt_with_embedded_resource"), { resourceUri: "test://x" });
      assert.match(JSON.stringify(embedded), /"uri":"test:\/\/x"/);
      assert.match(JSON.stringify(await prompt(name("test_prompt_with_image"))), /image\/png/);
    },
  },
  {
    name: "an argument is completed",
    check: async ({ complete }, { name }) => {
      const words = await complete(name("test_prompt_with_arguments"), "arg1", "par");
      assert.deepEqual(words, ["paris", "park", "party"]);
    },
  },
  {
    name: "progress arrives while the call runs",
    check: async ({ call }, { name }) => {
      // The SDK's own race: without us too, progress that arrives together with the answer is dropped.
      let most = 0;
      for (let tries = 0; tries < 3 && most < 2; tries++) {
        let progress = 0;
        await call(name("test_tool_with_progress"), {}, { onprogress: () => void progress++ });
        most = Math.max(most, progress);
      }
      assert.ok(most >= 2, `${most} times`);
    },
  },
  {
    name: "logs arrive from the level on that was asked for",
    check: async ({ era, callLogged }, { name }) => {
      const tool = name("test_tool_with_logging");
      if (era === "modern") assert.equal((await callLogged(tool)).length, 0, "not asked for");
      const logged = await callLogged(tool, "info");
      assert.ok(logged.length >= 2, JSON.stringify(logged));
      assert.match(JSON.stringify(logged), /Tool execution started/);
      assert.equal((await callLogged(tool, "error")).length, 0, "below the level");
    },
  },
  {
    name: "a person is asked, and accepts or declines",
    check: async ({ call, person }, { name }) => {
      const asked = await call(name("test_elicitation"), { message: "Who are you?" });
      assert.match(textOf(asked), /action=accept, content=\{"username":"ada","email":"ada@example.org"\}/);
      assert.equal(person.asked.at(-1), "Who are you?");
      const hello = await call(name("test_input_required_result_elicitation"), {});
      assert.equal(textOf(hello), "Hello, Ada!");
      const defaults = await call(name("test_elicitation_sep1034_defaults"), {});
      assert.match(textOf(defaults), /"name":"John Doe","age":30,"score":95.5/);
      const enums = await call(name("test_elicitation_sep1330_enums"), {});
      assert.match(textOf(enums), /"untitledSingle":"option1","titledSingle":"value1"/);
      const consented = await call(name("test_elicitation_url"), {});
      assert.equal(textOf(consented), "The user said accept");
      assert.equal(person.asked.at(-1), "Please consent");
      person.action = "decline";
      const declined = await call(name("test_elicitation"), { message: "And now?" });
      assert.match(textOf(declined), /action=decline/);
      person.action = "accept";
    },
  },
  {
    name: "a model is asked, and a client's roots",
    check: async ({ call, person }, { name }) => {
      const sampled = await call(name("test_sampling"), { prompt: "Which capital?" });
      assert.equal(textOf(sampled), "LLM response: Paris");
      assert.equal(person.asked.at(-1), "Which capital?");
      const capital = await call(name("test_input_required_result_sampling"), {});
      assert.match(textOf(capital), /Paris/);
      const roots = await call(name("test_input_required_result_list_roots"), {});
      assert.match(textOf(roots), /file:\/\/\/house/);
    },
  },
  {
    name: "several things are asked at once, in rounds, with state, and by a prompt",
    check: async ({ call, prompt, person }, { name }) => {
      const multi = await call(name("test_input_required_result_multiple_inputs"), {});
      assert.equal(textOf(multi), "All three answered");
      assert.deepEqual(person.asked.slice(-3).toSorted(), [
        "Generate a greeting",
        "What is your name?",
        "roots",
      ]);
      const rounds = await call(name("test_input_required_result_multi_round"), {});
      assert.equal(textOf(rounds), "Both steps answered");
      const state = await call(name("test_input_required_result_request_state"), {});
      assert.equal(textOf(state), "state-ok");
      const able = await call(name("test_input_required_result_capabilities"), {});
      assert.match(textOf(able), /Answered: /);
      const used = await prompt(name("test_input_required_result_prompt"));
      assert.match(JSON.stringify(used), /Use this context: blue/);
    },
  },
  {
    name: "changes of lists and of a resource are told",
    check: async (speaker, { name, uri }) => {
      const { call, listen, read, told } = speaker;
      const stop = await listen(uri(watched));
      for (const [trigger, what] of [
        ["test_trigger_tool_change", "notifications/tools/list_changed"],
        ["test_trigger_prompt_change", "notifications/prompts/list_changed"],
        ["test_trigger_resource_list_change", "notifications/resources/list_changed"],
        ["test_trigger_resource_change", uri(watched)],
      ] as const) {
        told.length = 0;
        // What happens before a legacy client's stream is open it isn't told, with a bridge or without.
        await eventually(`${what} is told`, async () => {
          await call(name(trigger), {});
          return told.includes(what);
        });
      }
      assert.match(JSON.stringify(await read(uri(watched))), /changed \d+ times/);
      await stop();
    },
  },
  {
    name: "a cancelled call is cancelled at the server",
    check: async ({ call }, { name }) => {
      const label = randomUUID();
      const became = async () => textOf(await call(name("test_what_became"), { label }));
      const cancel = new AbortController();
      const waiting = assert.rejects(call(name("test_wait"), { label }, { signal: cancel.signal }));
      await eventually("the call arrives", async () => (await became()) === "waiting");
      cancel.abort();
      await waiting;
      await eventually("the server knows", async () => (await became()) === "cancelled");
    },
  },
  {
    name: "errors say what was wrong",
    check: async ({ call, read, prompt, request, era }, { name, uri }) => {
      await assert.rejects(call(name("no_such_tool"), {}), { code: -32602 });
      await assert.rejects(read(uri("test://nowhere")), { code: -32602 });
      await assert.rejects(prompt(name("no_such_prompt")), { code: -32602 });
      await assert.rejects(prompt(name("test_prompt_with_arguments"), { arg1: "a" }), { code: -32602 });
      // The modern SDK gives the body of a 404 in its message.
      await assert.rejects(request("test/no-such-method", {}), ({ code, message }: Coded) =>
        `${code} ${message}`.includes("-32601"),
      );
      const wrong = await call(name("test_structured_content"), { a: "nothing" });
      assert.equal(wrong.isError, true);
      if (era === "legacy") assert.deepEqual(await request("ping", {}), {});
    },
  },
  {
    name: "many calls at once get each its own answer",
    check: async ({ call }, { name }) => {
      const together = Array.from({ length: 25 }, (_, n) => call(name("test_echo"), { n }));
      const echoed = (await Promise.all(together)).map((result) => textOf(result));
      assert.deepEqual(
        echoed,
        Array.from({ length: 25 }, (_, n) => JSON.stringify({ n })),
      );
    },
  },
];

interface Coded {
  readonly code: string | number;
  readonly message: string;
}

/** Two clients whose requests bear the same ids, at the same time. */
export async function checkNotMixed(
  speakers: readonly [Speaker, Speaker],
  { name }: Pick<Names, "name">,
): Promise<void> {
  const calls = speakers.map(async ({ call }, who) => {
    const together = Array.from({ length: 20 }, (_, n) => call(name("test_slow_echo"), { who, n }));
    return (await Promise.all(together)).map((result) => textOf(result));
  });
  for (const [who, echoed] of (await Promise.all(calls)).entries()) {
    const expected = Array.from({ length: 20 }, (_, n) => JSON.stringify({ who, n }));
    assert.deepEqual(echoed, expected);
  }
}
