/** What clients and servers say that they can do, as a bridge passes it on. */
import { isObject, type Json } from "../wire/values.ts";

const tasksExtension = "io.modelcontextprotocol/tasks";

/** Without tasks: those of 2025-11-25 and the extension that came after them are two protocols. */
export function bridgeable(capabilities: Json): Json {
  const { tasks: _, extensions, ...rest } = capabilities;
  if (!isObject(extensions)) return rest;
  const { [tasksExtension]: __, ...others } = extensions;
  return Object.keys(others).length === 0 ? rest : { ...rest, extensions: others };
}

/** Whether a capability is there, and, if one is named, whether that part of it is. */
export function can(capabilities: Json, name: string, part?: string): boolean {
  const found = capabilities[name];
  return isObject(found) && (part === undefined || found[part] === true);
}
