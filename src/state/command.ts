// The commands of the replicated store: what a log entry of kind "command" says. Plain encodable data told apart by
// `type`. Ids and times are in the command, minted by the leader: apply never looks at a clock or at randomness.
// Verbs follow https://developer.hashicorp.com/consul/api-docs (kv, txn, catalog, session, query, config, coordinate).

import type { ErrorCode } from "../types/error.ts";
import type {
  AutopilotConfig,
  HealthCheck,
  Indexed,
  KVEntry,
  KVRuleInput,
  Node,
  NodeCoordinate,
  NodeService,
  PreparedQuery,
  Primary,
  ReplicationLink,
  Session,
  Uint64,
  UserMap,
} from "../types/records.ts";

/** A record as the user gives it: without the indexes, which only the store sets. */
export type Unindexed<T extends Indexed> = Omit<T, keyof Indexed>;

/** A config entry without its indexes (`Omit` would lose the kind's own fields). */
export interface ConfigEntryInput {
  Kind: string;
  Name: string;
  [field: string]: unknown;
}

export interface KVSet {
  type: "kv.set";
  key: string;
  value: Uint8Array;
  flags: Uint64;
}
/** Sets only if the entry's ModifyIndex is `index`; 0 means only if there is no entry. */
export interface KVCas {
  type: "kv.cas";
  key: string;
  value: Uint8Array;
  flags: Uint64;
  index: Uint64;
}
export interface KVLock {
  type: "kv.lock";
  key: string;
  value: Uint8Array;
  flags: Uint64;
  session: string;
  seen?: LockSeen;
}
/**
 * How a lock stood when the leader looked whether a lock delay runs, which it keeps in its memory: what comes between that and the
 * command in the log can begin one.
 */
export interface LockSeen {
  /** How often it had been taken. */
  lockIndex: Uint64;
  /** Another session that held it, and whose end begins a delay. */
  holder?: string;
}
export interface KVUnlock {
  type: "kv.unlock";
  key: string;
  value: Uint8Array;
  flags: Uint64;
  session: string;
}
export interface KVDelete {
  type: "kv.delete";
  key: string;
}
/** Deletes only at ModifyIndex `index`; true when there is no entry, and 0 never deletes one. */
export interface KVDeleteCas {
  type: "kv.delete-cas";
  key: string;
  index: Uint64;
}
/** Deletes every key that begins with `prefix`: a plain string prefix, "" is the whole store. */
export interface KVDeleteTree {
  type: "kv.delete-tree";
  prefix: string;
}

/**
 * Registers a node, at most one service on it, and checks, all or nothing. `checks[i].ServiceName` and `ServiceTags`
 * of a service's check are taken from the service. With `skipNodeUpdate` a node that exists is left as it is.
 * A `Node` of "" in the service or in a check means the node named in `node`.
 */
export interface CatalogRegister {
  type: "catalog.register";
  node: Unindexed<Node>;
  service: Unindexed<NodeService> | null;
  checks: Unindexed<HealthCheck>[];
  skipNodeUpdate: boolean;
}
/** With `serviceId` the service and its checks, with `checkId` the check, with neither the node and all on it. */
export interface CatalogDeregister {
  type: "catalog.deregister";
  node: string;
  serviceId: string;
  checkId: string;
}

export interface SessionCreate {
  type: "session.create";
  session: Unindexed<Session>;
}
export interface SessionDestroy {
  type: "session.destroy";
  id: string;
}

/** Creates the query, or replaces the one with its ID. */
export interface QuerySet {
  type: "query.set";
  query: Unindexed<PreparedQuery>;
}
export interface QueryDelete {
  type: "query.delete";
  id: string;
}

/** `cas` null means unconditional; 0 only if there is no entry. */
export interface ConfigSet {
  type: "config.set";
  entry: ConfigEntryInput;
  cas: Uint64 | null;
}
export interface ConfigDelete {
  type: "config.delete";
  kind: string;
  name: string;
  cas: Uint64 | null;
}

/** Updates of unknown nodes are dropped: coordinates are hints. */
export interface CoordinateUpdate {
  type: "coordinate.update";
  updates: NodeCoordinate[];
}

export interface AutopilotSet {
  type: "autopilot.set";
  config: Unindexed<AutopilotConfig>;
  cas: Uint64 | null;
}

export interface Txn {
  type: "txn";
  operations: TxnOperation[];
}

/** Forgets the tombstones whose index is at most `index` (the leader proposes it when they are old enough). */
export interface TombstoneReap {
  type: "tombstone.reap";
  index: number;
}

/** Says what this datacenter is among others. What is left out stays. */
export interface FederationSet {
  type: "federation.set";
  datacenter: string;
  /** Only taken when there is none yet. */
  storeId?: string;
  /** Only taken when it is newer than what is known. */
  primary?: Primary;
  /** Takes the place of all rules before; what only those needed is forgotten. */
  rules?: KVRuleInput[];
}
/**
 * What the primary has and this datacenter had not: all of it or nothing, and only while the primary is that of `epoch` and
 * is another datacenter. With `primary` this datacenter takes over from it.
 */
