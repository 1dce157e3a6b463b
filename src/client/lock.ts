// Locks on keys and sessions, the recipe of Consul's own clients, so that both may contend for one key:
// https://developer.hashicorp.com/consul/tutorials/developer-configuration/application-leader-elections
import type { Uint64 } from "../types/records.ts";
import type { Client } from "./edge.ts";
import { asyncDispose, systemClock, within } from "./clock.ts";
import type { HeldSession, Timing } from "./held-session.ts";
import { holdSession } from "./held-session.ts";
import type { Read } from "./transport.ts";
import { ClientError } from "./transport.ts";
import type { KeyValue, TxnOperation } from "./types.ts";

/** The flags that mark a key as a lock; the same in every client. */
export const lockFlags = 0x2ddccbc058a50c18n;

/** A blocking read of the key, and the pause after a refusal without a holder, which is a lock delay. */
const POLL_WAIT = "15s";
const LOCK_DELAY_RETRY_MS = 5_000;
/** Below the time limits that common `fetch`es have. */
const MONITOR_WAIT = "2m";
const MONITOR_RETRY_MS = 2_000;
const SESSION_TTL_MS = 15_000;

/** How long to try, and how to hold. */
export interface LockOptions extends Partial<Timing> {
  sessionName?: string;
  sessionTtlMs?: number;
  /** What the key holds while locked; a semaphore's contender key, likewise. */
  value?: string | Uint8Array;
  /** Give up after this; endless when not given. */
  tryForMs?: number;
  /** While held: this many failed reads in a row are borne, so long apart. */
  monitorRetries?: number;
  monitorRetryMs?: number;
  /** Ends the attempt, and later the watching of the lock. */
  signal?: AbortSignal;
}

/** A lock that is held, until `lost` is aborted. */
export interface Lock extends AsyncDisposable {
  readonly session: string;
  /**
   * Greater than that of all who held it before: the key's ModifyIndex when it was taken. Whatever the lock protects should
   * refuse a smaller number than it has seen, for a holder that was asleep does not know yet that it holds no more.
   */
  readonly fence: Uint64;
  /** For `txn`, before writes to other keys: all of it is refused unless the session still holds the key. */
  readonly guard: TxnOperation;
  /** Aborted when the lock is no longer ours. */
  readonly lost: AbortSignal;
  /** Gives the lock back and ends the session. */
  release(): Promise<void>;
  /** After release: deletes the key, unless someone else holds or changes it; true when it is gone. */
  cleanUp(): Promise<boolean>;
}

/** A key that something else than this recipe uses. */
export class LockConflict extends Error {
  override readonly name: string = "LockConflict";
}

/** What makes a semaphore differ from a lock. */
export interface Recipe {
  /** What the session holds. */
  key(session: string): string;
  /** Before the first try. */
  enter(session: string): Promise<void>;
  read(wait: ReadWait): Promise<Read<KeyValue[]>>;
  /** "ours": held; "taken": wait until the entries change; "refused": nobody holds it, yet it was not given. */
  attempt(entries: KeyValue[], session: string): Promise<"ours" | "taken" | "refused" | "again">;
  holds(entries: KeyValue[], session: string): boolean;
  release(session: string): Promise<void>;
  cleanUp(): Promise<boolean>;
}
interface ReadWait {
  index?: number | bigint;
  wait?: string;
  consistency?: "consistent";
  signal?: AbortSignal;
}

/**
 * Takes the lock at `key`; null when `tryForMs` passed or the signal was aborted before.
 * @throws LockConflict, ClientError
 */
export function acquireLock(client: Client, key: string, options: LockOptions = {}): Promise<Lock | null> {
  const { kv } = client;
  const value = options.value ?? "";
  const checked = (entry: KeyValue): KeyValue => {
    if (BigInt(entry.Flags) !== lockFlags) throw new LockConflict("Existing key does not match lock use");
    return entry;
  };
  return acquire(client, options, "Consul API Lock", {
    key: () => key,
    async enter() {},
    async read(wait) {
      const read = await kv.get(key, wait);
      return { ...read, value: read.value === null ? [] : [read.value] };
    },
    async attempt([entry], session) {
      if (entry !== undefined && checked(entry).Session === session) return "ours";
      if (entry?.Session) return "taken";
      if (await kv.put(key, value, { acquire: session, flags: lockFlags })) return "ours";
      // Either someone was faster, or a lock delay is on.
      return (await kv.get(key, { consistency: "consistent" })).value?.Session ? "again" : "refused";
    },
    holds: ([entry], session) => entry?.Session === session,
    async release(session) {
      await kv.put(key, value, { release: session, flags: lockFlags });
    },
    async cleanUp() {
      const entry = (await kv.get(key)).value;
      if (entry === null) return true;
      return !checked(entry).Session && kv.delete(key, { cas: entry.ModifyIndex });
    },
  });
}

