// Configuration entries: https://developer.hashicorp.com/consul/api-docs/config.
import { serviceDefaultsFields } from "../filter/fields.ts";
import { compileFilter } from "../filter/filter.ts";
import type { ConfigEntryInput } from "../state/command.ts";
import type { StateStore } from "../state/store.ts";
import { OperationalError } from "../types/error.ts";
import type { ConfigEntry, Uint64 } from "../types/records.ts";
import { utf8 } from "../util/bytes.ts";
import { fnv1a64 } from "../util/fnv.ts";
import { stringifyJson } from "../util/json.ts";
import { checkChains } from "./config-entry-chain.ts";
import { fieldReader, listed, unknownKey } from "./config-entry-fields.ts";
import {
  CONFIG_ENTRY_KINDS,
  configEntryFields,
  type ConfigEntryKind,
  isConfigEntryKind,
} from "./config-entry-kinds.ts";
import type { EntryFields } from "./config-entry-rule.ts";
import { checkEntry, completeEntry } from "./config-entry-rules.ts";
import type { ForPrimary } from "./federation.ts";
import { type CommandEndpoint, keyOf, type Prepared, type QueryEndpoint } from "./endpoint.ts";

const refused = (message: string): OperationalError => new OperationalError("refused", message);

const readers = new Map(CONFIG_ENTRY_KINDS.map((kind) => [kind, fieldReader(configEntryFields[kind])] as const));

/** @throws OperationalError `refused` for a kind that does not exist. */
export function requireKind(kind: string): ConfigEntryKind {
  if (!isConfigEntryKind(kind)) throw refused(`invalid config entry kind: ${kind}`);
  return kind;
}

/** Keys that what was read from here carries, and that mean nothing when it is sent back. */
const READ_ONLY: ReadonlySet<string> = new Set(["createindex", "modifyindex", "hash"]);

/** An entry as users write it, as it is kept. @throws Error that says what is wrong with its form, in Consul's words. */
export function readConfigEntry(value: unknown): ConfigEntryInput {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new Error(
      `json: cannot unmarshal ${Array.isArray(value) ? "array" : typeof value} into Go value of type map[string]interface {}`,
    );
  const given = value as Record<string, unknown>;
  const kind = Object.hasOwn(given, "Kind") ? given["Kind"] : given["kind"];
  if (kind === undefined) throw new Error("Payload does not contain a kind/Kind key at the top level");
  if (typeof kind !== "string") throw new Error("Kind value in payload is not a string");
  const unknown: string[] = [];
  const entry = readers.get(requireKind(kind))!(given, unknown);
  const faults = unknown.filter((key) => !READ_ONLY.has(key.toLowerCase().replaceAll("_", "")));
  if (faults.length > 0) throw new Error(listed(faults.map(unknownKey)));
  return { ...entry, Kind: kind, Name: entry["Name"] as string };
}

/** Creates or replaces an entry; false when its ModifyIndex is not `cas`. */
export const configEntrySet: CommandEndpoint<{ entry: ConfigEntryInput; cas: Uint64 | null } & ForPrimary, boolean> = {
  kind: "command",
  name: "config-entry.set",
  isForPrimary: true,
  prepare({ state }, { entry, cas }): Prepared<boolean> {
    return {
      command: { type: "config.set", entry: completed(state, entry), cas },
      reply(result) {
        if (!result.ok) throw refused(result.error.message);
        return result.value as boolean;
      },
    };
  },
};

/** The entry with what is filled in, checked by itself and beside the others. @throws OperationalError */
function completed(state: StateStore, given: ConfigEntryInput): ConfigEntryInput {
  const kind = requireKind(given.Kind);
  if (kind === "bound-api-gateway")
    throw new OperationalError("permission-denied", "Permission denied: only writable by controller");
  const entry = structuredCopy(given) as EntryFields;
  try {
    completeEntry(kind, entry);
    checkEntry(kind, entry);
    checkChains(state, kind, entry.Name, entry);
  } catch (error) {
    throw refused((error as Error).message);
  }
  return entry;
}

/** Plain data, a level of which nobody else holds. */
function structuredCopy<T>(value: T): T {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(structuredCopy) as T;
  const copy = Object.create(Object.getPrototypeOf(value) as object | null) as Record<string, unknown>;
  for (const [key, inner] of Object.entries(value)) copy[key] = structuredCopy(inner);
  return copy as T;
}

export interface ConfigEntryName {
  kind: string;
  name: string;
}

/** Deletes an entry; with `cas` false when there is none, or its ModifyIndex is another. */
export const configEntryDelete: CommandEndpoint<ConfigEntryName & { cas: Uint64 | null } & ForPrimary, boolean> = {
  kind: "command",
  name: "config-entry.delete",
  isForPrimary: true,
  prepare({ state }, { kind, name, cas }): Prepared<boolean> {
    requireKind(kind);
    try {
      if (state.configEntry(kind, name).value !== null) checkChains(state, kind, name, null);
    } catch (error) {
      throw refused((error as Error).message);
    }
    return {
      command: { type: "config.delete", kind, name, cas },
      reply(result) {
        if (!result.ok) throw refused(result.error.message);
        return result.value as boolean;
      },
    };
  },
};

/** One entry, or null. */
export const configEntryGet: QueryEndpoint<ConfigEntryName, ConfigEntry | null> = {
  kind: "query",
  name: "config-entry.get",
  run: (state, { kind, name }) => state.configEntry(requireKind(kind), name),
  key: ({ kind, name }) => keyOf("config-entry.get", kind, name),
};

export interface ConfigEntriesArgs {
  /** "" for all kinds. */
  kind: string;
  /** A filter expression, "" for none. */
  filter: string;
}

/** The entries of a kind, by name. */
export const configEntryList: QueryEndpoint<ConfigEntriesArgs, readonly ConfigEntry[]> = {
  kind: "query",
  name: "config-entry.list",
  run(state, { kind, filter }) {
    const read = state.configEntries(kind === "" ? null : requireKind(kind));
    if (filter === "") return read;
    if (kind !== "service-defaults") throw refused(`filtering not supported for config entry kind=${kind}`);
    const matches = compileFilter(filter, serviceDefaultsFields);
    return { ...read, value: read.value.filter((entry) => matches(configEntryShape(entry))) };
  },
  key: ({ kind, filter }) => keyOf("config-entry.list", kind, filter),
};

const hashes = new WeakMap<ConfigEntry, Uint64>();

/** An entry as the API shows it: with the hash of what it says, which moves when that moves. */
export function configEntryShape(entry: ConfigEntry): Record<string, unknown> {
  const { CreateIndex, ModifyIndex, ...fields } = entry;
  let Hash = hashes.get(entry);
  if (Hash === undefined) {
    const hash = fnv1a64(utf8(stringifyJson(fields)));
    Hash = hash <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(hash) : hash;
    hashes.set(entry, Hash);
  }
  return { ...fields, Hash, CreateIndex, ModifyIndex };
}
