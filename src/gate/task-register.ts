/** Which call began a task: whose it is, and what its tool's answers are held to. Lost with the process. */
import type { Identified, KnownTask } from "./call.ts";
import { ownerOf } from "./session-id.ts";

export interface TaskRegister {
  readonly note: (call: Identified, taskId: string, task: KnownTask) => void;
  /** The task, if this caller began it; `another's` if somebody else did; undefined if nobody knows. */
  readonly find: (call: Identified, taskId: string) => KnownTask | "another's" | undefined;
}

/** Of all callers together; the oldest make way. A task is a few hundred bytes here. */
const maxTasks = 20_000;
/** Of one caller at one server: nobody pushes others' out by beginning ever new ones. */
const maxOwned = 1000;
/** No server's id is longer; one that is, isn't remembered. */
const maxIdLength = 8192;

export function taskRegister(): TaskRegister {
  /** By server, id and holder, the oldest first: processes of one server that count their tasks give equal ids. */
  const tasks = new Map<string, KnownTask>();
  const holders = new Map<string, Set<string>>();
  const owned = new Map<string, Set<string>>();
  const forget = (key: string): void => {
    const { task, holder } = JSON.parse(key) as Names;
    tasks.delete(key);
    drop(holders, JSON.stringify(task), holder);
    drop(owned, holder, key);
  };
  return {
    note: (call, taskId, task) => {
      if (taskId.length > maxIdLength) return;
      const names = namesOf(call, taskId);
      const key = JSON.stringify(names);
      if (tasks.has(key)) return;
      tasks.set(key, task);
      add(holders, JSON.stringify(names.task), names.holder);
      const own = add(owned, names.holder, key);
      const [oldestOwn] = own.size > maxOwned ? own : [];
      const [oldest] = tasks.size > maxTasks ? tasks.keys() : [];
      for (const gone of [oldestOwn, oldest]) if (gone !== undefined) forget(gone);
    },
    find: (call, taskId) => {
      const names = namesOf(call, taskId);
      const own = tasks.get(JSON.stringify(names));
      return own ?? (holders.has(JSON.stringify(names.task)) ? "another's" : undefined);
    },
  };
}

interface Names {
  readonly task: readonly [server: string, id: string];
  readonly holder: string;
}

function namesOf(call: Identified, taskId: string): Names {
  const { holder, server } = ownerOf(call);
  return { task: [server, taskId], holder: JSON.stringify([server, holder]) };
}

function add(sets: Map<string, Set<string>>, name: string, value: string): Set<string> {
  const set = sets.get(name) ?? new Set();
  sets.set(name, set.add(value));
  return set;
}

function drop(sets: Map<string, Set<string>>, name: string, value: string): void {
  const set = sets.get(name);
  set?.delete(value);
  if (set?.size === 0) sets.delete(name);
}
