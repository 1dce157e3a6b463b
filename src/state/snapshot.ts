// A consistent view of the store as a sequence of plain records, for the snapshot file, and the way back.

import { OperationalError } from "../types/error.ts";
import type {
  AutopilotConfig,
  ConfigEntry,
  Federation,
  HealthCheck,
  KVEntry,
  KVStamp,
  Node,
  NodeCoordinate,
  NodeService,
  PreparedQuery,
  ReplicationLink,
  Session,
} from "../types/records.ts";
import type { IndexTable } from "./index-table.ts";
import { configKey, fold, keyOf } from "./key.ts";
import type { OrderedMapSnapshot } from "./ordered-map.ts";
import type { Tables } from "./tables.ts";

/** First `header`, then the tables' records in order, then `end`. Plain encodable data. */
export type SnapshotRecord =
  /** The version of this list; the index of the last command; the floor of tombstone.ts. */
  | { table: "header"; version: 1; index: number; floor: number }
  | { table: "kv"; record: KVEntry }
  | { table: "nodes"; record: Node }
  | { table: "services"; record: NodeService }
  | { table: "checks"; record: HealthCheck }
  | { table: "sessions"; record: Session }
  | { table: "queries"; record: PreparedQuery }
  | { table: "config"; record: ConfigEntry }
  | { table: "coordinates"; record: NodeCoordinate }
  | { table: "autopilot"; record: AutopilotConfig }
  | { table: "federation"; record: Federation }
  | { table: "links"; record: ReplicationLink }
  | { table: "stamps"; record: KVStamp }
  /** A deleted key and the index of its deletion. */
  | { table: "tombstones"; key: string; index: number }
  /** A topic and its index; topics of keys are not listed. */
  | { table: "topics"; topic: string; index: number }
  /** How many records came before, and the state's hash. */
  | { table: "end"; records: number; hash: string };

/** A view that writes do not move. */
export interface StateSnapshot {
  /** The index of the last command in it. */
  readonly index: number;
  readonly hash: string;
  /** Read lazily: the host takes as many as it likes at a time while the store goes on. Can be called again. */
  records(): IterableIterator<SnapshotRecord>;
}

/** Keeps the roots of all tables: constant time and memory, and later writes copy what they touch. */
export function takeSnapshot(tables: Tables, topics: IndexTable, index: number): StateSnapshot {
  const floor = tables.floor.index;
  const hash = tables.hash.toString();
  const views = {
    topics: topics.snapshot(),
    tombstones: tables.kv.tombstones.snapshot(),
    nodes: tables.nodes.records.snapshot(),
    services: tables.services.records.snapshot(),
    checks: tables.checks.records.snapshot(),
    sessions: tables.sessions.records.snapshot(),
    queries: tables.queries.records.snapshot(),
    config: tables.config.records.snapshot(),
    coordinates: tables.coordinates.records.snapshot(),
    links: tables.links.records.snapshot(),
    stamps: tables.stamps.records.snapshot(),
    kv: tables.kv.entries.snapshot(),
  };
  const autopilot = tables.autopilot.record;
  const federation = tables.federation.record;

  function* body(): Generator<SnapshotRecord, void, undefined> {
    yield { table: "header", version: 1, index, floor };
    for (const [topic, at] of views.topics.scan()) yield { table: "topics", topic, index: at };
    for (const [key, at] of views.tombstones.scan()) yield { table: "tombstones", key, index: at };
    for (const record of values(views.nodes)) yield { table: "nodes", record };
    for (const record of values(views.services)) yield { table: "services", record };
    for (const record of values(views.checks)) yield { table: "checks", record };
    for (const record of values(views.sessions)) yield { table: "sessions", record };
    for (const record of values(views.queries)) yield { table: "queries", record };
    for (const record of values(views.config)) yield { table: "config", record };
    for (const record of values(views.coordinates)) yield { table: "coordinates", record };
    if (autopilot !== null) yield { table: "autopilot", record: autopilot };
    if (federation !== null) yield { table: "federation", record: federation };
    for (const record of values(views.links)) yield { table: "links", record };
    for (const record of values(views.stamps)) yield { table: "stamps", record };
    for (const record of values(views.kv)) yield { table: "kv", record };
  }

  function* records(): Generator<SnapshotRecord, void, undefined> {
    let count = 0;
    for (const record of body()) {
      count++;
      yield record;
    }
    yield { table: "end", records: count, hash };
  }

  return { index, hash, records };
}

