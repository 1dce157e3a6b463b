// Configuration entries: https://developer.hashicorp.com/consul/api-docs/config
import type { ConfigEntry, Uint64 } from "../types/records.ts";
import type { Read, ReadOptions, RequestOptions, Transport } from "./transport.ts";
import { segment } from "./transport.ts";

/** A write that may depend on what is there. */
export interface CasOptions extends RequestOptions {
  /** Only if the stored ModifyIndex is this; 0: only if there is none yet. */
  cas?: Uint64;
}

/** Configuration entries by kind and name. */
export interface ConfigArea {
  /** Null when there is no such entry. */
  get(kind: string, name: string, options?: ReadOptions): Promise<Read<ConfigEntry | null>>;
  list(kind: string, options?: ReadOptions): Promise<Read<ConfigEntry[]>>;
  /** False only with `cas`. */
  set(entry: { Kind: string; [field: string]: unknown }, options?: CasOptions): Promise<boolean>;
  /** False only with `cas`. */
  delete(kind: string, name: string, options?: CasOptions): Promise<boolean>;
}

/** The area's methods on a transport. */
export function configArea(transport: Transport): ConfigArea {
  const path = (kind: string, name: string): string => `config/${segment(kind)}/${segment(name)}`;
  return {
    get: (kind, name, options) => transport.read(path(kind, name), options, {}, { value: null }),
    list: (kind, options) => transport.read(`config/${segment(kind)}`, options),
    set: (entry, { cas, ...options } = {}) => transport.write("PUT", "config", options, { cas }, entry),
    async delete(kind, name, { cas, ...options } = {}) {
      // Without cas the answer is an empty object.
      return (await transport.write<unknown>("DELETE", path(kind, name), options, { cas })) !== false;
    },
  };
}
