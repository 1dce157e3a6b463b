// Who is in the group (thesis chapter 4). One server changes at a time, so that every majority of one configuration
// meets every majority of the next. A configuration is in force from the moment its entry is appended, committed or not,
// and the one before it is in force again when the entry is truncated.
import { assert } from "../util/assert.ts";
import { text, utf8 } from "../util/bytes.ts";
import type { Configuration, ConfigurationChange, Server } from "./types.ts";

/** The configuration before bootstrap: nobody. */
export const NO_SERVERS: Configuration = { servers: [] };

/** Sorts the servers by id. @throws AssertionError when an id is empty or there twice. */
export function makeConfiguration(servers: readonly Server[]): Configuration {
  const sorted = servers.map(({ id, address, voter }) => ({ id, address, voter }));
  sorted.sort((a, b) => (a.id < b.id ? -1 : 1));
  sorted.forEach((server, i) => assert(server.id !== "" && server.id !== sorted[i - 1]?.id, "server ids must differ"));
  return { servers: sorted };
}

/** The data of a `config` entry: the same bytes for the same configuration everywhere. */
export function encodeConfiguration(configuration: Configuration): Uint8Array<ArrayBuffer> {
  return utf8(
    JSON.stringify({ servers: configuration.servers.map(({ id, address, voter }) => ({ id, address, voter })) }),
  );
}

/** Null when the bytes are not what `encodeConfiguration` makes. */
export function decodeConfiguration(bytes: Uint8Array): Configuration | null {
  let value: unknown;
  try {
    value = JSON.parse(text(bytes));
  } catch {
    return null;
  }
  return isConfiguration(value) ? makeConfiguration(value.servers) : null;
}

/** True when a value from outside is a configuration with at least one voter. */
export function isConfiguration(value: unknown): value is Configuration {
  if (typeof value !== "object" || value === null) return false;
  const { servers } = value as { servers?: unknown };
  if (!Array.isArray(servers)) return false;
  const ids = new Set<string>();
  let voters = 0;
  for (const server of servers as unknown[]) {
    if (typeof server !== "object" || server === null) return false;
    const { id, address, voter } = server as Record<string, unknown>;
    if (typeof id !== "string" || id === "" || typeof address !== "string" || typeof voter !== "boolean") return false;
    if (ids.has(id)) return false;
    ids.add(id);
    if (voter) voters += 1;
  }
  return voters > 0;
}

/** The server of that id, if it is a member. */
export function findServer(configuration: Configuration, id: string): Server | undefined {
  return configuration.servers.find((server) => server.id === id);
}

export function isVoter(configuration: Configuration, id: string): boolean {
  return findServer(configuration, id)?.voter === true;
}

/** The configuration after one change; null when the change is no change, or leaves no voter. */
export function applyChange(configuration: Configuration, change: ConfigurationChange): Configuration | null {
  const { servers } = configuration;
  const server = findServer(configuration, change.id);
  const others = servers.filter((other) => other !== server);
  const changed = (next: readonly Server[]): Configuration | null =>
    next.some((one) => one.voter) ? makeConfiguration(next) : null;
  switch (change.kind) {
    case "add":
      if (change.id === "" || server?.address === change.address) return null;
      return changed([...others, { id: change.id, address: change.address, voter: server?.voter ?? false }]);
    case "promote":
      return server === undefined || server.voter ? null : changed([...others, { ...server, voter: true }]);
    case "demote":
      return server === undefined || !server.voter ? null : changed([...others, { ...server, voter: false }]);
    case "remove":
      return server === undefined ? null : changed(others);
    default:
      return null;
  }
}

/** A configuration and the index of the entry it came from (0: bootstrap has not happened). */
export interface PlacedConfiguration {
  configuration: Configuration;
  index: number;
}

/**
 * The configurations of the log in memory, oldest first. Invariants: (1) indexes rise; (2) the first one is at or before
 * the newest snapshot, or is the empty one; (3) the last one is in force.
 */
export class ConfigurationHistory {
  #placed: PlacedConfiguration[];
  /** Those in force may vote: derived from the last one, since every commit asks. */
  #voters: readonly string[] = [];

  constructor(first: PlacedConfiguration) {
    this.#placed = [first];
    this.#derive();
  }

  /** The configuration in force. */
  get current(): Configuration {
    return this.#placed[this.#placed.length - 1]!.configuration;
  }

  /** The index of the entry that the configuration in force came from. */
  get index(): number {
    return this.#placed[this.#placed.length - 1]!.index;
  }

  /** Ids of the voters in force, sorted. */
  get voters(): readonly string[] {
    return this.#voters;
  }

  /** The configuration as of `index`. */
  at(index: number): PlacedConfiguration {
    let found = this.#placed[0]!;
    for (const placed of this.#placed) if (placed.index <= index) found = placed;
    return found;
  }

  append(configuration: Configuration, index: number): void {
    assert(index > this.index, "configurations come in the order of the log");
    this.#placed.push({ configuration, index });
    this.#derive();
  }

  /** Rolls back what came from entries at or after `from`. True when the configuration in force changed. */
  truncate(from: number): boolean {
    const before = this.#placed.length;
    while (this.#placed.length > 1 && this.index >= from) this.#placed.pop();
    assert(this.index < from, "the first configuration is committed");
    this.#derive();
    return this.#placed.length !== before;
  }

  /** Forgets what was superseded at or before `index`. */
  compact(index: number): void {
    const first = this.at(index);
    this.#placed = this.#placed.filter((placed) => placed.index >= first.index);
  }

  /** Starts anew from a snapshot. */
  reset(first: PlacedConfiguration): void {
    this.#placed = [first];
    this.#derive();
  }

  #derive(): void {
    this.#voters = this.current.servers.filter((server) => server.voter).map((server) => server.id);
  }
}
