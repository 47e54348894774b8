/** Where the built page stands, beside the program: as source and as one file alike. */
import { fileURLToPath } from "node:url";

export const pageFolder = fileURLToPath(new URL("../../web/dist", import.meta.url));
