/** The dashboard. */
import { render } from "preact";

import { App } from "./app.tsx";
import { startKeys } from "./keys.ts";
import { startRouter } from "./router.ts";
import { applyTheme } from "./ui/theme.ts";

applyTheme();
startRouter();
startKeys();
const root = document.getElementById("page");
if (root !== null) render(<App />, root);
