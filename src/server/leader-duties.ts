// What only a leader keeps, in memory: the timers of sessions, the delays of locks and the reaping of tombstones. It
// follows the store by its changes while it leads, and forgets everything when it leads no more.
import { StoredTimes } from "../host/stored-times.ts";
import type { Timers } from "../host/timers.ts";
import type { Platform } from "../platform.ts";
import { type Change, releasedLocks } from "../state/change.ts";
import type { StateStore } from "../state/store.ts";
import { LockDelays } from "./lock-delays.ts";
import { SessionTimers } from "./session-timers.ts";
import { TombstoneReaper } from "./tombstone-reaper.ts";

export interface LeaderHost {
  readonly platform: Pick<Platform, "now" | "wall" | "tables">;
  readonly timers: Timers;
  /** The store as it is now: a restore puts another one in its place. */
  state(): StateStore;
  now(): number;
  expireSession(id: string): Promise<unknown>;
  reapTombstones(index: number): Promise<unknown>;
}

export class LeaderDuties {
  readonly #host: LeaderHost;
  readonly sessions: SessionTimers;
  readonly lockDelays: LockDelays;
  readonly #reaper: TombstoneReaper;
  #leading = false;

  constructor(host: LeaderHost) {
    this.#host = host;
    const { platform } = host;
    const ends = StoredTimes.of(platform, "session-ends");
    this.sessions = new SessionTimers(host.timers, (id) => host.expireSession(id), ends);
    this.lockDelays = new LockDelays(StoredTimes.of(platform, "lock-delays"));
    this.#reaper = new TombstoneReaper({
      times: StoredTimes.of(platform, "tombstone-ages"),
      timers: host.timers,
      now: () => host.now(),
      tombstones: () => host.state().tombstones(),
      reap: (index) => host.reapTombstones(index),
    });
  }

  /** Called once this server leads and has applied everything before its term. */
  start(): void {
    this.#leading = true;
    this.sessions.clear();
    const now = this.#host.now();
    for (const session of this.#host.state().sessions().value) this.sessions.resume(session, now);
    this.#reaper.start();
  }

  /** The store was replaced while leading: every session gets a whole TTL from now. */
  restart(): void {
    if (!this.#leading) return;
    this.sessions.restart(this.#host.state().sessions().value);
  }

  stop(): void {
    this.#leading = false;
    this.sessions.clear();
    this.lockDelays.clear();
    this.#reaper.stop();
  }

  /** Follows what an entry changed. */
  changed(changes: readonly Change[]): void {
    if (!this.#leading) return;
    let ended = false;
    for (const change of changes) {
      if (change.table !== "sessions") continue;
      if (change.after !== null) this.sessions.renew(change.after);
      else if (change.before !== null) {
        ended = true;
        this.sessions.remove(change.before.ID);
      }
    }
    if (ended) this.lockDelays.note(releasedLocks(changes), this.#host.now());
  }
}
