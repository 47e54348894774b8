/** Paths that findings name. They stand in the log: a member's name is its sender's, and may say what nobody should keep. */

const maxSegments = 8;
const maxWords = 3;
/** A number of somebody or of something. */
const longNumber = /\d{5}/;
const identifier = /^[A-Za-z_][A-Za-z0-9_-]{0,39}$/;

/**
 * A member's or an element's place.
 *
 * @param depth how many segments `at` has; from 8 on it isn't made longer
 */
export function placeIn(at: string, name: string | number, depth: number): string {
  if (depth >= maxSegments) return at;
  return `${at}.${typeof name === "number" || isTelling(name) ? name : "*"}`;
}

/** Such as programs use; more words are a sentence. */
function isTelling(name: string): boolean {
  if (!identifier.test(name) || longNumber.test(name)) return false;
  const words = name.replaceAll(/([a-z\d])([A-Z])/g, "$1_$2").split(/[_-]+/);
  return words.filter((word) => word !== "").length <= maxWords;
}
