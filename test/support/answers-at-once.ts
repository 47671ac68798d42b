/**
 * True for methods of the catalog that answer at once, of what the process knows: whoever makes its
 * calls wait leaves these alone.
 */
export function answersAtOnce(name: PropertyKey): boolean {
  return name === "term";
}
