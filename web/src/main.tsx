/** The page. */
import { render } from "preact";

import { keepAsking, openNamed, takeToken } from "./gateway.ts";
import { Page } from "./view/page.tsx";

takeToken();
const root = document.getElementById("page");
if (root !== null) render(<Page />, root);
void keepAsking();
void openNamed();
addEventListener("hashchange", () => void openNamed());
