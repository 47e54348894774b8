/** What imports this first has its clients speak HTTP/2. */
import { speak } from "./gateway.ts";

speak("h2");
