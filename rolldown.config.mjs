// The command line in few files, each command's in chunks of its own: a process starts in half the time that all modules
// would take one by one, and loads what its command needs.
// Packages stay packages, as they are installed.
import { fileURLToPath } from "node:url";

const here = (file) => fileURLToPath(new URL(file, import.meta.url));

export default {
  input: {
    main: here("src/cli/main.ts"),
    "inside-sandbox": here("src/host/sandbox/inside-sandbox.ts"),
    "audit-worker": here("src/app/control/audit-worker.ts"),
    "traffic-worker": here("src/app/control/traffic-worker.ts"),
    "assess-worker": here("src/app/compliance/assess-worker.ts"),
    "draft-worker": here("src/app/policy/draft-worker.ts"),
    "handshake-server": here("src/host/bench/handshake-server.ts"),
  },
  platform: "node",
  external: /^[^./]/,
  output: { dir: here("dist/cli"), chunkFileNames: "[name].js", cleanDir: true },
};
