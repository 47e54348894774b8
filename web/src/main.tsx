/** The page. */
import { render } from "preact";

import { keepAsking, takeToken } from "./gateway.ts";
import { Page } from "./view/page.tsx";

takeToken();
const root = document.getElementById("page");
if (root !== null) render(<Page />, root);
void keepAsking();
