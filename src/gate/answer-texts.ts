/** What an answer says to its reader: texts of a tool's result, of resources, of a prompt's messages, of questions. */

/** Of one answer; the rest isn't looked at. */
const maxTexts = 256;
const maxChars = 128 * 1024;

/** @param message as parsed from JSON @returns as they stand, the whole of them no longer than 128 KiB */
export function answerTexts(message: unknown): readonly string[] {
  const { result, params, error } = membersOf(message);
  const texts = [
    ...ofResult(membersOf(result)),
    ...ofQuestion(membersOf(params)),
    ...textsAt(membersOf(error)["message"]),
  ];
  let room = maxChars;
  return texts.slice(0, maxTexts).flatMap((text) => {
    const taken = text.slice(0, room);
    room -= taken.length;
    return taken === "" ? [] : [taken];
  });
}

/** Structured content says what the texts say, or there are none (MCP, tools). */
function ofResult(result: Members): readonly string[] {
  const blocks = [...listOf(result["content"]), ...listOf(result["contents"])].slice(0, maxTexts);
  const messages = listOf(result["messages"]).slice(0, maxTexts);
  const texts = [...blocks, ...messages.map((each) => membersOf(each)["content"])].flatMap(ofBlock);
  const structured = result["structuredContent"];
  const requests = Object.values(membersOf(result["inputRequests"])).slice(0, maxTexts);
  const asked = requests.flatMap((each) => ofQuestion(membersOf(membersOf(each)["params"])));
  if (texts.length > 0 || structured === undefined) return [...texts, ...asked];
  return [JSON.stringify(structured), ...asked];
}

function ofBlock(block: unknown): readonly string[] {
  const { text, resource, description } = membersOf(block);
  return [...textsAt(text), ...textsAt(membersOf(resource)["text"]), ...textsAt(description)];
}

/** Elicitation and sampling. */
function ofQuestion(params: Members): readonly string[] {
  const { message, systemPrompt, messages } = params;
  const said = listOf(messages)
    .slice(0, maxTexts)
    .flatMap((each) => ofBlock(membersOf(each)["content"]));
  return [...textsAt(message), ...textsAt(systemPrompt), ...said];
}

type Members = Readonly<Record<string, unknown>>;

function textsAt(value: unknown): readonly string[] {
  return typeof value === "string" && value !== "" ? [value] : [];
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function membersOf(value: unknown): Members {
  return typeof value === "object" && value !== null ? (value as Members) : {};
}
