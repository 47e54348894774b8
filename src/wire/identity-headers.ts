/** The headers in which a sidecar says in which session, and for whom, a request is made. They end at the gateway. */

/** On a request: the session's token. On an answer: `ended`, whereupon the sidecar takes another and asks again. */
export const sessionHeader = "latticegate-session";
/** A name that narrows the session to a part of it. */
export const sessionPartHeader = "latticegate-session-part";
/** The credential with which the caller acts for others (docs/formats/delegation.md). */
export const delegationHeader = "latticegate-delegation";

export const identityHeaders: readonly string[] = [sessionHeader, sessionPartHeader, delegationHeader];

/** What a part of a session may be called: what a header can hold without two readings. */
export const sessionPartPattern = /^[\x21-\x7e]{1,128}$/;
