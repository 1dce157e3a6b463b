// The node's own network coordinate on its way to the catalog, where `rtt` and `?near=` find it: sent when the catalog has
// another one or none, looked at as often as Consul sends it, every 15 seconds and a random time more.
// https://developer.hashicorp.com/consul/docs/architecture/coordinates
import { catalogNode } from "../endpoint/catalog.ts";
import { coordinateNode, coordinateUpdate } from "../endpoint/coordinate.ts";
import type { Timer, Timers } from "../host/timers.ts";
import type { QueryOptions } from "../rpc/authority.ts";
import type { Route } from "../rpc/route.ts";
import type { Coordinate } from "../types/records.ts";
import type { Random } from "../util/random.ts";
import type { Logger } from "./logs.ts";

/** What it works with. */
export interface CoordinateSyncOptions {
  route: Route;
  timers: Timers;
  random: Random;
  logger: Logger;
  nodeName: string;
  /** The coordinate as the agent has it now. */
  coordinate(): Coordinate;
  /** Between two looks, before the random part. */
  intervalMs: number;
}

/** The first look: the catalog is to know the node by then. It is repeated until it does. */
const FIRST_MS = 1000;
const NOW: QueryOptions = { consistency: "default", index: 0, waitMs: 0 };

/** Keeps the catalog in step with the coordinate, from `start` to `stop`. */
export class CoordinateSync {
  readonly #options: CoordinateSyncOptions;
  #timer: Timer | null = null;
  #stopped = false;

  constructor(options: CoordinateSyncOptions) {
    this.#options = options;
  }

  start(): void {
    this.#wait(FIRST_MS);
  }

  stop(): void {
    this.#stopped = true;
    this.#options.timers.cancel(this.#timer);
  }

  #wait(ms: number): void {
    if (!this.#stopped) this.#timer = this.#options.timers.after(ms, () => void this.#look());
  }

  async #look(): Promise<void> {
    const { intervalMs, random, logger } = this.#options;
    let nextMs = intervalMs * (1 + random.float());
    try {
      if (!(await this.#send())) nextMs = FIRST_MS;
    } catch (error) {
      if (!this.#stopped) logger.error("Coordinate update error", { error });
    }
    this.#wait(nextMs);
  }

  /** Makes the catalog have the coordinate; false when it does not know the node yet. @throws OperationalError */
  async #send(): Promise<boolean> {
    const { route, nodeName } = this.#options;
    const Coord = this.#options.coordinate();
    const known = await route.query(coordinateNode, nodeName, NOW, "");
    const own = known.shared.read.value.find(({ Segment }) => Segment === "");
    if (own !== undefined && isSame(own.Coord, Coord)) return true;
    const node = await route.query(catalogNode, nodeName, NOW, "");
    if (node.shared.read.value === null) return false;
    await route.command(coordinateUpdate, [{ Node: nodeName, Segment: "", Coord }], "");
    return true;
  }
}

function isSame(a: Coordinate, b: Coordinate): boolean {
  return (
    a.Error === b.Error &&
    a.Adjustment === b.Adjustment &&
    a.Height === b.Height &&
    a.Vec.length === b.Vec.length &&
    a.Vec.every((part, at) => part === b.Vec[at])
  );
}
