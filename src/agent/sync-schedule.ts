// When anti-entropy is to run: a machine. A full synchronisation at the start, then every minute and a random time more,
// the longer the larger the cluster; a partial one as soon as something changed; after a failure a full one 15 seconds
// later and a random time more; within 3 seconds of the appearance of a server.
// https://developer.hashicorp.com/consul/docs/concept/consistency (anti-entropy)
import { unreachable } from "../util/assert.ts";
import type { Random } from "../util/random.ts";

const intervalDefaultMs = 60_000;
const retryMs = 15_000;
const serverUpMs = 3000;
const scaleThreshold = 128;

/** How much a cluster of `nodes` spreads its synchronisations: 1 up to 128 nodes, 1 more for each doubling. */
export function scaleFactor(nodes: number): number {
  let factor = 1;
  for (let size = scaleThreshold; size < nodes; size *= 2) factor += 1;
  return factor;
}

/** What happens to the schedule. */
export type SyncInput =
  | { type: "start" }
  /** Something here is not in sync any more. */
  | { type: "changed" }
  /** A server has appeared: what was sent to others may have been lost with them. */
  | { type: "server-up" }
  | { type: "cluster-size"; nodes: number }
  /** The synchronisation that was asked for has ended; false when some of it failed. */
  | { type: "done"; ok: boolean }
  /** Nothing is to be sent while many definitions change; calls nest. */
  | { type: "pause" }
  | { type: "resume" }
  | { type: "timeout" };

/** Do one synchronisation and feed back `done`: a full one compares with the catalog first. */
export interface SyncEffect {
  type: "sync";
  full: boolean;
}

/** The machine that says when to synchronise. One synchronisation is under way at most. */
export class SyncSchedule {
  readonly #random: Random;
  readonly #intervalMs: number;
  #nodes = 1;
  #paused = 0;
  #syncing: "full" | "partial" | null = null;
  #changed = false;
  /** When the next full synchronisation is due; null before the start. */
  #fullAt: number | null = null;
  /** True from a failure until the full synchronisation that mends it: changes alone start nothing. */
  #retrying = false;

  constructor(random: Random, intervalMs: number = intervalDefaultMs) {
    this.#random = random;
    this.#intervalMs = intervalMs;
  }

  get deadline(): number | null {
    return this.#syncing !== null || this.#paused > 0 ? null : this.#fullAt;
  }

  step(now: number, input: SyncInput): SyncEffect[] {
    switch (input.type) {
      case "start":
        this.#fullAt ??= now;
        break;
      case "changed":
        this.#changed = true;
        break;
      case "server-up":
        if (this.#fullAt !== null) this.#fullAt = Math.min(this.#fullAt, now + this.#stagger(serverUpMs));
        break;
      case "cluster-size":
        this.#nodes = input.nodes;
        break;
      case "done":
        this.#done(now, input.ok);
        break;
      case "pause":
        this.#paused += 1;
        break;
      case "resume":
        this.#paused = Math.max(0, this.#paused - 1);
        break;
      case "timeout":
        break;
      default:
        unreachable(input);
    }
    return this.#start(now);
  }

  #done(now: number, ok: boolean): void {
    if (this.#syncing === null) return;
    this.#syncing = null;
    if (ok) this.#retrying = false;
    else {
      this.#retrying = true;
      // A server that appeared meanwhile brings it forward.
      const retryAt = now + retryMs + this.#stagger(retryMs);
      this.#fullAt = Math.min(this.#fullAt ?? retryAt, retryAt);
    }
  }

  #start(now: number): SyncEffect[] {
    if (this.#syncing !== null || this.#paused > 0 || this.#fullAt === null) return [];
    if (this.#fullAt <= now) {
      this.#syncing = "full";
      this.#fullAt = now + this.#intervalMs + this.#stagger(this.#intervalMs);
    } else if (this.#changed && !this.#retrying) this.#syncing = "partial";
    else return [];
    this.#changed = false;
    return [{ type: "sync", full: this.#syncing === "full" }];
  }

  /** A random time within `ms`, the longer the larger the cluster. */
  #stagger(ms: number): number {
    return Math.floor(this.#random.float() * ms * scaleFactor(this.#nodes));
  }
}
