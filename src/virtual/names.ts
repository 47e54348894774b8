/**
 * What joined servers offer, under names that are unique: a name stays as it is where one server alone has
 * it, and bears its server's name where several do. Apps call tools by names that are written into them.
 */

/** Something a member offers, by its own name for it. */
export interface Offer {
  readonly member: string;
  readonly key: string;
}

export interface Names {
  /** The name clients see. */
  readonly shown: (offer: Offer) => string;
  readonly find: (name: string) => Found;
}

export type Found =
  | { readonly kind: "one"; readonly offer: Offer }
  /** Several offer it; clients must say which, by one of `names`. */
  | { readonly kind: "several"; readonly names: readonly string[] }
  | { readonly kind: "none" };

/** Between a member's name and what it qualifies. No member's name holds either, so the first one found ends it. */
export const marks = {
  name: "_",
  /** A "+" in a URI's scheme makes another scheme of it (RFC 3986 §3.1). */
  uri: "+",
} as const;

/** What a member of a virtual server may be called: anything else couldn't be told apart from what it qualifies. */
export const memberName = /^[a-z][a-z0-9.-]{0,63}$/;

export function makeNames(
  offers: ReadonlyMap<string, Iterable<string>>,
  mark: (typeof marks)[keyof typeof marks],
): Names {
  const owners = ownersOf(offers);
  const qualified = (offer: Offer): string => offer.member + mark + offer.key;
  const clashing = clashes(owners, qualified);
  const named = ([name, [member]]: readonly [string, readonly string[]]): [string, Offer] => [
    name,
    { member: member ?? "", key: name },
  ];
  const plain = new Map([...owners].filter(([key]) => !clashing.has(key)).map(named));
  return {
    shown: (offer) => (clashing.has(offer.key) ? qualified(offer) : offer.key),
    find: (name) => {
      const offer = plain.get(name) ?? byQualifiedName(name, mark, owners);
      if (offer !== undefined) return { kind: "one", offer };
      const members = owners.get(name);
      if (members === undefined) return { kind: "none" };
      return { kind: "several", names: members.map((member) => qualified({ member, key: name })) };
    },
  };
}

/** The member and its own name in a qualified name, whether or not what follows is known. */
export function splitQualified(name: string, mark: string): Offer | undefined {
  const at = name.indexOf(mark);
  return at <= 0 ? undefined : { member: name.slice(0, at), key: name.slice(at + mark.length) };
}

function ownersOf(offers: ReadonlyMap<string, Iterable<string>>): ReadonlyMap<string, readonly string[]> {
  const owners = new Map<string, string[]>();
  for (const [member, keys] of offers) {
    for (const key of new Set(keys)) owners.set(key, [...(owners.get(key) ?? []), member]);
  }
  return owners;
}

/** Keys that several have, and those that look like the qualified form of one of these. */
function clashes(
  owners: ReadonlyMap<string, readonly string[]>,
  qualified: (offer: Offer) => string,
): ReadonlySet<string> {
  const clashing = new Set([...owners].filter(([, members]) => members.length > 1).map(([key]) => key));
  // A set's walk sees what is added during it.
  for (const key of clashing) {
    for (const member of owners.get(key) ?? []) {
      const name = qualified({ member, key });
      if (owners.has(name)) clashing.add(name);
    }
  }
  return clashing;
}

/** A qualified name counts also where nothing clashes: it stays right when a second server comes to have it. */
function byQualifiedName(
  name: string,
  mark: string,
  owners: ReadonlyMap<string, readonly string[]>,
): Offer | undefined {
  const offer = splitQualified(name, mark);
  return offer !== undefined && owners.get(offer.key)?.includes(offer.member) === true ? offer : undefined;
}
