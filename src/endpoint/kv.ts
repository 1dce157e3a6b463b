// The key-value store: https://developer.hashicorp.com/consul/api-docs/kv.
import type { Command, CommandResult, LockSeen } from "../state/command.ts";
import { fold } from "../state/key.ts";
import type { StateStore } from "../state/store.ts";
import type { KVEntry, Uint64 } from "../types/records.ts";
import { OperationalError } from "../types/error.ts";
import { type CommandEndpoint, keyOf, type Prepared, type QueryEndpoint } from "./endpoint.ts";

export interface KvKeysArgs {
  prefix: string;
  /** Keys are cut after the first separator past the prefix; "" for none. */
  separator: string;
}

/** The entry, or null. */
export const kvGet: QueryEndpoint<string, KVEntry | null> = {
  kind: "query",
  name: "kv.get",
  run: (state, key) => state.kvGet(key),
  key: (key) => `kv.get:${key}`,
};

/** All entries below a prefix, by key. */
export const kvList: QueryEndpoint<string, readonly KVEntry[]> = {
  kind: "query",
  name: "kv.list",
  run: (state, prefix) => state.kvList(prefix),
  key: (prefix) => `kv.list:${prefix}`,
};

/** All keys below a prefix. */
export const kvKeys: QueryEndpoint<KvKeysArgs, readonly string[]> = {
  kind: "query",
  name: "kv.keys",
  run: (state, { prefix, separator }) => state.kvKeys(prefix, separator),
  key: ({ prefix, separator }) => keyOf("kv.keys", separator, prefix),
};

export interface KvPutArgs {
  key: string;
  value: Uint8Array;
  flags: Uint64;
  /** Write only if the entry's ModifyIndex is this; 0 only if there is none. */
  cas?: Uint64;
  /** Lock the key for a session. */
  acquire?: string;
  /** Unlock the key, which the session holds. */
  release?: string;
}

/** True when written; false when the compare, the lock or the unlock did not hold. */
export const kvPut: CommandEndpoint<KvPutArgs, boolean> = {
  kind: "command",
  name: "kv.put",
  prepare(context, { key, value, flags, cas, acquire, release }): Prepared<boolean> {
    refuseCopy(context.state, key, false);
    if (acquire !== undefined) {
      // The delay is the leader's own, by its clock, and never enters the log (Consul: session lock-delay).
      if (context.lockDelayed(key)) return { answer: false };
      const seen = lockSeen(context.state, key, acquire);
      return { command: { type: "kv.lock", key, value, flags, session: acquire, seen }, reply: applied };
    }
    if (release !== undefined)
      return { command: { type: "kv.unlock", key, value, flags, session: release }, reply: applied };
    if (cas !== undefined)
      return { command: { type: "kv.cas", key, value, flags, index: exactIndex(cas) }, reply: applied };
    return { command: { type: "kv.set", key, value, flags }, reply: applied };
  },
};

/** How a lock stands that `session` asks for. */
export function lockSeen(state: StateStore, key: string, session: string): LockSeen {
  const { LockIndex: lockIndex, Session: holder } = state.kvGet(key).value ?? { LockIndex: 0 };
  if (holder === undefined || fold(holder) === fold(session)) return { lockIndex };
  return (state.session(holder).value?.LockDelay ?? 0) > 0 ? { lockIndex, holder } : { lockIndex };
}

export interface KvDeleteArgs {
  key: string;
  recurse: boolean;
  /** Delete only if the entry's ModifyIndex is this; 0 never deletes. */
  cas?: Uint64;
}

/** False when the compare did not hold. */
export const kvDelete: CommandEndpoint<KvDeleteArgs, boolean> = {
  kind: "command",
  name: "kv.delete",
  prepare({ state }, { key, recurse, cas }): Prepared<boolean> {
    refuseCopy(state, key, recurse);
    const command: Command = recurse
      ? { type: "kv.delete-tree", prefix: key }
      : cas === undefined
        ? { type: "kv.delete", key }
        : { type: "kv.delete-cas", key, index: exactIndex(cas) };
    return { command, reply: applied };
  },
};

/**
 * Why a key is not written here: it is a copy of another datacenter's (`kv_replication`); null when it is not.
 * @param isTree the key stands for all that begin with it.
 */
export function copyProblem(state: StateStore, key: string, isTree: boolean): string | null {
  const rule = state.copyOf(key, isTree);
  if (rule === null) return null;
  const { ToPrefix, From, Prefix } = rule;
  return `${JSON.stringify(ToPrefix)} is a copy of ${JSON.stringify(Prefix)} in datacenter ${From}: write it there (kv_replication)`;
}

/** @throws OperationalError `permission-denied` for what is a copy. */
function refuseCopy(state: StateStore, key: string, isTree: boolean): void {
  const problem = copyProblem(state, key, isTree);
  if (problem !== null) throw new OperationalError("permission-denied", problem);
}

/** An index past 2^53 fits no entry: any number that none has will do. */
const exactIndex = (index: Uint64): number => (typeof index === "bigint" ? Number.MAX_SAFE_INTEGER : index);

/** @throws OperationalError as Consul words a command that the store refused. */
function applied(result: CommandResult): boolean {
  if (!result.ok) throw new OperationalError("refused", `raft apply failed: ${result.error.message}`);
  return result.value !== false;
}

/** Consul's rules for keys (1.22), each with Consul's words; null when the key is good. */
export function kvKeyProblem(key: string): string | null {
  if (key.startsWith("/")) return "invalid key name, must not begin with '/'";
  if (key.startsWith(" ") || key.endsWith(" ")) return "invalid key name, leading/trailing spaces are not allowed";
  if (key.includes("..") && key.split("/").includes("..")) return "invalid key name, path traversal is not allowed";
  return null;
}
