// The leader's clocks of sessions with a TTL. A session ends between one and two times its TTL after its last renewal
// (https://developer.hashicorp.com/consul/docs/automate/session): the timer runs at twice the TTL, and starts anew when
// a leader is elected, so no election ends a session early. A server that is put to sleep goes on where it was: it is started
// for every request, and a session would never end.
import type { StoredTimes } from "../host/stored-times.ts";
import type { Timer, Timers } from "../host/timers.ts";
import type { Session } from "../types/records.ts";
import { parseDuration } from "../util/duration.ts";

const NANOSECONDS_PER_MS = 1e6;
const TTL_FACTOR = 2;
/** A renewal is written down when it moves the end by more than this share of the TTL: the end comes no earlier than that. */
const WRITTEN_SHARE = 0.5;
/** An expiry that could not be written is tried again after this, doubling. */
const RETRY_MS = 10_000;
const RETRIES_MAX = 6;

export class SessionTimers {
  readonly #timers: Timers;
  readonly #expire: (id: string) => Promise<unknown>;
  readonly #running = new Map<string, Timer>();
  readonly #times: StoredTimes | null;

  /**
   * @param expire writes the end of a session through the log.
   * @param times where the ends are kept that a sleep must not move.
   */
  constructor(timers: Timers, expire: (id: string) => Promise<unknown>, times: StoredTimes | null = null) {
    this.#timers = timers;
    this.#expire = expire;
    this.#times = times;
  }

  /** How many sessions have a timer. */
  get active(): number {
    return this.#running.size;
  }

  /** Starts or renews the timer of a session; one without a TTL has none. */
  renew(session: Session): void {
    this.#cancel(session.ID);
    const ttlMs = sessionTtlMs(session);
    if (ttlMs === 0) return;
    const timer = this.#start(session.ID, ttlMs * TTL_FACTOR, 0);
    const written = this.#times?.get(session.ID) ?? null;
    if (written === null || timer.at - written > ttlMs * WRITTEN_SHARE) this.#times?.set(session.ID, timer.at);
  }

  /** Goes on with the timer of a session as it was before a sleep; what is not known is renewed. */
  resume(session: Session, now: number): void {
    const at = this.#times?.get(session.ID) ?? null;
    if (at === null) this.renew(session);
    else this.#start(session.ID, Math.max(0, at - now), 0);
  }

  remove(id: string): void {
    this.#cancel(id);
    this.#times?.delete(id);
  }

  #cancel(id: string): void {
    this.#timers.cancel(this.#running.get(id) ?? null);
    this.#running.delete(id);
  }

  /** Begins anew: every session gets a whole TTL from now. */
  restart(sessions: readonly Session[]): void {
    this.clear();
    this.#times?.clear();
    for (const session of sessions) this.renew(session);
  }

  /** This server leads no more. */
  clear(): void {
    for (const timer of this.#running.values()) this.#timers.cancel(timer);
    this.#running.clear();
  }

  #start(id: string, delayMs: number, retries: number): Timer {
    const ended = (): void => {
      void this.#expire(id).catch(() => {
        if (this.#running.get(id) !== timer) return;
        if (retries < RETRIES_MAX) this.#start(id, RETRY_MS * 2 ** retries, retries + 1);
        else this.#running.delete(id);
      });
    };
    const timer = this.#timers.after(delayMs, ended, true);
    this.#running.set(id, timer);
    return timer;
  }
}

/** The session's TTL in milliseconds, 0 for none. The store holds only TTLs that parse. */
function sessionTtlMs(session: Session): number {
  return session.TTL === "" ? 0 : parseDuration(session.TTL) / NANOSECONDS_PER_MS;
}