function* values<V>(view: OrderedMapSnapshot<V>): Generator<V, void, undefined> {
  for (const entry of view.scan()) yield entry[1];
}

/** Puts a snapshot's records into empty tables, one at a time, so that the host may do it in slices. */
export class SnapshotLoader {
  readonly #tables: Tables;
  readonly #topics: IndexTable;
  #count = 0;
  #index: number | null = null;
  #ended = false;
  readonly #tombstones: [string, number][] = [];

  constructor(tables: Tables, topics: IndexTable) {
    this.#tables = tables;
    this.#topics = topics;
  }

  /** @throws OperationalError `storage-failed` when the sequence is not a whole snapshot. */
  add(record: SnapshotRecord): void {
    if (this.#ended) throw damaged("a record follows the end");
    if ((this.#index === null) !== (record.table === "header")) throw damaged("the header is not the first record");
    const tables = this.#tables;
    switch (record.table) {
      case "header":
        if (record.version !== 1) throw damaged(`version ${String(record.version)} is not known`);
        this.#index = record.index;
        tables.floor.raise(record.floor);
        break;
      case "topics":
        this.#topics.load(record.topic, record.index);
        break;
      case "tombstones":
        this.#tombstones.push([record.key, record.index]);
        break;
      case "kv":
        tables.write({ table: "kv", key: record.record.Key, before: null, after: record.record });
        break;
      case "nodes": {
        const after = record.record;
        tables.write({ table: "nodes", key: fold(after.Node), before: null, after, concerns: [] });
        break;
      }
      case "services":
        tables.write({
          table: "services",
          key: keyOf(record.record.Node, record.record.ID),
          before: null,
          after: record.record,
        });
        break;
      case "checks": {
        const after = record.record;
        tables.write({ table: "checks", key: keyOf(after.Node, after.CheckID), before: null, after, concerns: [] });
        break;
      }
      case "sessions":
        tables.write({ table: "sessions", key: fold(record.record.ID), before: null, after: record.record });
        break;
      case "queries":
        tables.write({ table: "queries", key: fold(record.record.ID), before: null, after: record.record });
        break;
      case "config": {
        const after = record.record;
        tables.write({ table: "config", key: configKey(after.Kind, after.Name), before: null, after });
        break;
      }
      case "coordinates": {
        const after = record.record;
        tables.write({ table: "coordinates", key: keyOf(after.Node, after.Segment), before: null, after });
        break;
      }
      case "autopilot":
        tables.write({ table: "autopilot", key: "", before: null, after: record.record });
        break;
      case "federation":
        tables.write({ table: "federation", key: "", before: null, after: record.record });
        break;
      case "links":
        tables.write({ table: "links", key: record.record.Link, before: null, after: record.record });
        break;
      case "stamps":
        tables.write({ table: "stamps", key: record.record.Key, before: null, after: record.record });
        break;
      case "end":
        this.#end(record.records, record.hash);
        return;
      default:
        throw damaged(`table ${JSON.stringify((record as { table: unknown }).table)} is not known`);
    }
    this.#count++;
  }

  #end(records: number, hash: string): void {
    if (records !== this.#count) throw damaged(`it says ${records} records and has ${this.#count}`);
    const found = this.#tables.hash.toString();
    if (hash !== found) throw damaged(`its records hash to ${found}, and it says ${hash}`);
    this.#tombstones.sort((a, b) => a[1] - b[1]);
    for (const [key, at] of this.#tombstones) this.#tables.kv.bury(key, at);
    this.#tables.services.deriveNames();
    this.#topics.loaded();
    this.#ended = true;
  }

  /** The index of the last command in the snapshot. @throws OperationalError when the end is missing. */
  finish(): number {
    if (!this.#ended || this.#index === null) throw damaged("it ends too early");
    return this.#index;
  }
}

function damaged(why: string): OperationalError {
  return new OperationalError("storage-failed", `The snapshot is damaged: ${why}`);
}
