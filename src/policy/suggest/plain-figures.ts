/** Bounds of what was seen, rounded outward to figures that people would write. */

/** The least plain figure that isn't below `value`: one or two leading digits, such as 500, 1200 or 0.05. */
export function roundedUp(value: number): number {
  return value === 0 ? 0 : value < 0 ? -towardZero(-value) : awayFromZero(value);
}

/** The greatest plain figure that isn't above `value`; 0 for small numbers that aren't negative. */
export function roundedDown(value: number): number {
  return value === 0 ? 0 : value < 0 ? -awayFromZero(-value) : towardZero(value);
}

/** Room for texts as long as `length` and somewhat longer ones: 10, 20, 50, 100 and so on. */
export function roomFor(length: number): number {
  for (let room = 10; ; room *= 10) {
    const enough = [room, 2 * room, 5 * room].find((each) => each >= length);
    if (enough !== undefined) return enough;
  }
}

function awayFromZero(value: number): number {
  return Math.max(value, figureOf(value, Math.ceil));
}

function towardZero(value: number): number {
  return value < 1 ? 0 : Math.min(value, figureOf(value, Math.floor));
}

/** In steps of a tenth of the leading digit's place below two of it, of a half above: 1.2, 1.5, 2, 2.5, 3. */
function figureOf(value: number, round: (value: number) => number): number {
  const magnitude = 10 ** Math.floor(Math.log10(value));
  const leading = value / magnitude;
  const step = leading < 2 ? 0.1 : 0.5;
  const figure = Number((round(Number((leading / step).toPrecision(12))) * step * magnitude).toPrecision(6));
  // What is too small or too large to be rounded stays as it was.
  return Number.isFinite(figure) ? figure : value;
}
