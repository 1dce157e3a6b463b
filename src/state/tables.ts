// All tables, and the one way to write them: it keeps every index and the state hash right, forwards and backwards.

import { unreachable } from "../util/assert.ts";
import type { Change, TableName, TableRecords } from "./change.ts";
import { CheckTable } from "./check.ts";
import { AutopilotTable, ConfigTable } from "./config-entry.ts";
import { CoordinateTable } from "./coordinate.ts";
import { FederationTable, LinkTable } from "./federation.ts";
import { KVTable } from "./kv.ts";
import { NodeTable } from "./node.ts";
import { QueryTable } from "./prepared-query.ts";
import { ServiceTable } from "./service.ts";
import { SessionTable } from "./session.ts";
import { StampTable } from "./stamp.ts";
import { StateHash } from "./state-hash.ts";
import type { StateStorage } from "./stored-tables.ts";
import { Floor } from "./tombstone.ts";

/** The tables that are in memory as a whole, whatever else there is of them on storage. */
interface WholeTables {
  nodes: NodeTable;
  services: ServiceTable;
  checks: CheckTable;
  sessions: SessionTable;
  queries: QueryTable;
  config: ConfigTable;
  coordinates: CoordinateTable;
  autopilot: AutopilotTable;
  federation: FederationTable;
  links: LinkTable;
  stamps: StampTable;
}

/** The state but for the indexes of topics. */
export class Tables {
  readonly floor: Floor = new Floor();
  readonly kv: KVTable;
  readonly hash: StateHash = new StateHash();
  readonly #storage: StateStorage | null;
  readonly #whole: WholeTables = {
    nodes: new NodeTable(),
    services: new ServiceTable(),
    checks: new CheckTable(),
    sessions: new SessionTable(),
    queries: new QueryTable(),
    config: new ConfigTable(),
    coordinates: new CoordinateTable(),
    autopilot: new AutopilotTable(),
    federation: new FederationTable(),
    links: new LinkTable(),
    stamps: new StampTable(),
  };
  /** Those that storage has and nobody has asked for yet. */
  readonly #unread: Set<keyof WholeTables>;

  constructor(storage: StateStorage | null = null) {
    this.#storage = storage;
    this.kv = new KVTable(this.floor, storage);
    this.#unread = new Set(storage === null ? [] : (Object.keys(this.#whole) as (keyof WholeTables)[]));
  }

  get nodes(): NodeTable {
    return this.#table("nodes");
  }
  get services(): ServiceTable {
    return this.#table("services");
  }
  get checks(): CheckTable {
    return this.#table("checks");
  }
  get sessions(): SessionTable {
    return this.#table("sessions");
  }
  get queries(): QueryTable {
    return this.#table("queries");
  }
  get config(): ConfigTable {
    return this.#table("config");
  }
  get coordinates(): CoordinateTable {
    return this.#table("coordinates");
  }
  get autopilot(): AutopilotTable {
    return this.#table("autopilot");
  }
  get federation(): FederationTable {
    return this.#table("federation");
  }
  get links(): LinkTable {
    return this.#table("links");
  }
  get stamps(): StampTable {
    return this.#table("stamps");
  }

  #table<T extends keyof WholeTables>(name: T): WholeTables[T] {
    if (this.#unread.size > 0 && this.#unread.has(name)) this.#read(name);
    return this.#whole[name];
  }

  #read(name: keyof WholeTables): void {
    this.#unread.delete(name);
    const { tables, decode } = this.#storage as StateStorage;
    const write = this.#whole[name].write.bind(this.#whole[name]) as (
      key: string,
      before: null,
      after: unknown,
    ) => void;
    for (const [key, bytes] of tables.table(name).rows(null, null)) write(key, null, decode(bytes));
    if (name === "services") this.#whole.services.deriveNames();
  }

  /** Puts what a change says. */
  write(change: Change): void {
    switch (change.table) {
      case "kv":
        this.kv.write(change.key, change.before, change.after);
        return this.#follow("kv", change.key, change.before, change.after);
      case "nodes":
        this.nodes.write(change.key, change.before, change.after);
        return this.#follow("nodes", change.key, change.before, change.after);
      case "services":
        this.services.write(change.key, change.before, change.after);
        return this.#follow("services", change.key, change.before, change.after);
      case "checks":
        this.checks.write(change.key, change.before, change.after);
        return this.#follow("checks", change.key, change.before, change.after);
      case "sessions":
        this.sessions.write(change.key, change.before, change.after);
        return this.#follow("sessions", change.key, change.before, change.after);
      case "queries":
        this.queries.write(change.key, change.before, change.after);
        return this.#follow("queries", change.key, change.before, change.after);
      case "config":
        this.config.write(change.key, change.before, change.after);
        return this.#follow("config", change.key, change.before, change.after);
      case "coordinates":
        this.coordinates.write(change.key, change.before, change.after);
        return this.#follow("coordinates", change.key, change.before, change.after);
      case "autopilot":
        this.autopilot.write(change.key, change.before, change.after);
        return this.#follow("autopilot", change.key, change.before, change.after);
      case "federation":
        this.federation.write(change.key, change.before, change.after);
        return this.#follow("federation", change.key, change.before, change.after);
      case "links":
        this.links.write(change.key, change.before, change.after);
        return this.#follow("links", change.key, change.before, change.after);
      case "stamps":
        this.stamps.write(change.key, change.before, change.after);
        return this.#follow("stamps", change.key, change.before, change.after);
      case "service-names":
        return this.services.writeName(change.key, change.after);
      default:
        return unreachable(change);
    }
  }

  /** Takes a change back, the last one first. */
  unwrite(change: Change): void {
    this.write({ ...change, before: change.after, after: change.before } as Change);
  }

  /** Keeps what follows from a change of any table: the row on storage, and the hash. */
  #follow<T extends TableName>(
    table: T,
    key: string,
    before: TableRecords[T] | null,
    after: TableRecords[T] | null,
  ): void {
    if (this.#storage !== null && table !== "kv") {
      const rows = this.#storage.tables.table(table);
      if (after === null) rows.delete(key);
      else rows.set(key, this.#storage.encode(after), 0);
    }
    if (before !== null) this.hash.subtract(table, key, before);
    if (after !== null) this.hash.add(table, key, after);
  }
}
