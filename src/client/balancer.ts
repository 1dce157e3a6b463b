// Which instance gets the next request: the better of two drawn at random (Mitzenmacher, "The Power of Two Choices in
// Randomized Load Balancing"), by latency and requests under way; those close by first, the others when these are overrun
// or out; those that fail again and again are left out for a while, but never more than half of all.
import type { Clock } from "./clock.ts";
import type { Instance } from "./instance.ts";

/** This many failures in a row put an instance out. */
const FAILURES_MAX = 3;
/** For so long; each time in a row twice as long, up to the last. */
const EJECTION_MS = 10_000;
const EJECTION_MAX_MS = 300_000;
/** A latency measured so long ago counts for a third of what it was: who was slow once is tried again. */
const MEMORY_MS = 10_000;

/** What is known of one instance. */
interface Load {
  instance: Instance;
  isNear: boolean;
  inFlight: number;
  /** Milliseconds, recent ones weighing most; 0: none was measured. */
  latencyMs: number;
  measuredAt: number;
  /** In a row. */
  failures: number;
  ejections: number;
  ejectedUntil: number;
}

const untouched: Omit<Load, "instance" | "isNear"> = {
  inFlight: 0,
  latencyMs: 0,
  measuredAt: 0,
  failures: 0,
  ejections: 0,
  ejectedUntil: -Infinity,
};

/** Who comes first. */
export interface BalancerOptions {
  /** Instances of this zone come first: `Service.Locality.Zone`, the service's or the node's metadata under `zoneMeta`. */
  zone?: string;
  /** As many requests under way at the better of two near ones, and the far ones are considered too: 32. */
  spillInFlight?: number;
}

/** Chooses among instances, and learns from what becomes of each request. */
export class Balancer {
  readonly #clock: Clock;
  readonly #zone: string | undefined;
  readonly #spillInFlight: number;
  #loads = new Map<string, Load>();
  #instances: readonly Instance[] = [];
  #near: Load[] = [];
  #far: Load[] = [];
  /** Nobody is put out from then on, as far as is known. */
  #allBackAt = -Infinity;
  /** Of all, for those that were never measured. */
  #meanMs = 1;

  constructor(clock: Clock, options: BalancerOptions) {
    this.#clock = clock;
    this.#zone = options.zone;
    this.#spillInFlight = options.spillInFlight ?? 32;
  }

  /** Takes over the list, and what is known of those that stay. @param nearest how many of the first are near */
  update(instances: readonly Instance[], nearest: number): void {
    if (instances === this.#instances) return;
    this.#instances = instances;
    const loads = new Map<string, Load>();
    for (const [at, instance] of instances.entries()) {
      const isNear = this.#zone === undefined ? at < nearest : instance.zone === this.#zone;
      const known = this.#loads.get(instance.key);
      if (known !== undefined) Object.assign(known, { instance, isNear });
      loads.set(instance.key, known ?? { ...untouched, instance, isNear });
    }
    this.#loads = loads;
    this.#near = [...loads.values()].filter(({ isNear }) => isNear);
    this.#far = [...loads.values()].filter(({ isNear }) => !isNear);
  }

  /** Null when there is no instance. Those in `tried` and those put out are taken only when there is no other. */
  pick(tried?: ReadonlySet<string>): Instance | null {
    const now = this.#clock.now();
    const isOpen = (load: Load): boolean => load.ejectedUntil <= now && !tried?.has(load.instance.key);
    const isUntried = (load: Load): boolean => !tried?.has(load.instance.key);
    for (const isUsable of [isOpen, isUntried, () => true]) {
      const near = this.#better(this.#near, isUsable, now);
      // Overrun, or most of them out: then the others help.
      const isShort = near === null || near.inFlight >= this.#spillInFlight || this.#isDepleted(now);
      const far = isShort ? this.#better(this.#far, isUsable, now) : null;
      const best = near !== null && (far === null || this.#score(near, now) <= this.#score(far, now)) ? near : far;
      if (best !== null) return best.instance;
    }
    return null;
  }

  /** Counts a request as under way; the result is to be called with what became of it, once. */
  begin({ key }: Instance): (outcome: "success" | "failure" | "aborted") => void {
    const load = this.#loads.get(key);
    if (load === undefined) return () => {};
    const start = this.#clock.now();
    load.inFlight += 1;
    return (outcome) => {
      load.inFlight -= 1;
      const now = this.#clock.now();
      if (outcome === "success") this.#succeeded(load, now, now - start);
      else if (outcome === "failure") this.#failed(load, now);
    };
  }

  /** Keys of those that are put out at present. */
  get ejected(): string[] {
    const now = this.#clock.now();
    return [...this.#loads.values()].filter((load) => load.ejectedUntil > now).map(({ instance }) => instance.key);
  }

  #succeeded(load: Load, now: number, latencyMs: number): void {
    const weight = load.latencyMs === 0 ? 0 : Math.exp((load.measuredAt - now) / MEMORY_MS) * 0.7;
    load.latencyMs = Math.max(0.01, load.latencyMs * weight + latencyMs * (1 - weight));
    load.measuredAt = now;
    this.#meanMs += (latencyMs - this.#meanMs) / 16;
    load.failures = 0;
    if (now - load.ejectedUntil > EJECTION_MS) load.ejections = 0;
  }

  #failed(load: Load, now: number): void {
    load.failures += 1;
    if (load.failures < FAILURES_MAX || load.ejectedUntil > now) return;
    if (this.ejected.length + 1 > this.#loads.size / 2) return;
    load.ejectedUntil = now + Math.min(EJECTION_MS * 2 ** load.ejections, EJECTION_MAX_MS);
    load.ejections += 1;
    this.#allBackAt = Math.max(this.#allBackAt, load.ejectedUntil);
    // Back again, it is out with its first failure.
    load.failures = FAILURES_MAX - 1;
  }

  #isDepleted(now: number): boolean {
    if (now >= this.#allBackAt) return false;
    const out = this.#near.filter((load) => load.ejectedUntil > now).length;
    return out > 0 && out >= this.#near.length / 2;
  }

  #better(loads: readonly Load[], isUsable: (load: Load) => boolean, now: number): Load | null {
    const first = this.#draw(loads, isUsable, null);
    if (first === null) return null;
    const second = this.#draw(loads, isUsable, first);
    return second !== null && this.#score(second, now) < this.#score(first, now) ? second : first;
  }

  /** Any one that is usable, from a random place on. */
  #draw(loads: readonly Load[], isUsable: (load: Load) => boolean, except: Load | null): Load | null {
    const start = Math.floor(this.#clock.random() * loads.length);
    for (let step = 0; step < loads.length; step += 1) {
      const load = loads[(start + step) % loads.length] as Load;
      if (load !== except && isUsable(load)) return load;
    }
    return null;
  }

  /** The time a request would wait, as far as can be guessed. One that was never measured is measured soon, by one request. */
  #score({ latencyMs, measuredAt, inFlight, instance }: Load, now: number): number {
    if (latencyMs === 0) return (this.#meanMs * inFlight) / instance.weight;
    return (latencyMs * Math.exp((measuredAt - now) / MEMORY_MS) * (inFlight + 1)) / instance.weight;
  }
}
