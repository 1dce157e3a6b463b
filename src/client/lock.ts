// Locks and semaphores on keys and sessions, the recipe of Consul's own clients, so that both may contend for one key:
// https://developer.hashicorp.com/consul/tutorials/developer-configuration/distributed-semaphore
import { text } from "../util/bytes.ts";
import { parseJson, stringifyJson } from "../util/json.ts";
import type { Client } from "./client.ts";
import type { HeldSession, Timing } from "./held-session.ts";
import { holdSession } from "./held-session.ts";
import type { Read } from "./transport.ts";
import { ClientError } from "./transport.ts";
import type { KeyValue } from "./types.ts";
import type { Sleep } from "./watch.ts";
import { defaultSleep } from "./watch.ts";

/** The flags that mark a key as a lock, or as part of a semaphore; the same in every client. */
export const lockFlags = 0x2ddccbc058a50c18n;
export const semaphoreFlags = 0xe0f69a2baa414de0n;

/** A blocking read of the key, and the pause after a refusal without a holder, which is a lock delay. */
const POLL_WAIT = "15s";
const LOCK_DELAY_RETRY_MS = 5_000;
/** Below the time limits that common `fetch`es have. */
const MONITOR_WAIT = "2m";
const SESSION_TTL_MS = 15_000;

export interface LockOptions {
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
  sleep?: Sleep;
  now?(): number;
}

export interface Lock {
  readonly session: string;
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

/** What makes one recipe differ from the other. */
interface Recipe {
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

/**
 * Takes one of `limit` slots at `prefix`; null when `tryForMs` passed or the signal was aborted before.
 * @throws LockConflict also when others hold it with another limit; ClientError
 */
export function acquireSemaphore(
  client: Client,
  prefix: string,
  limit: number,
  options: LockOptions = {},
): Promise<Lock | null> {
  const { kv } = client;
  const base = prefix.replace(/\/+$/, "");
  const lockKey = `${base}/.lock`;
  const contender = (session: string): string => `${base}/${session}`;
  const slots = (entries: KeyValue[]): { index: number; limit: number; holders: Set<string> } => {
    const entry = entries.find(({ Key }) => Key === lockKey);
    if (entry !== undefined && BigInt(entry.Flags) !== semaphoreFlags)
      throw new LockConflict("Existing key does not match semaphore use");
    if (entry === undefined || entry.Value.length === 0)
      return { index: entry?.ModifyIndex ?? 0, limit, holders: new Set() };
    const stored = parseJson(text(entry.Value)) as { Limit: number; Holders?: Record<string, boolean> | null };
    // A holder whose contender key is gone, or no longer held by its session, has died.
    const alive = new Set(entries.map(({ Session }) => Session));
    const holders = new Set(Object.keys(stored.Holders ?? {}).filter((session) => alive.has(session)));
    return { index: entry.ModifyIndex, limit: stored.Limit, holders };
  };
  const store = (index: number, holders: Set<string>): Promise<boolean> => {
    const Holders = Object.fromEntries([...holders].map((session) => [session, true]));
    return kv.put(lockKey, stringifyJson({ Limit: limit, Holders }), { cas: index, flags: semaphoreFlags });
  };
  return acquire(client, options, "Consul API Semaphore", {
    async enter(session) {
      const entered = await kv.put(contender(session), options.value ?? "", {
        acquire: session,
        flags: semaphoreFlags,
      });
      if (!entered) throw new LockConflict("Failed to make contender entry");
    },
    read: (wait) => kv.list(`${base}/`, wait),
    async attempt(entries, session) {
      const found = slots(entries);
      if (found.limit !== limit)
        throw new LockConflict(`Semaphore limit conflict: the key says ${found.limit}, ${limit} was asked for`);
      if (found.holders.size >= limit) return "taken";
      return (await store(found.index, found.holders.add(session))) ? "ours" : "again";
    },
    holds: (entries, session) => slots(entries).holders.has(session),
    async release(session) {
      for (;;) {
        const found = slots((await kv.list(`${base}/`)).value);
        if (!found.holders.delete(session) || (await store(found.index, found.holders))) break;
      }
      await kv.delete(contender(session));
    },
    async cleanUp() {
      const found = slots((await kv.list(`${base}/`)).value);
      if (found.index === 0) return true;
      return found.holders.size === 0 && kv.delete(lockKey, { cas: found.index });
    },
  });
}

async function acquire(client: Client, options: LockOptions, name: string, recipe: Recipe): Promise<Lock | null> {
  const timing: Timing = { sleep: options.sleep ?? defaultSleep, now: options.now ?? monotonic };
  const ttlMs = options.sessionTtlMs ?? SESSION_TTL_MS;
  const session = await holdSession(client.session, { Name: options.sessionName ?? name }, ttlMs, timing);
  try {
    await recipe.enter(session.id);
    if (await contend(recipe, session, options, timing)) return hold(recipe, session, options, timing);
  } catch (error) {
    await session.end();
    if (options.signal?.aborted) return null;
    throw error;
  }
  await session.end();
  return null;
}

/** True once held; false when the time is up, the signal aborted, or the session lost. */
async function contend(recipe: Recipe, session: HeldSession, options: LockOptions, timing: Timing): Promise<boolean> {
  const { tryForMs = Number.POSITIVE_INFINITY } = options;
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

function hold(recipe: Recipe, session: HeldSession, options: LockOptions, timing: Timing): Lock {
  const lost = new AbortController();
  const over = new AbortController();
  const signal = AbortSignal.any([session.lost, over.signal, ...(options.signal ? [options.signal] : [])]);
  session.lost.addEventListener("abort", () => lost.abort());
  void monitor(recipe, session.id, signal, options, timing).then(() => lost.abort());
  return {
    session: session.id,
    lost: lost.signal,
    async release() {
      over.abort();
      try {
        await recipe.release(session.id);
      } finally {
        await session.end();
      }
    },
    cleanUp: () => recipe.cleanUp(),
  };
}

/** Returns when the lock is no longer ours, when reading failed too often, or when the signal is aborted. */
async function monitor(
  recipe: Recipe,
  session: string,
  signal: AbortSignal,
  options: LockOptions,
  timing: Timing,
): Promise<void> {
  let index: number | bigint | undefined;
  let failures = 0;
  while (!signal.aborted) {
    try {
      const read = await recipe.read({ index, wait: MONITOR_WAIT, consistency: "consistent", signal });
      if (!recipe.holds(read.value, session)) return;
      index = read.index;
      failures = 0;
    } catch (error) {
      const transient = error instanceof ClientError && (error.status === 0 || error.status >= 500);
      failures += 1;
      if (!transient || failures > (options.monitorRetries ?? 0)) return;
      index = undefined;
      await timing.sleep(options.monitorRetryMs ?? 2_000, signal);
    }
  }
}

function monotonic(): number {
  return performance.now();
}
