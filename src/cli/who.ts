/** Whoever types a command. */
import { userInfo } from "node:os";

/** Of this machine, for histories; the audit log names nobody. */
export function who(): string {
  try {
    return userInfo().username;
  } catch {
    return "unknown";
  }
}
