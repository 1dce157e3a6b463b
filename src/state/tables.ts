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
import { Floor } from "./tombstone.ts";

/** The state but for the indexes of topics. */
export class Tables {
  readonly floor: Floor = new Floor();
  readonly kv: KVTable = new KVTable(this.floor);
  readonly nodes: NodeTable = new NodeTable();
  readonly services: ServiceTable = new ServiceTable();
  readonly checks: CheckTable = new CheckTable();
  readonly sessions: SessionTable = new SessionTable();
  readonly queries: QueryTable = new QueryTable();
  readonly config: ConfigTable = new ConfigTable();
  readonly coordinates: CoordinateTable = new CoordinateTable();
  readonly autopilot: AutopilotTable = new AutopilotTable();
  readonly federation: FederationTable = new FederationTable();
  readonly links: LinkTable = new LinkTable();
  readonly stamps: StampTable = new StampTable();
  readonly hash: StateHash = new StateHash();

  /** Puts what a change says. */
  write(change: Change): void {
    switch (change.table) {
      case "kv":
        this.kv.write(change.key, change.before, change.after);
        return this.#rehash("kv", change.key, change.before, change.after);
      case "nodes":
        this.nodes.write(change.key, change.before, change.after);
        return this.#rehash("nodes", change.key, change.before, change.after);
      case "services":
        this.services.write(change.key, change.before, change.after);
        return this.#rehash("services", change.key, change.before, change.after);
      case "checks":
        this.checks.write(change.key, change.before, change.after);
        return this.#rehash("checks", change.key, change.before, change.after);
      case "sessions":
        this.sessions.write(change.key, change.before, change.after);
        return this.#rehash("sessions", change.key, change.before, change.after);
      case "queries":
        this.queries.write(change.key, change.before, change.after);
        return this.#rehash("queries", change.key, change.before, change.after);
      case "config":
        this.config.write(change.key, change.before, change.after);
        return this.#rehash("config", change.key, change.before, change.after);
      case "coordinates":
        this.coordinates.write(change.key, change.before, change.after);
        return this.#rehash("coordinates", change.key, change.before, change.after);
      case "autopilot":
        this.autopilot.write(change.key, change.before, change.after);
        return this.#rehash("autopilot", change.key, change.before, change.after);
      case "federation":
        this.federation.write(change.after);
        return this.#rehash("federation", change.key, change.before, change.after);
      case "links":
        this.links.write(change.key, change.after);
        return this.#rehash("links", change.key, change.before, change.after);
      case "stamps":
        this.stamps.write(change.key, change.before, change.after);
        return this.#rehash("stamps", change.key, change.before, change.after);
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

  #rehash<T extends TableName>(
    table: T,
    key: string,
    before: TableRecords[T] | null,
    after: TableRecords[T] | null,
  ): void {
    if (before !== null) this.hash.subtract(table, key, before);
    if (after !== null) this.hash.add(table, key, after);
  }
}
