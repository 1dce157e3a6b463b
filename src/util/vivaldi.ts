// The distance of two network coordinates (Dabek et al., "Vivaldi", 2004, with heights and Serf's adjustments).

/** Seconds throughout. */
interface Point {
  readonly Vec: readonly number[];
  readonly Adjustment: number;
  readonly Height: number;
}

/** The estimated round-trip time in seconds. Coordinates of unequal dimension have none: infinity. */
export function distance(a: Point, b: Point): number {
  if (a.Vec.length !== b.Vec.length) return Number.POSITIVE_INFINITY;
  let squares = 0;
  for (const [i, x] of a.Vec.entries()) squares += (x - (b.Vec[i] as number)) ** 2;
  const raw = Math.sqrt(squares) + a.Height + b.Height;
  const adjusted = raw + a.Adjustment + b.Adjustment;
  return adjusted > 0 ? adjusted : raw;
}
