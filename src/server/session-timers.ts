// The leader's clocks of sessions with a TTL. A session ends between one and two times its TTL after its last renewal
// (https://developer.hashicorp.com/consul/docs/automate/session): the timer runs at twice the TTL, and starts anew when
// a leader is elected, so no election ends a session early.
import type { Timer, Timers } from "../host/timers.ts";
import type { Session } from "../types/records.ts";
import { parseDuration } from "../util/duration.ts";

const NANOSECONDS_PER_MS = 1e6;
const TTL_FACTOR = 2;
/** An expiry that could not be written is tried again after this, doubling. */
const RETRY_MS = 10_000;
const RETRIES_MAX = 6;

export class SessionTimers {
  readonly #timers: Timers;
  readonly #expire: (id: string) => Promise<unknown>;
  readonly #running = new Map<string, Timer>();

  /** @param expire writes the end of a session through the log. */
  constructor(timers: Timers, expire: (id: string) => Promise<unknown>) {
    this.#timers = timers;
    this.#expire = expire;
  }

  /** How many sessions have a timer. */
  get active(): number {
    return this.#running.size;
  }

  /** Starts or renews the timer of a session; one without a TTL has none. */
  renew(session: Session): void {
    this.remove(session.ID);
    const ttlMs = sessionTtlMs(session);
    if (ttlMs > 0) this.#start(session.ID, ttlMs * TTL_FACTOR, 0);
  }

  remove(id: string): void {
    this.#timers.cancel(this.#running.get(id) ?? null);
    this.#running.delete(id);
  }

  /** This server leads no more. */
  clear(): void {
    for (const timer of this.#running.values()) this.#timers.cancel(timer);
    this.#running.clear();
  }

  #start(id: string, delayMs: number, retries: number): void {
    const timer = this.#timers.after(delayMs, () => {
      void this.#expire(id).catch(() => {
        if (this.#running.get(id) !== timer) return;
        if (retries < RETRIES_MAX) this.#start(id, RETRY_MS * 2 ** retries, retries + 1);
        else this.#running.delete(id);
      });
    });
    this.#running.set(id, timer);
  }
}

/** The session's TTL in milliseconds, 0 for none. The store holds only TTLs that parse. */
function sessionTtlMs(session: Session): number {
  return session.TTL === "" ? 0 : parseDuration(session.TTL) / NANOSECONDS_PER_MS;
}
