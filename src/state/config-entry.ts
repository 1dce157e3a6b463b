// Configuration entries, and the one autopilot configuration. What an entry may say is checked before it is proposed.
// https://developer.hashicorp.com/consul/api-docs/config

import type { AutopilotConfig, ConfigEntry, Uint64 } from "../types/records.ts";
import type { ConfigEntryInput, Refusal, Unindexed } from "./command.ts";
import { sameRecord } from "./equal.ts";
import { configKey, exact, isKeyPart, under } from "./key.ts";
import { casMatches } from "./kv.ts";
import { collect, createOrderedMap } from "./ordered-map.ts";
import type { OrderedMap } from "./ordered-map.ts";
import type { Transaction } from "./transaction.ts";

/** Entries; the key is kind and name. */
export class ConfigTable {
  readonly records: OrderedMap<ConfigEntry> = createOrderedMap<ConfigEntry>();
  readonly #kinds: Map<string, number> = new Map();

  write(key: string, before: ConfigEntry | null, after: ConfigEntry | null): void {
    if (before !== null) this.#count(before.Kind, -1);
    if (after === null) {
      this.records.delete(key);
      return;
    }
    this.records.set(key, after);
    this.#count(after.Kind, 1);
  }

  #count(kind: string, by: number): void {
    const count = (this.#kinds.get(kind) ?? 0) + by;
    if (count === 0) this.#kinds.delete(kind);
    else this.#kinds.set(kind, count);
  }

  get(kind: string, name: string): ConfigEntry | undefined {
    return this.records.get(configKey(kind, name));
  }

  /** The entries of a kind, by name; of all kinds when it is null. */
  ofKind(kind: string | null): ConfigEntry[] {
    return collect(this.records, kind === null ? "" : under(exact(kind)));
  }

  /** How many entries each kind has. */
  get kinds(): ReadonlyMap<string, number> {
    return this.#kinds;
  }
}

/** The table of the one autopilot configuration. */
export class AutopilotTable {
  record: AutopilotConfig | null = null;

  write(_key: string, _before: AutopilotConfig | null, after: AutopilotConfig | null): void {
    this.record = after;
  }
}

/** Writes an entry; false when `cas` does not let it. The same entry again is no change. */
export function configSet(tx: Transaction, input: ConfigEntryInput, cas: Uint64 | null): boolean | Refusal {
  if (!isKeyPart(input.Kind) || !isKeyPart(input.Name)) {
    return { code: "invalid-request", message: "invalid config entry: a name must not contain a NUL character" };
  }
  const before = tx.tables.config.get(input.Kind, input.Name) ?? null;
  if (cas !== null && !casMatches(before, cas)) return false;
  if (before !== null && sameRecord(before, input)) return true;
  const after: ConfigEntry = { ...input, CreateIndex: before?.CreateIndex ?? tx.index, ModifyIndex: tx.index };
  tx.write({ table: "config", key: configKey(input.Kind, input.Name), before, after });
  return true;
}

/** Deletes an entry. With `cas` false when there is none or its ModifyIndex is another; without, always true. */
export function configDelete(tx: Transaction, kind: string, name: string, cas: Uint64 | null): boolean {
  const before = tx.tables.config.get(kind, name);
  if (cas !== null && (before === undefined || before.ModifyIndex !== cas)) return false;
  if (before !== undefined) {
    tx.write({ table: "config", key: configKey(kind, name), before, after: null });
  }
  return true;
}

/** Writes the autopilot configuration. With `cas` false when there is none yet or its ModifyIndex is another. */
export function autopilotSet(tx: Transaction, input: Unindexed<AutopilotConfig>, cas: Uint64 | null): boolean {
  const before = tx.tables.autopilot.record;
  if (cas !== null && (before === null || before.ModifyIndex !== cas)) return false;
  if (before !== null && sameRecord(before, input)) return true;
  const after: AutopilotConfig = {
    CleanupDeadServers: input.CleanupDeadServers,
    LastContactThreshold: input.LastContactThreshold,
    MaxTrailingLogs: input.MaxTrailingLogs,
    MinQuorum: input.MinQuorum,
    ServerStabilizationTime: input.ServerStabilizationTime,
    CreateIndex: before?.CreateIndex ?? tx.index,
    ModifyIndex: tx.index,
  };
  tx.write({ table: "autopilot", key: "", before, after });
  return true;
}
