// Keys and values: https://developer.hashicorp.com/consul/api-docs/kv. Values are bytes; a key that is not there is null.
import type { Indexed, Uint64 } from "../types/records.ts";
import { decodeBase64 } from "../util/base64.ts";
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
export interface DeleteOptions extends RequestOptions {
  /** Only if the key's ModifyIndex is this. */
  cas?: Uint64;
}

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
}

/** An entry as JSON carries it. */
export interface WireKeyValue extends Indexed, Omit<KeyValue, "Value"> {
  Value?: string | null;
}

export function decodeEntry(entry: WireKeyValue): KeyValue {
  return { ...entry, Value: decodeBase64(entry.Value ?? "") };
}

export function kvArea(transport: Transport): KvArea {
  const path = (key: string): string => `kv/${segments(key)}`;
  const list = async (prefix: string, recurse: boolean, options?: ReadOptions): Promise<Read<KeyValue[]>> => {
    const read = await transport.read<WireKeyValue[]>(path(prefix), options, { recurse }, { value: [] });
    return { ...read, value: read.value.map(decodeEntry) };
  };
  return {
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
  };
}
