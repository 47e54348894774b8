/** Whether delegations stay within what the config allows: one that fits is given, one that is deeper or longer isn't. */
import { delegatePath } from "../../gate/identity-requests.ts";
import { utf8 } from "../../kernel/bytes.ts";
import { failed, noSuchTool, passed, skipped, type TestOutcome, type TestScene } from "./test-scene.ts";

export async function wideDelegation({ config, tunnel }: TestScene): Promise<TestOutcome> {
  const { max_depth: depth, max_lifetime: lifetimeMs } = config.delegation;
  const ask = async (more: object): Promise<number> => {
    // What it is good for is nothing, to nobody, for a second.
    const request = { to: "operator/assess-nobody", tools: [`none/${noSuchTool}`], lifetime: 1, ...more };
    const headers = ["content-type", "application/json"];
    const body = utf8(JSON.stringify(request));
    return (await tunnel.send({ method: "POST", path: delegatePath, headers, body })).status;
  };
  if (depth === 0) {
    const status = await ask({});
    return status === 200 ? failed("one was given") : passed(`none is given: status ${status}`);
  }
  const fitting = await ask({});
  if (fitting !== 200) return skipped(`one that fits isn't given either: status ${fitting}`);
  const wide = [await ask({ depth: depth + 1 }), await ask({ lifetime: Math.ceil(lifetimeMs / 1000) + 60 })];
  const told = `status ${wide.join(", ")}`;
  return wide.every((status) => status >= 400 && status < 500) ? passed(told) : failed(told);
}
