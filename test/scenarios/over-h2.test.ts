/** What is promised of calls, whoever makes them, is kept over HTTP/2 too. */
import "../support/speaking-h2.ts";
import "./calls.test.ts";
import "./revocation.test.ts";
import "./resume.test.ts";
import "./hybrid-authentication.test.ts";
