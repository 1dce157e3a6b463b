// What a server measures of itself, by Consul's names: requests, the log, the store. Made once; the way of a write only
// adds numbers to what is held here. https://developer.hashicorp.com/consul/docs/monitor/telemetry/agent
import type { Role } from "../raft/types.ts";
import type { Command } from "../state/command.ts";
import type { Counter, Labels, Meter, Sample } from "../util/instrument.ts";

/** The command endpoints that are measured: name of the metric, by name of the endpoint. */
const COMMANDS: ReadonlyMap<string, readonly [name: string, help: string]> = new Map([
  ["kv.put", ["kvs.apply", "Time it takes to complete an update to the KV store"]],
  ["kv.delete", ["kvs.apply", "Time it takes to complete an update to the KV store"]],
  ["txn.apply", ["txn.apply", "Time spent applying a transaction operation"]],
  ["catalog.register", ["catalog.register", "Time it takes to complete a catalog register operation"]],
  ["catalog.deregister", ["catalog.deregister", "Time it takes to complete a catalog deregister operation"]],
  ["session.create", ["session.apply", "Time spent applying a session update"]],
  ["session.destroy", ["session.apply", "Time spent applying a session update"]],
  ["session.renew", ["session.renew", "Time spent renewing a session"]],
  ["query.create", ["prepared-query.apply", "Time it takes to apply a prepared query update"]],
  ["query.update", ["prepared-query.apply", "Time it takes to apply a prepared query update"]],
  ["query.delete", ["prepared-query.apply", "Time it takes to apply a prepared query update"]],
]);

/** Metrics of the store: part of the name, and the label `op` where there is one, by type of command. */
const APPLIES: Record<Command["type"], readonly [name: string, op: string]> = {
  "kv.set": ["kvs", "set"],
  "kv.cas": ["kvs", "cas"],
  "kv.lock": ["kvs", "lock"],
  "kv.unlock": ["kvs", "unlock"],
  "kv.delete": ["kvs", "delete"],
  "kv.delete-cas": ["kvs", "delete-cas"],
  "kv.delete-tree": ["kvs", "delete-tree"],
  "catalog.register": ["register", ""],
  "catalog.deregister": ["deregister", ""],
  "session.create": ["session", "create"],
  "session.destroy": ["session", "destroy"],
  "query.set": ["prepared-query", "upsert"],
  "query.delete": ["prepared-query", "delete"],
  "config.set": ["config_entry", "upsert"],
  "config.delete": ["config_entry", "delete"],
  "coordinate.update": ["coordinate.batch-update", ""],
  "autopilot.set": ["autopilot", ""],
  txn: ["txn", ""],
  "tombstone.reap": ["tombstone", "reap"],
  "federation.set": ["federation", ""],
  replicate: ["replicate", ""],
  "kv.replicate": ["kvs", "replicate"],
  "kv.forget": ["kvs", "forget"],
};

/** The counters and samples that a server feeds. */
export class ServerInstruments {
  readonly requests: Counter;
  readonly queries: Counter;
  readonly proposals: Counter;
  readonly commitTime: Sample;
  readonly dispatchLog: Sample;
  readonly applyTime: Sample;
  readonly snapshotCreated: Sample;
  readonly snapshotTaken: Sample;
  readonly snapshotPersisted: Sample;
  /** By name of the endpoint. */
  readonly commands: ReadonlyMap<string, Sample>;
  readonly #applies = new Map<string, Sample>();
  readonly #roles: ReadonlyMap<Role, Counter>;

  constructor(meter: Meter) {
    this.requests = meter.counter("rpc.request", "Counts requests that this server answered, its own among them");
    this.queries = meter.counter("rpc.query", "Counts reads that this server answered");
    this.proposals = meter.counter("raft.apply", "Counts entries that were proposed to the log");
    this.commitTime = meter.sample("raft.commitTime", "Time it takes to commit a new entry to the log on the leader");
    this.dispatchLog = meter.sample("raft.leader.dispatchLog", "Time it takes the leader to write log entries to disk");
    this.applyTime = meter.sample("raft.fsm.apply", "Time it takes to apply an entry to the store");
    this.snapshotCreated = meter.sample(
      "raft.snapshot.create",
      "Time it takes to make a view of the store for a snapshot",
    );
    this.snapshotTaken = meter.sample("raft.snapshot.takeSnapshot", "Time it takes to take a snapshot and to write it");
    this.snapshotPersisted = meter.sample("raft.snapshot.persist", "Time it takes to write a snapshot");
    this.commands = new Map([...COMMANDS].map(([endpoint, [name, help]]) => [endpoint, meter.sample(name, help)]));
    for (const [type, [name, op]] of Object.entries(APPLIES)) {
      const labels: Labels = op === "" ? [] : [["op", op]];
      this.#applies.set(type, meter.sample(`fsm.${name}`, `Time it takes to apply ${name} to the store`, labels));
    }
    const role = (name: Role): [Role, Counter] => [
      name,
      meter.counter(`raft.state.${name}`, `Counts how often this server became a ${name}`),
    ];
    this.#roles = new Map([role("leader"), role("candidate"), role("follower")]);
  }

  /** A command took `ms` to apply to the store. */
  applied(type: string, ms: number): void {
    this.applyTime.add(ms);
    this.#applies.get(type)?.add(ms);
  }

  /** This server has a new role. */
  entered(role: Role): void {
    this.#roles.get(role)?.add(1);
  }
}
