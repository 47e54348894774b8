/** Some of the links there can be, in as few words as say which. */
import type { LinkPosture } from "../../model/channel.ts";

/** Undefined where it is all of them. */
export function linksInWords(some: readonly LinkPosture[], all: readonly LinkPosture[]): string | undefined {
  if (some.length === all.length) return undefined;
  const is = (matches: (link: LinkPosture) => boolean): boolean =>
    some.length === all.filter(matches).length && some.every(matches);
  if (is(({ isPostQuantum }) => isPostQuantum)) return "a post-quantum link";
  if (is(({ isPostQuantum }) => !isPostQuantum)) return "a classical link";
  for (const least of [1, 3, 5])
    if (is(({ level }) => level >= least)) return `a link of level ${least} at least`;
  const groups = distinct(some.map(({ group }) => group));
  const certificates = distinct(some.map(certificateOf));
  const isWhole = is((link) => groups.includes(link.group) && certificates.includes(certificateOf(link)));
  if (!isWhole)
    return `a link of ${some.map((link) => `${link.group} with ${certificateOf(link)}`).join(", ")}`;
  const [everyGroup, everyCertificate] = [all.map(({ group }) => group), all.map(certificateOf)].map(
    distinct,
  );
  const parts = [
    ...(groups.length === everyGroup?.length ? [] : [`a link of ${groups.join(" or ")}`]),
    ...(certificates.length === everyCertificate?.length
      ? []
      : [`a certificate of ${certificates.join(" or ")}`]),
  ];
  return parts.join(", ");
}

function certificateOf({ certificate = "none" }: LinkPosture): string {
  return certificate;
}

function distinct(texts: readonly string[]): readonly string[] {
  return [...new Set(texts)];
}
