// Keys and values: https://developer.hashicorp.com/consul/api-docs/kv. Values are bytes; a key that is not there is null.
import type { Indexed, Uint64 } from "../types/records.ts";
import { decodeBase64 } from "./json.ts";
import type { Codec } from "./codec.ts";
import type { KvEntry } from "./kv-entry.ts";
import { kvEntry } from "./kv-entry.ts";
import type { Replica, ReplicaOptions } from "./replica.ts";
import type { Replicas } from "./replicas.ts";
import type { Body, Read, ReadOptions, RequestOptions, Transport } from "./transport.ts";
import { segments } from "./transport.ts";
import type { KeyValue } from "./types.ts";

/** At most one of `cas`, `acquire` and `release`. */
export interface PutOptions extends RequestOptions {
  flags?: Uint64;
  /** Only if the key's ModifyIndex is this; 0: only if the key is not there. */
  cas?: Uint64;
  /** The session that takes the key's lock, or gives it back. */
  acquire?: string;
  release?: string;
}
/** A deletion that may depend on what is there. */
export interface DeleteOptions extends RequestOptions {
  /** Only if the key's ModifyIndex is this. */
  cas?: Uint64;
}

/** Keys and values, as bytes or by a codec. */
export interface KvArea {
  get(key: string, options?: ReadOptions): Promise<Read<KeyValue | null>>;
  /** Every entry whose key begins with `prefix`, by key. */
  list(prefix: string, options?: ReadOptions): Promise<Read<KeyValue[]>>;
  /** Only the keys; with a `separator`, up to and including its first place after the prefix. */
  keys(prefix: string, options?: ReadOptions & { separator?: string }): Promise<Read<string[]>>;
  /** False: `cas`, `acquire` or `release` was refused, and nothing has changed. */
  put(key: string, value: Body, options?: PutOptions): Promise<boolean>;
  /** False only with `cas`. */
  delete(key: string, options?: DeleteOptions): Promise<boolean>;
  /** Deletes every key that begins with `prefix`. */
  deleteTree(prefix: string, options?: RequestOptions): Promise<boolean>;
  /** The key as a variable of a type. */
  entry<T>(key: string, codec: Codec<T>): KvEntry<T>;
  /** The key's value kept in memory; null while there is no such key. What the codec cannot read leaves the value before. */
  follow<T>(key: string, codec: Codec<T>, options?: FollowOptions): KvReplica<T | null>;
  /** Every value whose key begins with `prefix`, kept in memory, by what follows the prefix. */
  followTree<T>(prefix: string, codec: Codec<T>, options?: FollowOptions): KvReplica<ReadonlyMap<string, T>>;
}

/** The replica's own, and how to read; "stale" when `consistency` is not given. */
export type FollowOptions = ReplicaOptions & Pick<ReadOptions, "datacenter" | "token" | "consistency">;
/** Keys in memory: `lookup`, `ready`, `changes`, `close`. */
export type KvReplica<T> = Replica<WireKeyValue[], T>;

/** An entry as JSON carries it. */
export interface WireKeyValue extends Indexed, Omit<KeyValue, "Value"> {
  Value?: string | null;
}

/** The entry with its value's bytes. */
export function decodeEntry(entry: WireKeyValue): KeyValue {
  return { ...entry, Value: decodeBase64(entry.Value ?? "") };
}

/** The area's methods on a transport. */
export function kvArea(transport: Transport, replicas: Replicas): KvArea {
  const path = (key: string): string => `kv/${segments(key)}`;
  const list = async (prefix: string, recurse: boolean, options?: ReadOptions): Promise<Read<KeyValue[]>> => {
    const read = await transport.read<WireKeyValue[]>(path(prefix), options, { recurse }, { value: [] });
    return { ...read, value: read.value.map(decodeEntry) };
  };
  const follow = <T>(
    key: string,
    recurse: boolean,
    empty: T,
    decode: (entries: KeyValue[], before: T, report: (error: unknown) => void) => T,
    options: FollowOptions = {},
  ): KvReplica<T> =>
    replicas.open(path(key), { recurse }, options, {
      missing: { value: [] },
      empty,
      decode: (wire: WireKeyValue[], before: T, report) => decode(wire.map(decodeEntry), before, report),
    });
  const area: KvArea = {
    async get(key, options) {
      const read = await list(key, false, options);
      return { ...read, value: read.value[0] ?? null };
    },
    list: (prefix, options) => list(prefix, true, options),
    keys: (prefix, options) =>
      transport.read(path(prefix), options, { keys: true, separator: options?.separator }, { value: [] }),
    async put(key, value, { flags, cas, acquire, release, ...options } = {}) {
      const query = { flags, cas, acquire, release };
      const response = await transport.send({ method: "PUT", path: path(key), query, options, body: value });
      return (await response.text()).trim() === "true";
    },
    delete: (key, { cas, ...options } = {}) => transport.write("DELETE", path(key), options, { cas }),
    deleteTree: (prefix, options) => transport.write("DELETE", path(prefix), options, { recurse: true }),
    entry: (key, codec) => kvEntry(area, key, codec),
    follow: <T>(key: string, codec: Codec<T>, options?: FollowOptions) =>
      follow<T | null>(key, false, null, ([entry]) => (entry ? codec.decode(entry.Value) : null), options),
    followTree: <T>(prefix: string, codec: Codec<T>, options?: FollowOptions) =>
      follow<ReadonlyMap<string, T>>(
        prefix,
        true,
        new Map(),
        (entries, before, report) => {
          const values = new Map<string, T>();
          for (const { Key, Value } of entries) {
            const name = Key.slice(prefix.length);
            try {
              values.set(name, codec.decode(Value));
            } catch (error) {
              // One that cannot be read does not hold up the others.
              report(new Error(`${Key}: ${String(error)}`, { cause: error }));
              if (before.has(name)) values.set(name, before.get(name) as T);
            }
          }
          return values;
        },
        options,
      ),
  };
  return area;
}
