/** Where the playbooks stand that come with the program. */
import { fileURLToPath } from "node:url";

export const shippedPlaybooks = fileURLToPath(new URL("../../playbooks/latticegate.yaml", import.meta.url));
