/** The page that verifies bundles and receipts offline. */
import { render } from "preact";

import { Verifier } from "./page.tsx";

const place = document.getElementById("page");
if (place !== null) render(<Verifier />, place);
