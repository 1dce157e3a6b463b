// A session that is kept alive while its owner needs it: renewed at half its TTL, as Consul's own clients do.
import type { SessionArea } from "./session.ts";
import { ClientError } from "./transport.ts";
import type { SessionRequest } from "./types.ts";
import type { Sleep } from "./watch.ts";

const RETRY_MS = 1_000;

/** Times come from outside, so that tests and other schedulers own them. */
export interface Timing {
  sleep: Sleep;
  /** Monotonic milliseconds. */
  now(): number;
}

export interface HeldSession {
  readonly id: string;
  /** Aborted when the session is gone, or was not renewed for a whole TTL. */
  readonly lost: AbortSignal;
  /** Stops renewing and destroys the session; an agent that cannot be reached is no error, the TTL will end it. */
  end(): Promise<void>;
}

/**
 * Creates a session with a TTL and keeps it.
 * @throws ClientError when it cannot be created.
 */
export async function holdSession(
  sessions: SessionArea,
  request: SessionRequest,
  ttlMs: number,
  timing: Timing,
): Promise<HeldSession> {
  const id = await sessions.create({ ...request, TTL: `${ttlMs / 1000}s` });
  const lost = new AbortController();
  const ended = new AbortController();
  void keep(sessions, id, ttlMs, timing, ended.signal).then(() => lost.abort());
  return {
    id,
    lost: lost.signal,
    async end() {
      ended.abort();
      await sessions.destroy(id).catch(() => {});
    },
  };
}

/** Returns when the session is lost or `ended` is aborted. */
async function keep(
  sessions: SessionArea,
  id: string,
  ttlMs: number,
  timing: Timing,
  ended: AbortSignal,
): Promise<void> {
  let renewedAt = timing.now();
  let waitMs = ttlMs / 2;
  while (!ended.aborted) {
    if (timing.now() - renewedAt > ttlMs) return;
    await timing.sleep(waitMs, ended);
    if (ended.aborted) return;
    try {
      const session = await sessions.renew(id, { signal: ended });
      if (session === null) return;
      renewedAt = timing.now();
      waitMs = ttlMs / 2;
    } catch (error) {
      // A refusal is final; anything else may pass.
      if (error instanceof ClientError && error.status === 403) return;
      waitMs = Math.min(RETRY_MS, ttlMs / 2);
    }
  }
}
