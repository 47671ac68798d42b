/** Where a stored record lies. */
export interface Location {
  readonly segment: number;
  readonly offset: number;
  readonly length: number;
}
