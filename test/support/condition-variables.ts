/** Variables for tests of conditions: a few facts, and arguments as a tool's schema types them. */
import type { Variables } from "../../src/expr/condition.ts";
import { typeOfSchema } from "../../src/expr/schema-types.ts";
import type { TypeSpec } from "../../src/expr/type-spec.ts";

const closed = (members: Readonly<Record<string, TypeSpec>>): TypeSpec => ({
  kind: "object",
  members,
  others: "none",
});
const strings: TypeSpec = { kind: "list", of: "string" };

export const variables: Variables = {
  caller: closed({ id: "string", groups: strings, claims: { kind: "map", of: "dyn" }, age: "duration" }),
  call: closed({ tool: "string", size: "int" }),
  tool: closed({ read_only: "bool", labels: strings }),
  link: closed({ level: "int", pq: "bool", group: "string" }),
  place: closed({ address: "string", networks: strings }),
  time: closed({ hour: "int" }),
  session: closed({ age: "duration", risk: "double" }),
  resource: closed({ shelf_life: "duration" }),
  quantum: closed({ earliest: "timestamp" }),
  intent: closed({ purpose: "string" }),
  now: "timestamp",
  any: "dyn",
  args: typeOfSchema({
    type: "object",
    properties: {
      amount: { type: "number" },
      count: { type: "integer" },
      note: { type: "string" },
      flag: { type: "boolean" },
      mode: { enum: ["read", "write"] },
      sort: { anyOf: [{ enum: ["up", "down"] }, { type: "null" }] },
      limit: { type: ["integer", "null"] },
      tags: { type: "array", items: { type: "string" } },
      items: {
        type: "array",
        items: { type: "object", properties: { price: { type: "number" }, name: { type: "string" } } },
      },
      extra: { type: "object" },
      owner: { type: "object", properties: { id: { type: "string" } }, additionalProperties: false },
    },
  }),
};
