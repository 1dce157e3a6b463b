// The replicated store: commands in, results and changes out, and reads that say what they read. Pure and synchronous;
// two stores that applied the same commands are equal, and `hash()` says so. See DESIGN.md.

import type {
  AutopilotConfig,
  ConfigEntry,
  Federation,
  HealthCheck,
  KVEntry,
  KVRule,
  Node,
  NodeCoordinate,
  NodeService,
  PreparedQuery,
  ReplicationLink,
  Session,
} from "../types/records.ts";
import { assert } from "../util/assert.ts";
import { applyCommand } from "./apply.ts";
import { findNode, instanceHealth, serviceInstances, usageOf } from "./catalog-read.ts";
import type { Change } from "./change.ts";
import type { Command, CommandResult, CommandValues, KVVersion, TxnOperation, TxnOutcome } from "./command.ts";
import { federationRestored } from "./federation.ts";
import { IndexTable } from "./index-table.ts";
import { prefixEnd } from "./key.ts";
import { changesSince, type ChangesArgs, type Feed, rangeAfter, type RangeArgs } from "./kv-feed.ts";
import type {
  InstanceHealth,
  NodeServices,
  Read,
  ResolvedQuery,
  ServiceInstance,
  ServiceOptions,
  Usage,
} from "./read.ts";
import { isTemplate } from "./prepared-query.ts";
import { SnapshotLoader, takeSnapshot } from "./snapshot.ts";
import type { SnapshotRecord, StateSnapshot } from "./snapshot.ts";
import { hasSeen, versionOf } from "./stamp.ts";
import type { StateStorage } from "./stored-tables.ts";
import { Tables } from "./tables.ts";
import {
  AUTOPILOT_TOPIC,
  CHECKS_TOPIC,
  checkStateTopic,
  CONFIG_TOPIC,
  configEntryTopic,
  configKindTopic,
  connectTopic,
  COORDINATES_TOPIC,
  coordinateTopic,
  FEDERATION_TOPIC,
  INSTANCES_TOPIC,
  KV_PREFIX_TOPIC,
  KV_TOPIC,
  kvPrefixTopic,
  LINKS_TOPIC,
  nodeChecksTopic,
  nodeSessionsTopic,
  NODES_TOPIC,
  QUERIES_TOPIC,
  queryTopic,
  SERVICES_TOPIC,
  serviceTopic,
  SESSIONS_TOPIC,
  sessionTopic,
  topicsOf,
} from "./topic.ts";
import { topicExists } from "./topic-exists.ts";
import { Transaction } from "./transaction.ts";
import { runTxn } from "./txn.ts";

/** What applying a command gave. */
export interface Applied<V = CommandValues[Command["type"]]> {
  result: CommandResult<V>;
  /** What changed, in order; empty when nothing did. */
  changes: readonly Change[];
  /** The topics that the changes touch, none twice: for `Watches.notify`. */
  topics: readonly string[];
}

/** Where a store stands, beside its tables. */
export interface StateMark {
  index: number;
  floor: number;
  hash: string;
}

/** The store of one datacenter. */
export class StateStore {
  readonly #tables: Tables;
  readonly #topics: IndexTable;
  #lastIndex = 0;

