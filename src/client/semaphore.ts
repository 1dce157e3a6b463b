// Semaphores on keys and sessions, the recipe of Consul's own clients, so that both may contend for one prefix:
// https://developer.hashicorp.com/consul/tutorials/developer-configuration/distributed-semaphore
import type { Client } from "./edge.ts";
import { text } from "./codec.ts";
import { parseJson, stringifyJson } from "./json.ts";
import type { Lock, LockOptions } from "./lock.ts";
import { acquire, LockConflict } from "./lock.ts";
import type { KeyValue } from "./types.ts";

/** The flags that mark a key as part of a semaphore; the same in every client. */
export const semaphoreFlags = 0xe0f69a2baa414de0n;

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
    const stored = parseJson(text.decode(entry.Value)) as { Limit: number; Holders?: Record<string, boolean> | null };
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
    key: contender,
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
