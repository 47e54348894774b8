/** Traffic in the control API: over time, as a map, the story of a caller or server, and what changed. */
import { z } from "zod";

import { pageQuery } from "../../control/paging.ts";
import { type Route, route } from "../../control/route.ts";
import { sinceQuery } from "./moments.ts";
import { toldChanges, toldMap, toldStory, toldTraffic, type TrafficPlace } from "./told-traffic.ts";
import { changesAnswer, mapAnswer, storyAnswer, trafficAnswer } from "./traffic-answers.ts";

const tag = "traffic";
const name = z.string().min(1).max(2048).exactOptional();
const times = { since: sinceQuery.exactOptional(), until: sinceQuery.exactOptional() };

export function trafficRoutes(place: TrafficPlace): readonly Route[] {
  return [
    route({
      method: "GET",
      path: "/traffic",
      summary:
        "Calls over time: verdicts, suites, post-quantum share, risk; of the last hour, or since a moment.",
      tag,
      role: "viewer",
      query: z.object({ ...times, caller: name, server: name }),
      answer: trafficAnswer,
      handle: ({ query: { since, until, ...query } }) =>
        toldTraffic(place, { ...timesIn({ since, until }), ...query }),
    }),
    route({
      method: "GET",
      path: "/map",
      summary: "Who talks to what, and what protects each link; of the last hour, or since a moment.",
      tag,
      role: "viewer",
      query: z.object(times),
      answer: mapAnswer,
      handle: ({ query }) => toldMap(place, timesIn(query)),
    }),
    route({
      method: "GET",
      path: "/map/{id}",
      summary:
        "What is known of a caller (`caller:NAME`) or a server (`server:NAME`); of the last day, or since a moment.",
      tag,
      role: "viewer",
      params: z.object({ id: z.string().min(1).max(2100) }),
      query: z.object(times),
      answer: storyAnswer,
      handle: ({ params: { id }, query }) => toldStory(place, id, timesIn(query)),
    }),
    route({
      method: "GET",
      path: "/changes",
      summary: "What is different since a moment, yesterday if none is said; newest first.",
      tag,
      role: "viewer",
      query: z.object({ ...pageQuery, since: times.since }),
      answer: changesAnswer,
      handle: ({ query: { since, ...query } }) =>
        toldChanges(place, { ...query, ...(since !== undefined && { sinceUnixMs: since }) }),
    }),
  ];
}

function timesIn({
  since,
  until,
}: {
  readonly since?: number | undefined;
  readonly until?: number | undefined;
}) {
  return {
    ...(since !== undefined && { sinceUnixMs: since }),
    ...(until !== undefined && { untilUnixMs: until }),
  };
}
