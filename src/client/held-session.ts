// A session that is kept alive while its owner needs it: renewed at half its TTL, as Consul's own clients do.
import type { Clock } from "./clock.ts";
import { within } from "./clock.ts";
import type { SessionArea } from "./session.ts";
import { ClientError } from "./transport.ts";
import type { SessionRequest } from "./types.ts";

const RETRY_MS = 1_000;

/** Times come from outside, so that tests and other schedulers own them. */
export type Timing = Pick<Clock, "sleep" | "now">;

/** A session that is renewed in the background. */
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
  const createdAt = timing.now();
  const id = await sessions.create({ ...request, TTL: `${ttlMs / 1000}s` });
  const lost = new AbortController();
  const ended = new AbortController();
  void keep(sessions, id, ttlMs, createdAt, timing, ended.signal).then(() => lost.abort());
  return {
    id,
    lost: lost.signal,
    async end() {
      ended.abort();
      await within(timing, ttlMs, null, (signal) => sessions.destroy(id, { signal })).catch(() => {});
    },
  };
}

/** Returns when the session is lost or `ended` is aborted. */
async function keep(
  sessions: SessionArea,
  id: string,
  ttlMs: number,
  createdAt: number,
  timing: Timing,
  ended: AbortSignal,
): Promise<void> {
  // The agent's time runs from when it took the request, which is no earlier than when that was sent.
  let renewedAt = createdAt;
  let waitMs = ttlMs / 2;
  for (;;) {
    const leftMs = (): number => renewedAt + ttlMs - timing.now();
    await timing.sleep(Math.min(waitMs, Math.max(0, leftMs())), ended);
    if (ended.aborted) return;
    const sentAt = timing.now();
    if (leftMs() <= 0) return;
    try {
      // An agent that says nothing must not make us believe that we still hold what another may hold by now.
      const session = await within(timing, leftMs(), ended, (signal) => sessions.renew(id, { signal }));
      if (session === null) return;
      renewedAt = sentAt;
      waitMs = ttlMs / 2;
    } catch (error) {
      if (ended.aborted) return;
      // A refusal is final; anything else may pass.
      if (error instanceof ClientError && error.status === 403) return;
      waitMs = Math.min(RETRY_MS, ttlMs / 2);
    }
  }
}
