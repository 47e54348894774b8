/** How links travel where the network between isn't good. */
import { z } from "zod";

/** What IPv4 promises to carry, and what Ethernet does, each without its headers. */
const [leastSegment, mostSegment] = [536, 1460];

export const segmentBytes = z
  .int(`expected a whole number from ${leastSegment} to ${mostSegment}`)
  .min(leastSegment, `expected ${leastSegment} or more`)
  .max(mostSegment, `expected ${mostSegment} or less`);

export const pathsSchema = z
  .strictObject({
    segment: segmentBytes
      .optional()
      .describe(
        "Longest TCP segment, in bytes, of connections that come in, in both directions (TCP_MAXSEG on the listeners); for networks that lose long packets without a word, e.g. 1180 for paths of 1280 bytes. By default the system's choice.",
      ),
  })
  .prefault({})
  .describe("What to do about networks that lose long packets.");