/** Takes what the recipe says, and holds it. @throws what the recipe throws */
export async function acquire(
  client: Client,
  options: LockOptions,
  name: string,
  recipe: Recipe,
): Promise<Lock | null> {
  const { sleep = systemClock.sleep, now = systemClock.now } = options;
  const timing: Timing = { sleep, now };
  const ttlMs = options.sessionTtlMs ?? SESSION_TTL_MS;
  const session = await holdSession(client.session, { Name: options.sessionName ?? name }, ttlMs, timing);
  try {
    await recipe.enter(session.id);
    while (await contend(recipe, session, options, timing)) {
      const read = await confirm(recipe, options, timing);
      // Otherwise it was taken away again already.
      if (recipe.holds(read.value, session.id)) return hold(recipe, session, read, options, timing, ttlMs);
    }
  } catch (error) {
    await session.end();
    if (options.signal?.aborted) return null;
    throw error;
  }
  await session.end();
  return null;
}

/** What is there now, with as much patience as there is while the lock is held. @throws ClientError */
async function confirm(recipe: Recipe, options: LockOptions, timing: Timing): Promise<Read<KeyValue[]>> {
  const { signal, monitorRetries = 0, monitorRetryMs = MONITOR_RETRY_MS } = options;
  for (let failures = 0; ; failures += 1) {
    try {
      return await recipe.read({ consistency: "consistent", signal });
    } catch (error) {
      if (!isTransient(error) || failures >= monitorRetries) throw error;
      await timing.sleep(monitorRetryMs, signal);
    }
  }
}

/** True once held; false when the time is up, the signal aborted, or the session lost. */
async function contend(recipe: Recipe, session: HeldSession, options: LockOptions, timing: Timing): Promise<boolean> {
  const { tryForMs = Infinity } = options;
  const signal = AbortSignal.any([session.lost, ...(options.signal ? [options.signal] : [])]);
  const start = timing.now();
  let index: number | bigint | undefined;
  for (let first = true; !signal.aborted; first = false) {
    const leftMs = tryForMs - (timing.now() - start);
    if (!first && leftMs <= 0) return false;
    const read = await recipe.read({
      index,
      wait: leftMs < 15_000 ? `${Math.max(1, Math.ceil(leftMs))}ms` : POLL_WAIT,
      signal,
    });
    const result = await recipe.attempt(read.value, session.id);
    if (result === "ours") return true;
    index = result === "taken" ? read.index : undefined;
    if (result === "refused") await timing.sleep(Math.min(LOCK_DELAY_RETRY_MS, tryForMs), signal);
  }
  return false;
}

function hold(
  recipe: Recipe,
  session: HeldSession,
  taken: Read<KeyValue[]>,
  options: LockOptions,
  timing: Timing,
  ttlMs: number,
): Lock {
  const lost = new AbortController();
  const over = new AbortController();
  const signal = AbortSignal.any([session.lost, over.signal, ...(options.signal ? [options.signal] : [])]);
  session.lost.addEventListener("abort", () => lost.abort());
  void monitor(recipe, session.id, taken.index, signal, options, timing).then(() => lost.abort());
  const Key = recipe.key(session.id);
  let releasing: Promise<void> | null = null;
  const release = async (): Promise<void> => {
    over.abort();
    try {
      // After the session's time there is nothing left to give back.
      await within(timing, ttlMs, null, () => recipe.release(session.id));
    } finally {
      await session.end();
    }
  };
  const releaseOnce = (): Promise<void> => (releasing ??= release());
  return {
    session: session.id,
    // Of a semaphore's keys, the one that says who holds it was written last.
    fence: taken.value.reduce((most: Uint64, { ModifyIndex }) => (ModifyIndex > most ? ModifyIndex : most), 0),
    guard: { KV: { Verb: "check-session", Key, Session: session.id } },
    lost: lost.signal,
    release: releaseOnce,
    cleanUp: () => recipe.cleanUp(),
    // Nobody waits for what this throws; the session's TTL ends what could not be given back.
    [asyncDispose]: () => releaseOnce().catch(() => {}),
  };
}

/** Returns when the lock is no longer ours, when reading failed too often, or when the signal is aborted. */
async function monitor(
  recipe: Recipe,
  session: string,
  from: Uint64,
  signal: AbortSignal,
  options: LockOptions,
  timing: Timing,
): Promise<void> {
  let index: Uint64 | undefined = from;
  let failures = 0;
  while (!signal.aborted) {
    try {
      const read = await recipe.read({ index, wait: MONITOR_WAIT, consistency: "consistent", signal });
      if (!recipe.holds(read.value, session)) return;
      index = read.index;
      failures = 0;
    } catch (error) {
      failures += 1;
      if (!isTransient(error) || failures > (options.monitorRetries ?? 0)) return;
      index = undefined;
      await timing.sleep(options.monitorRetryMs ?? MONITOR_RETRY_MS, signal);
    }
  }
}

/** Nobody answered, or a server that may answer later. */
function isTransient(error: unknown): boolean {
  return error instanceof ClientError && (error.status === 0 || error.status >= 500);
}
