// The time of life of sessions and the delay of locks, by the committed log (Consul: a session lives at least its TTL after a
// renewal, and ends by itself; a lock that its holder's session lost cannot be taken for the lock delay, as long as one leader
// leads: it is kept in the leader's memory).
import type { Checker, Sim } from "../types.ts";
import { raftOf, type Reference } from "./reference.ts";

const NANOSECONDS_PER_MS = 1e6;
/** How long after twice its TTL a session may still be there while one leader leads: an expiry that fails is tried again. */
const LATE_MS = 90_000;
/** Clocks may run this much fast. */
const DRIFT = 1.25;

interface Life {
  ttlMs: number;
  /** When the last renewal that was answered was called. */
  renewedMs: number;
  /** When its client stopped renewing; null while it does. */
  abandonedMs: number | null;
  isDestroying: boolean;
  /** It was renewed so late that its end may have been under way. */
  isLate: boolean;
}

interface Delay {
  untilMs: number;
  term: number;
}

export class SessionLives implements Checker {
  readonly name = "session lives";
  readonly everyMs = 1000;
  readonly #lives = new Map<string, Life>();
  readonly #delays = new Map<string, Delay>();
  #leader: string | null = null;
  #leaderSinceMs = 0;
  expired = 0;

  constructor(reference: Reference) {
    reference.onCommitted(({ changes, entry, atMs }, sim) => {
      const ended = new Map<string, number>();
      for (const change of changes) {
        if (change.table !== "sessions" || change.before === null || change.after !== null) continue;
        ended.set(change.before.ID, change.before.LockDelay / NANOSECONDS_PER_MS);
        this.#ended(sim, change.before.ID, atMs);
      }
      for (const change of changes) {
        if (change.table !== "kv") continue;
        const before = change.before?.Session;
        const after = change.after?.Session;
        const delayMs = before === undefined ? undefined : ended.get(before);
        if (delayMs !== undefined && delayMs > 0)
          this.#delays.set(change.key, { untilMs: atMs + delayMs / DRIFT, term: entry.term });
        if (after !== undefined && after !== before) this.#taken(sim, change.key, after, entry.term, atMs);
        if (change.after === null) this.#delays.delete(change.key);
      }
    });
  }

  renewed(id: string, ttlMs: number, calledMs: number): void {
    const life = this.#lives.get(id);
    if (life === undefined)
      this.#lives.set(id, { ttlMs, renewedMs: calledMs, abandonedMs: null, isDestroying: false, isLate: false });
    else {
      life.isLate ||= calledMs - life.renewedMs > ttlMs;
      life.renewedMs = Math.max(life.renewedMs, calledMs);
    }
  }

  abandoned(id: string, nowMs: number): void {
    const life = this.#lives.get(id);
    if (life !== undefined) life.abandonedMs = nowMs;
  }

  destroying(id: string): void {
    const life = this.#lives.get(id);
    if (life !== undefined) life.isDestroying = true;
  }

  #ended(sim: Sim, id: string, atMs: number): void {
    const life = this.#lives.get(id);
    this.#lives.delete(id);
    if (life === undefined || life.isDestroying || life.isLate) return;
    this.expired += 1;
    const livedMs = atMs - life.renewedMs;
    if (livedMs < life.ttlMs)
      sim.fail(this.name, `session ${id} with a TTL of ${life.ttlMs} ms ended ${livedMs} ms after it was renewed`);
  }

  #taken(sim: Sim, key: string, session: string, term: number, atMs: number): void {
    const delay = this.#delays.get(key);
    this.#delays.delete(key);
    if (delay === undefined || delay.term !== term) return;
    if (atMs < delay.untilMs)
      sim.fail(
        "lock delay",
        `${key} was taken by ${session} ${delay.untilMs - atMs} ms before the lock delay was over`,
      );
  }

  step(sim: Sim): void {
    const leaders = sim.nodes.filter(({ server }) => server?.leading === true);
    const leader = leaders.length === 1 ? `${leaders[0]!.name} ${raftOf(leaders[0]!.server)?.term}` : null;
    if (leader === null || leader !== this.#leader) this.#leaderSinceMs = sim.now;
    this.#leader = leader;
    for (const [id, { ttlMs, abandonedMs, isDestroying }] of this.#lives) {
      if (abandonedMs === null || isDestroying) continue;
      const livedMs = sim.now - Math.max(abandonedMs, this.#leaderSinceMs);
      if (livedMs > 2 * ttlMs * DRIFT + LATE_MS)
        sim.fail(this.name, `session ${id} with a TTL of ${ttlMs} ms is there ${livedMs} ms after its last renewal`);
    }
  }
}