export interface Replicate {
  type: "replicate";
  epoch: number;
  commands: (ConfigSet | ConfigDelete)[];
  primary: Primary | null;
}

/** One version of a key on its way between datacenters; `Value` null says that it was deleted. */
export interface KVVersion {
  Key: string;
  Value: Uint8Array | null;
  Flags: Uint64;
  /** As those of a stamp; 0, "" and null where nobody keeps stamps. */
  Ms: number;
  Origin: string;
  Seen: UserMap<number> | null;
}

/** Takes over versions of keys, and notes how far that has come. */
export interface KVReplicate {
  type: "kv.replicate";
  link: string;
  /** ModifyIndex of the link's record when this was planned; 0 when there was none. Another one: nothing is done. */
  on: number;
  position: Pick<ReplicationLink, "Identity" | "Phase" | "Index" | "After" | "Via">;
  versions: KVVersion[];
}

/** What taking over came to. */
export interface KVReplicated {
  Written: number;
  Deleted: number;
  Conflicts: number;
  /** Some of the keys that both sides had written. */
  ConflictKeys: string[];
}

/** Forgets the stamps of what was deleted before `beforeMs`. */
export interface KVForget {
  type: "kv.forget";
  beforeMs: number;
}

export type Command = (
  | KVSet
  | KVCas
  | KVLock
  | KVUnlock
  | KVDelete
  | KVDeleteCas
  | KVDeleteTree
  | CatalogRegister
  | CatalogDeregister
  | SessionCreate
  | SessionDestroy
  | QuerySet
  | QueryDelete
  | ConfigSet
  | ConfigDelete
  | CoordinateUpdate
  | AutopilotSet
  | Txn
  | TombstoneReap
  | FederationSet
  | Replicate
  | KVReplicate
  | KVForget
) &
  Timed;

/** The leader's clock when it proposed the command, epoch milliseconds: said where keys of it carry stamps. */
interface Timed {
  atMs?: number;
}

export type TxnKVVerb =
  | "set"
  | "cas"
  | "lock"
  | "unlock"
  | "get"
  | "get-or-empty"
  | "get-tree"
  | "check-index"
  | "check-session"
  | "check-not-exists"
  | "delete"
  | "delete-tree"
  | "delete-cas";

/** The verbs of nodes, services and checks. */
export type TxnCatalogVerb = "set" | "cas" | "get" | "delete" | "delete-cas";

/** An unknown verb is no type error of the log's: the store answers it with Consul's text. */
export type TxnOperation =
  | {
      kind: "kv";
      verb: TxnKVVerb;
      /** For the verbs of trees, the prefix. */
      key: string;
      value: Uint8Array;
      flags: Uint64;
      index: Uint64;
      session: string;
      seen?: LockSeen;
    }
  /** `index` is what `cas` and `delete-cas` compare with the ModifyIndex. `get` finds by ID if there is one. */
  | { kind: "node"; verb: TxnCatalogVerb; node: Unindexed<Node>; index: Uint64 }
  | { kind: "service"; verb: TxnCatalogVerb; service: Unindexed<NodeService>; index: Uint64 }
  | { kind: "check"; verb: TxnCatalogVerb; check: Unindexed<HealthCheck>; index: Uint64 };

/** A KV result shows its value only to the verbs that read it; null otherwise. */
export type TxnKV = Omit<KVEntry, "Value"> & { Value: Uint8Array | null };

export type TxnResult = { KV: TxnKV } | { Node: Node } | { Service: NodeService } | { Check: HealthCheck };

export interface TxnError {
  OpIndex: number;
  What: string;
}

/** Exactly one of the two is not null: nothing was changed when there are errors. An outcome, not a failure. */
export interface TxnOutcome {
  Results: TxnResult[] | null;
  Errors: TxnError[] | null;
}

/** What each command gives when it is not refused. */
export interface CommandValues {
  "kv.set": true;
  "kv.cas": boolean;
  "kv.lock": boolean;
  "kv.unlock": boolean;
  "kv.delete": true;
  "kv.delete-cas": boolean;
  "kv.delete-tree": true;
  "catalog.register": true;
  "catalog.deregister": true;
  /** The session's ID. */
  "session.create": string;
  /** True also when there was no such session. */
  "session.destroy": true;
  /** The query's ID. */
  "query.set": string;
  "query.delete": true;
  "config.set": boolean;
  "config.delete": boolean;
  "coordinate.update": true;
  "autopilot.set": boolean;
  txn: TxnOutcome;
  /** How many tombstones went. */
  "tombstone.reap": number;
  /** False when it said nothing new. */
  "federation.set": boolean;
  /** False when the epoch is another one. */
  replicate: boolean;
  /** False when the link had moved on. */
  "kv.replicate": KVReplicated | false;
  /** How many stamps went. */
  "kv.forget": number;
}

export type CommandValue = CommandValues[Command["type"]];

/** Why a command was refused: deterministic, Consul's text without the prefix ("raft apply failed: ") of its endpoint. */
export interface Refusal {
  code: ErrorCode;
  message: string;
}

export type CommandResult<V = CommandValue> = { ok: true; value: V } | { ok: false; error: Refusal };
