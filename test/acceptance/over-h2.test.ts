/** What is promised of calls, whoever makes them, is kept over HTTP/2 too. */
import "../support/speaking-h2.ts";
import "../scenarios/calls.test.ts";
import "../scenarios/revocation.test.ts";
import "../scenarios/resume.test.ts";
import "../scenarios/hybrid-authentication.test.ts";
