// Network coordinates (Dabek et al., "Vivaldi: A Decentralized Network Coordinate System", 2004), with heights, an adjustment
// for what no plane can show (Ledlie et al. 2007), a median filter and gravity towards the origin, as Serf has them. Only + - * /
// and the square root are used, which every engine rounds alike.
import type { Random } from "../util/random.ts";
import type { Coordinate } from "./types.ts";

const DIMENSIONS = 8;
/** The error of one that knows nothing; it never grows beyond. */
const ERROR_MAX = 1.5;
/** How much one measurement moves the error estimate, and the coordinate. */
const ERROR_FACTOR = 0.25;
const MOVE_FACTOR = 0.25;
const ADJUSTMENT_WINDOW = 20;
const HEIGHT_MIN_S = 10e-6;
const FILTER_SAMPLES = 3;
/** How far from the origin coordinates are drawn back: the farther the harder. */
const GRAVITY_RHO = 150;
const ZERO = 1e-6;
const RTT_MAX_S = 10;

/** Of one that knows nothing yet. */
function origin(dimensions: number): Coordinate {
  return { Vec: Array.from({ length: dimensions }, () => 0), Error: ERROR_MAX, Adjustment: 0, Height: HEIGHT_MIN_S };
}

function magnitudeOf(vector: readonly number[]): number {
  let squares = 0;
  for (const x of vector) squares += x * x;
  return Math.sqrt(squares);
}

/** Without adjustments, in seconds. */
function rawDistance(a: Coordinate, b: Coordinate): number {
  return magnitudeOf(a.Vec.map((x, i) => x - (b.Vec[i] as number))) + a.Height + b.Height;
}

/** Estimated round trip in seconds. The same as `distance` of util, but without `**`, which engines may round unlike. */
export function estimatedRtt(a: Coordinate, b: Coordinate): number {
  const raw = rawDistance(a, b);
  const adjusted = raw + a.Adjustment + b.Adjustment;
  return adjusted > 0 ? adjusted : raw;
}

function isUsable(coordinate: Coordinate, dimensions: number): boolean {
  const { Vec, Error, Adjustment, Height } = coordinate;
  return Vec.length === dimensions && [...Vec, Error, Adjustment, Height].every((part) => Number.isFinite(part));
}

/** This member's place in the network's space, from round trips to others. */
export class CoordinateClient {
  readonly #random: Random;
  readonly #origin: Coordinate;
  #own: Coordinate;
  readonly #adjustments: number[] = Array.from({ length: ADJUSTMENT_WINDOW }, () => 0);
  #adjustmentAt = 0;
  /** The last round trips by member. */
  readonly #samples = new Map<string, number[]>();
  /** How often it ran away and began anew. */
  resets = 0;

  /** @param start where it begins, in a space of as many dimensions. */
  constructor(random: Random, start: Coordinate = origin(DIMENSIONS)) {
    this.#random = random;
    this.#origin = origin(start.Vec.length);
    this.#own = start;
  }

  get own(): Coordinate {
    return this.#own;
  }

  /** A round trip of `rttS` seconds to `name`, which says that it is at `other`. False when that can be no right measurement. */
  update(name: string, other: Coordinate, rttS: number): boolean {
    if (!isUsable(other, this.#origin.Vec.length) || !(rttS >= 0 && rttS <= RTT_MAX_S)) return false;
    const filtered = this.#filter(name, rttS);
    this.#move(other, Math.max(ZERO, filtered));
    this.#adjust(other, filtered);
    this.#fall();
    if (!isUsable(this.#own, this.#origin.Vec.length)) {
      this.#own = this.#origin;
      this.resets += 1;
    }
    return true;
  }

  forget(name: string): void {
    this.#samples.delete(name);
  }

  /** The median of the last few: one late answer moves nothing. */
  #filter(name: string, rttS: number): number {
    const samples = this.#samples.get(name) ?? [];
    this.#samples.set(name, samples);
    samples.push(rttS);
    if (samples.length > FILTER_SAMPLES) samples.shift();
    return samples.toSorted((a, b) => a - b)[samples.length >> 1] as number;
  }

  #move(other: Coordinate, rttS: number): void {
    const estimate = estimatedRtt(this.#own, other);
    const wrongness = Math.abs(estimate - rttS) / rttS;
    const weight = this.#own.Error / Math.max(ZERO, this.#own.Error + other.Error);
    const share = ERROR_FACTOR * weight;
    const error = Math.min(ERROR_MAX, share * wrongness + this.#own.Error * (1 - share));
    this.#own = this.#pushed({ ...this.#own, Error: error }, MOVE_FACTOR * weight * (rttS - estimate), other);
  }

  #adjust(other: Coordinate, rttS: number): void {
    this.#adjustments[this.#adjustmentAt] = rttS - rawDistance(this.#own, other);
    this.#adjustmentAt = (this.#adjustmentAt + 1) % ADJUSTMENT_WINDOW;
    let sum = 0;
    for (const adjustment of this.#adjustments) sum += adjustment;
    this.#own = { ...this.#own, Adjustment: sum / (2 * ADJUSTMENT_WINDOW) };
  }

  /** Gravity, so that the pool as a whole does not drift away. */
  #fall(): void {
    const share = estimatedRtt(this.#origin, this.#own) / GRAVITY_RHO;
    this.#own = this.#pushed(this.#own, -(share * share), this.#origin);
  }

  /** `from` after a push of `force` seconds away from `other`. */
  #pushed(from: Coordinate, force: number, other: Coordinate): Coordinate {
    const away = from.Vec.map((x, i) => x - (other.Vec[i] as number));
    const apart = magnitudeOf(away);
    const unit = apart > ZERO ? away.map((x) => x * (1 / apart)) : this.#randomDirection();
    const height =
      apart > ZERO ? Math.max(HEIGHT_MIN_S, ((from.Height + other.Height) * force) / apart + from.Height) : from.Height;
    return { ...from, Vec: from.Vec.map((x, i) => x + (unit[i] as number) * force), Height: height };
  }

  #randomDirection(): number[] {
    const vector = this.#own.Vec.map(() => this.#random.float() - 0.5);
    const magnitude = magnitudeOf(vector);
    // So short a vector by chance is as good as never.
    return magnitude > ZERO ? vector.map((x) => x / magnitude) : [1, ...vector.slice(1).map(() => 0)];
  }
}
