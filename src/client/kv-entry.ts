// One key as a variable of a type: read, written, changed by compare-and-set, watched.
import type { Uint64 } from "../types/records.ts";
import type { Codec } from "./codec.ts";
import type { DeleteOptions, KvArea, PutOptions } from "./kv.ts";
import type { ReadOptions, RequestOptions } from "./transport.ts";
import type { KeyValue } from "./types.ts";
import type { WatchOptions } from "./watch.ts";
import { watch } from "./watch.ts";

/** A key's value and what stands beside it. `value` is null, and `modifyIndex` 0, when there is no such key. */
export interface KvValue<T> {
  value: T | null;
  /** For `cas`. */
  modifyIndex: Uint64;
  flags: Uint64;
  /** The session that holds the key. */
  session: string | null;
}

/** A key whose values are of one type. */
export interface KvEntry<T> {
  readonly key: string;
  /** @throws what the codec throws, when the value is none of its */
  get(options?: ReadOptions): Promise<KvValue<T>>;
  /** False: `cas`, `acquire` or `release` was refused. */
  set(value: T, options?: PutOptions): Promise<boolean>;
  /** False only with `cas`. */
  delete(options?: DeleteOptions): Promise<boolean>;
  /**
   * Reads, lets `change` make the next value, and writes it if nobody else has written meanwhile; otherwise does it again, 16
   * times at most. Null deletes the key, or leaves it absent. Gives what is stored then.
   * @throws Error when others were faster each time
   */
  update(change: (value: T | null) => T | null | Promise<T | null>, options?: RequestOptions): Promise<T | null>;
  /** The value now, and each that differs from the one before. Failed reads are repeated; an unreadable value is thrown. */
  watch(options?: WatchOptions): AsyncGenerator<KvValue<T>, void, undefined>;
}

const ATTEMPTS = 16;

/** The key as a variable, on the area's own methods. */
export function kvEntry<T>(kv: KvArea, key: string, codec: Codec<T>): KvEntry<T> {
  const decode = (entry: KeyValue | null): KvValue<T> => ({
    value: entry === null ? null : codec.decode(entry.Value),
    modifyIndex: entry?.ModifyIndex ?? 0,
    flags: entry?.Flags ?? 0,
    session: entry?.Session ?? null,
  });
  const get = async (options?: ReadOptions): Promise<KvValue<T>> => decode((await kv.get(key, options)).value);
  return {
    key,
    get,
    set: (value, options) => kv.put(key, codec.encode(value), options),
    delete: (options) => kv.delete(key, options),
    async update(change, options) {
      for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
        const { value, modifyIndex, flags } = await get(options);
        const next = await change(value);
        // A cas of 0 does not delete: it means "not there" only for writes.
        if (next === null && modifyIndex === 0) return null;
        const cas = { ...options, cas: modifyIndex };
        const isDone =
          next === null ? await kv.delete(key, cas) : await kv.put(key, codec.encode(next), { flags, ...cas });
        if (isDone) return next;
      }
      throw new Error(`${key} was changed by others ${ATTEMPTS} times while it was to be updated`);
    },
    async *watch(options) {
      for await (const read of watch((given) => kv.get(key, given), options)) yield decode(read.value);
    },
  };
}