  /**
   * @param storage where the records are kept; in memory when absent.
   * @param mark what `mark` gave when the store on that storage was last written.
   */
  constructor(storage: StateStorage | null = null, mark?: StateMark) {
    this.#tables = new Tables(storage);
    const exists = (topic: string): boolean => topicExists(this.#tables, topic);
    this.#topics = new IndexTable(this.#tables.floor, exists, storage);
    if (mark === undefined) return;
    this.#tables.floor.raise(mark.floor);
    this.#tables.hash.load(mark.hash);
    this.#lastIndex = mark.index;
  }

  /** What of a store on storage is in no table: to be written with every change. */
  mark(): StateMark {
    return { index: this.#lastIndex, floor: this.#tables.floor.index, hash: this.#tables.hash.toString() };
  }

  /**
   * Applies the command of log entry `index`, which must be above every one before and above 1 (a log begins with its
   * configuration, and 1 is the index of what never was). Never throws for user input: what cannot be done is refused and changes nothing. Records in the command become part of the store: do not write to them.
   */
  apply<C extends Command>(index: number, command: C): Applied<CommandValues[C["type"]]> {
    this.skip(index);
    const tx = new Transaction(this.#tables, index);
    const result = applyCommand(tx, this.#topics, command) as CommandResult<CommandValues[C["type"]]>;
    return { result, changes: tx.changes, topics: this.#settle(tx) };
  }

  /** The index of the last command applied (or told by `skip`), 0 at first. */
  get lastIndex(): number {
    return this.#lastIndex;
  }

  /** Notes an entry that has no command (a no-op, a configuration), so that `lastIndex` follows the log. */
  skip(index: number): void {
    assert(Number.isSafeInteger(index) && index > this.#lastIndex, `index ${index} is above ${this.#lastIndex}`);
    this.#lastIndex = index;
  }

  /** Notes that entry `index` put this store, maybe ahead of that index already, in the place of one that said `until` of itself. */
  restored(index: number, until: Federation | null): void {
    if (index > this.#lastIndex) this.skip(index);
    const tx = new Transaction(this.#tables, this.#lastIndex);
    federationRestored(tx, until);
    this.#settle(tx);
  }

  /** Makes the changes final: tombstones and the indexes of topics. Gives the topics. */
  #settle(tx: Transaction): string[] {
    const { changes, index } = tx;
    if (changes.length === 0) return [];
    const only = changes.length === 1 ? topicsOf(changes[0]!) : null;
    const several = new Set<string>();
    for (const change of changes) {
      if (change.table === "kv") this.#tables.kv.settle(change.key, change.before, change.after, index);
      if (only === null) for (const topic of topicsOf(change)) several.add(topic);
    }
    const topics = only ?? [...several];
    for (const topic of topics) if (!topic.startsWith(KV_TOPIC)) this.#topics.touch(topic, index);
    return topics;
  }

  /** Runs a transaction of reads and checks only, outside the log. The value is as the txn command's. */
  txnRead(operations: readonly TxnOperation[]): TxnOutcome {
    const tx = new Transaction(this.#tables, this.#lastIndex);
    const outcome = runTxn(tx, operations);
    const writes = tx.changes.length > 0;
    if (writes) tx.rollback();
    assert(!writes, "a transaction that is only read does not write");
    return outcome;
  }

  // Keys and values.

  kvGet(key: string): Read<KVEntry | null> {
    return this.#tables.kv.get(key);
  }
  kvList(prefix: string): Read<readonly KVEntry[]> {
    return this.#tables.kv.list(prefix);
  }
  /** Keys under `prefix`, cut after the first `separator` past the prefix and then listed once; "" cuts nothing. */
  kvKeys(prefix: string, separator: string): Read<readonly string[]> {
    return this.#tables.kv.keys(prefix, separator);
  }

  // Nodes and services.

  /** All nodes, by name. */
  nodes(): Read<readonly Node[]> {
    const value: Node[] = [];
    this.#tables.nodes.records.visit(null, null, (node) => {
      value.push(node);
    });
    return this.#read(value, NODES_TOPIC);
  }
  /** By name, else by ID or by a prefix of it of at least two characters that only one node has. */
  node(nameOrId: string): Read<Node | null> {
    const { node, topics } = findNode(this.#tables, nameOrId);
    return this.#read(node, ...topics);
  }
  /** The node that `node` finds, with its services. */
  nodeServices(nameOrId: string): Read<NodeServices | null> {
    const { node, topics } = findNode(this.#tables, nameOrId);
    const value = node === null ? null : { Node: node, Services: this.#tables.services.onNode(node.Node).slice() };
    return this.#read(value, ...topics);
  }
  /** Service names in order, each with its sorted tags. */
  services(): Read<ReadonlyMap<string, readonly string[]>> {
    const value = new Map<string, readonly string[]>();
    this.#tables.services.names.visit(null, null, ({ Name, Tags }) => {
      value.set(Name, Tags);
    });
    return this.#read(value, SERVICES_TOPIC);
  }
  /** Every instance of every service, by service, node and service ID. */
  serviceInstances(): Read<readonly ServiceInstance[]> {
    const value = serviceInstances(this.#tables, this.#tables.services.all());
    return this.#read(value, INSTANCES_TOPIC, NODES_TOPIC);
  }
  /** By node, then by service ID. */
  serviceNodes(name: string, options: ServiceOptions = {}): Read<readonly ServiceInstance[]> {
    const { services } = this.#tables;
    const found = options.connect === true ? services.targeting(name) : services.named(name);
    const value = serviceInstances(this.#tables, found, options.tags);
    return this.#read(value, options.connect === true ? connectTopic(name) : serviceTopic(name));
  }
  /** The same instances in the same order, with their checks. */
  healthService(name: string, options: ServiceOptions = {}): Read<readonly InstanceHealth[]> {
    const { value, index, topics } = this.serviceNodes(name, options);
    return { value: instanceHealth(this.#tables, value), index, topics };
  }
  /** The first node, by name, that has the address. */
  nodeByAddress(address: string): Read<Node | null> {
    return this.#read(this.#tables.nodes.byAddress(address) ?? null, NODES_TOPIC);
  }
  /** The first service instance, by node and service ID, that has the address as its own. */
  serviceByAddress(address: string): Read<NodeService | null> {
    return this.#read(this.#tables.services.byAddress(address) ?? null, INSTANCES_TOPIC);
  }

  // Checks.

  /** All checks on a node, its services' too, by check ID. */
  nodeChecks(node: string): Read<readonly HealthCheck[]> {
    return this.#read(this.#tables.checks.onNode(node).slice(), nodeChecksTopic(node));
  }
  /** The checks of a service's instances, by node and check ID; not their nodes' own. */
  serviceChecks(name: string): Read<readonly HealthCheck[]> {
    return this.#read(this.#tables.checks.ofService(name).slice(), serviceTopic(name));
  }
  /** By node and check ID; `state` is a status, or "any". */
  checksInState(state: string): Read<readonly HealthCheck[]> {
    if (state !== "any") return this.#read(this.#tables.checks.inStatus(state), checkStateTopic(state));
    const value: HealthCheck[] = [];
    this.#tables.checks.records.visit(null, null, (check) => {
      value.push(check);
    });
    return this.#read(value, CHECKS_TOPIC);
  }
  check(node: string, checkId: string): Read<HealthCheck | null> {
    return this.#read(this.#tables.checks.get(node, checkId) ?? null, nodeChecksTopic(node));
  }

  // Sessions.

  /** All sessions, by ID. */
  sessions(): Read<readonly Session[]> {
    const value: Session[] = [];
    this.#tables.sessions.records.visit(null, null, (session) => {
      value.push(session);
    });
    return this.#read(value, SESSIONS_TOPIC);
  }
  session(id: string): Read<Session | null> {
    return this.#read(this.#tables.sessions.get(id) ?? null, sessionTopic(id));
  }
  /** By ID. */
  nodeSessions(node: string): Read<readonly Session[]> {
    return this.#read(this.#tables.sessions.onNode(node).slice(), nodeSessionsTopic(node));
  }

  // Prepared queries.

  /** All queries, by ID. */
  queries(): Read<readonly PreparedQuery[]> {
    const value: PreparedQuery[] = [];
    this.#tables.queries.records.visit(null, null, (query) => {
      value.push(query);
    });
    return this.#read(value, QUERIES_TOPIC);
  }
  /** By ID, else by exact name. */
  query(idOrName: string): Read<PreparedQuery | null> {
    const { queries } = this.#tables;
    const byId = queries.get(idOrName);
    if (byId !== undefined) return this.#read(byId, queryTopic(idOrName));
    return this.#read(queries.named(idOrName) ?? null, QUERIES_TOPIC);
  }
  /** By ID, else by exact name, else the template with the longest prefix of the name. */
  queryResolve(idOrName: string): Read<ResolvedQuery | null> {
    const { queries } = this.#tables;
    const byId = queries.get(idOrName);
    const query = byId ?? queries.named(idOrName) ?? queries.templateFor(idOrName);
    if (query === undefined) return this.#read(null, QUERIES_TOPIC);
    return this.#read({ query, template: isTemplate(query), byId: query === byId }, QUERIES_TOPIC);
  }

  // Configuration and coordinates.

  configEntry(kind: string, name: string): Read<ConfigEntry | null> {
    return this.#read(this.#tables.config.get(kind, name) ?? null, configEntryTopic(kind, name));
  }
  /** Of one kind, or of all kinds when `kind` is null; by kind, then by name. */
  configEntries(kind: string | null): Read<readonly ConfigEntry[]> {
    return this.#read(this.#tables.config.ofKind(kind), kind === null ? CONFIG_TOPIC : configKindTopic(kind));
  }
  /** Of one node, or of all; by node, then by segment. */
  coordinates(node?: string): Read<readonly NodeCoordinate[]> {
    if (node !== undefined) return this.#read(this.#tables.coordinates.ofNode(node), coordinateTopic(node));
    const value: NodeCoordinate[] = [];
    this.#tables.coordinates.records.visit(null, null, (coordinate) => {
      value.push(coordinate);
    });
    return this.#read(value, COORDINATES_TOPIC);
  }
  autopilotConfig(): Read<AutopilotConfig | null> {
    return this.#read(this.#tables.autopilot.record, AUTOPILOT_TOPIC);
  }

  // Other datacenters.

  /** What this datacenter is among others, null while nobody has said so. */
  federation(): Read<Federation | null> {
    return this.#read(this.#tables.federation.record, FEDERATION_TOPIC);
  }
  /** True while some keys carry stamps. */
  get stamping(): boolean {
    return this.#tables.federation.twoWay.length > 0;
  }
  /** How far a rule's replication has come. */
  link(key: string): Read<ReplicationLink | null> {
    return this.#read(this.#tables.links.records.get(key) ?? null, LINKS_TOPIC);
  }
  /** What changed under a prefix since an index, in order. */
  kvChanges(args: ChangesArgs): Read<Feed> {
    const { prefix } = args;
    const value = changesSince(this.#tables, args, this.#lastIndex);
    return { value, index: this.#tables.kv.prefixIndex(prefix), topics: [kvPrefixTopic(prefix)] };
  }
  /** The keys under a prefix after another one. */
  kvRange(args: RangeArgs): Read<Feed> {
    const { prefix } = args;
    const value = rangeAfter(this.#tables, args, this.#lastIndex);
    return { value, index: this.#tables.kv.prefixIndex(prefix), topics: [kvPrefixTopic(prefix)] };
  }
  /** True when what is here under a key has taken this version into account, or is it. */
  hasVersion(key: string, version: KVVersion): boolean {
    const local = versionOf(this.#tables, key);
    const { Ms, Origin, Seen } = version;
    return local !== null && hasSeen(local, { Ms, Origin, Seen: Seen ?? {} });
  }
  /** Calls `visit` for the keys under a prefix from one on, until it returns false. */
  visitKeys(prefix: string, from: string, visit: (key: string) => boolean): void {
    this.#tables.kv.entries.visit(from, prefixEnd(prefix), (_, key) => visit(key));
  }
  /** The rule by which what is under a key, or under a prefix, is a copy of another datacenter's; null when it is not. */
  copyOf(key: string, isPrefix: boolean = false): KVRule | null {
    const { copies } = this.#tables.federation;
    if (copies.length === 0) return null;
    const covers = ({ ToPrefix }: KVRule): boolean =>
      key.startsWith(ToPrefix) || (isPrefix && ToPrefix.startsWith(key));
    return copies.find(covers) ?? null;
  }
  /** The index of the last change under the prefix that is not forgotten, 0 when there is none. */
  kvTouched(prefix: string): number {
    return this.#tables.kv.touched(prefix);
  }
  /** The deletions whose stamps are kept, and the earliest time among them. */
  keptDeletions(): { count: number; earliestMs: number } {
    let [count, earliestMs] = [0, Number.POSITIVE_INFINITY];
    this.#tables.stamps.records.visitAbove(null, null, 0, ({ Ms }) => {
      count++;
      earliestMs = Math.min(earliestMs, Ms);
    });
    return { count, earliestMs };
  }

  // The store itself.

  usage(): Read<Usage> {
    return this.#read(
      usageOf(this.#tables),
      NODES_TOPIC,
      INSTANCES_TOPIC,
      CHECKS_TOPIC,
      SESSIONS_TOPIC,
      QUERIES_TOPIC,
      CONFIG_TOPIC,
      kvPrefixTopic(""),
    );
  }

  /** The index of a topic, at least 1. */
  topicIndex(topic: string): number {
    if (topic.startsWith(KV_TOPIC)) return this.#tables.kv.keyIndex(topic.slice(KV_TOPIC.length));
    if (topic.startsWith(KV_PREFIX_TOPIC)) return this.#tables.kv.prefixIndex(topic.slice(KV_PREFIX_TOPIC.length));
    return this.#topics.indexOf(topic);
  }

  #read<T>(value: T, ...topics: string[]): Read<T> {
    let index = 1;
    for (const topic of topics) index = Math.max(index, this.topicIndex(topic));
    return { value, index, topics };
  }

  /** How many tombstones wait to be reaped and the highest index among them: the leader asks before it proposes a reap. */
  tombstones(): { count: number; maxIndex: number } {
    const { queue } = this.#tables.kv;
    return {
      count: queue.size + this.#topics.queue.size,
      maxIndex: Math.max(queue.lastIndex, this.#topics.queue.lastIndex),
    };
  }

  /** 16 hexadecimal digits: the same on every server that applied the log to the same index. */
  hash(): string {
    return this.#tables.hash.toString();
  }

  /** A consistent view in constant time; writes go on beside it. */
  snapshot(): StateSnapshot {
    return takeSnapshot(this.#tables, this.#topics, this.#lastIndex);
  }

  /** The store that a snapshot's records say, equal to the one they were taken from. @throws OperationalError on damage. */
  static restore(records: Iterable<SnapshotRecord>): StateStore {
    const restorer = new StateRestorer();
    for (const record of records) restorer.add(record);
    return restorer.finish();
  }

  /** The half of a restore that `StateRestorer` drives: fills this new store. */
  load(): { add(record: SnapshotRecord): void; finish(): void } {
    assert(this.#lastIndex === 0, "only a new store is loaded");
    const loader = new SnapshotLoader(this.#tables, this.#topics);
    return {
      add: (record) => loader.add(record),
      finish: () => {
        this.#lastIndex = loader.finish();
      },
    };
  }
}

/** Builds a store from a snapshot's records one at a time, so that the host may take breaks. */
export class StateRestorer {
  readonly #store: StateStore;
  readonly #load: { add(record: SnapshotRecord): void; finish(): void };

  /** @param storage where the store is to be: its tables are empty. */
  constructor(storage: StateStorage | null = null) {
    this.#store = new StateStore(storage);
    this.#load = this.#store.load();
  }

  /** @throws OperationalError `storage-failed` when the records are not a whole snapshot. */
  add(record: SnapshotRecord): void {
    this.#load.add(record);
  }

  /** @throws OperationalError `storage-failed` when the end is missing. */
  finish(): StateStore {
    this.#load.finish();
    return this.#store;
  }
}
