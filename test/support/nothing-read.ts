/** `flow` of a session that has read nothing. */
import { Flow } from "../../src/expr/values.ts";

export const nothingRead = new Flow({ labels: () => [], seen: () => false, carries: () => false });
