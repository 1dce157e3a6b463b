// Builders of records and commands with everything at its default, for the tests of the store.

import type {
  CatalogRegister,
  CommandResult,
  CommandValue,
  TxnCatalogVerb,
  TxnKVVerb,
  TxnOperation,
  Unindexed,
} from "../../src/state/command.ts";
import { StateStore } from "../../src/state/store.ts";
import type { Applied } from "../../src/state/store.ts";
import type { Command } from "../../src/state/command.ts";
import type { HealthCheck, Node, NodeService, PreparedQuery, Session, Uint64 } from "../../src/types/records.ts";

export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
export function text(value: Uint8Array | null | undefined): string | null {
  return value == null ? null : new TextDecoder().decode(value);
}

export function node(name: string, more: Partial<Node> = {}): Unindexed<Node> {
  return { ID: "", Node: name, Address: "10.0.0.1", Datacenter: "dc1", TaggedAddresses: null, Meta: null, ...more };
}
export function service(name: string, more: Partial<NodeService> = {}): Unindexed<NodeService> {
  return {
    Node: "",
    Kind: "",
    ID: "",
    Service: name,
    Tags: [],
    Address: "",
    TaggedAddresses: null,
    Meta: null,
    Port: 0,
    Ports: null,
    SocketPath: "",
    Weights: { Passing: 1, Warning: 1 },
    EnableTagOverride: false,
    Proxy: {},
    Connect: {},
    Locality: null,
    PeerName: "",
    ...more,
  };
}
export function check(id: string, more: Partial<HealthCheck> = {}): Unindexed<HealthCheck> {
  return {
    Node: "",
    CheckID: id,
    Name: id,
    Status: "passing",
    Notes: "",
    Output: "",
    ServiceID: "",
    ServiceName: "",
    ServiceTags: [],
    Type: "",
    Interval: "",
    Timeout: "",
    ExposedPort: 0,
    Definition: {},
    ...more,
  };
}
export function session(id: string, onNode: string, more: Partial<Session> = {}): Unindexed<Session> {
  return {
    ID: id,
    Name: "",
    Node: onNode,
    LockDelay: 15e9,
    Behavior: "release",
    TTL: "",
    NodeChecks: null,
    ServiceChecks: null,
    ...more,
  };
}
export function query(id: string, name: string, more: Partial<PreparedQuery> = {}): Unindexed<PreparedQuery> {
  return {
    ID: id,
    Name: name,
    Session: "",
    Token: "",
    Template: { Type: "", Regexp: "", RemoveEmptyTags: false },
    Service: {
      Service: "web",
      SamenessGroup: "",
      Failover: { NearestN: 0, Datacenters: null, Targets: null },
      OnlyPassing: false,
      IgnoreCheckIDs: null,
      Near: "",
      Tags: null,
      NodeMeta: null,
      ServiceMeta: null,
      Connect: false,
      Peer: "",
    },
    DNS: { TTL: "" },
    ...more,
  };
}

export function register(
  name: string | Unindexed<Node>,
  what: { service?: Unindexed<NodeService>; checks?: Unindexed<HealthCheck>[]; skipNodeUpdate?: boolean } = {},
): CatalogRegister {
  return {
    type: "catalog.register",
    node: typeof name === "string" ? node(name) : name,
    service: what.service ?? null,
    checks: what.checks ?? [],
    skipNodeUpdate: what.skipNodeUpdate ?? false,
  };
}
export function deregister(name: string, what: { serviceId?: string; checkId?: string } = {}): Command {
  return { type: "catalog.deregister", node: name, serviceId: what.serviceId ?? "", checkId: what.checkId ?? "" };
}

export const kv = {
  set: (key: string, value = "", flags: Uint64 = 0): Command => ({ type: "kv.set", key, value: bytes(value), flags }),
  cas: (key: string, value: string, index: Uint64): Command => ({
    type: "kv.cas",
    key,
    value: bytes(value),
    flags: 0,
    index,
  }),
  lock: (key: string, sessionId: string, value = ""): Command => ({
    type: "kv.lock",
    key,
    value: bytes(value),
    flags: 0,
    session: sessionId,
  }),
  unlock: (key: string, sessionId: string, value = ""): Command => ({
    type: "kv.unlock",
    key,
    value: bytes(value),
    flags: 0,
    session: sessionId,
  }),
  delete: (key: string): Command => ({ type: "kv.delete", key }),
  deleteCas: (key: string, index: Uint64): Command => ({ type: "kv.delete-cas", key, index }),
  deleteTree: (prefix: string): Command => ({ type: "kv.delete-tree", prefix }),
};

export const op = {
  kv: (
    verb: TxnKVVerb,
    key: string,
    more: { value?: string; flags?: Uint64; index?: Uint64; session?: string } = {},
  ): TxnOperation => ({
    kind: "kv",
    verb,
    key,
    value: bytes(more.value ?? ""),
    flags: more.flags ?? 0,
    index: more.index ?? 0,
    session: more.session ?? "",
  }),
  node: (verb: TxnCatalogVerb, input: Unindexed<Node>, index: Uint64 = 0): TxnOperation => ({
    kind: "node",
    verb,
    node: input,
    index,
  }),
  service: (verb: TxnCatalogVerb, input: Unindexed<NodeService>, index: Uint64 = 0): TxnOperation => ({
    kind: "service",
    verb,
    service: input,
    index,
  }),
  check: (verb: TxnCatalogVerb, input: Unindexed<HealthCheck>, index: Uint64 = 0): TxnOperation => ({
    kind: "check",
    verb,
    check: input,
    index,
  }),
};

/** A store whose log the test writes: each command at the next index. */
export class Log {
  readonly store: StateStore = new StateStore();
  index = 1;
  apply(command: Command): Applied {
    return this.store.apply(++this.index, command);
  }
  /** Applies, and gives the value; throws the refusal's message. */
  value(command: Command): CommandValue {
    const { result } = this.apply(command);
    if (!result.ok) throw new Error(`${result.error.code}: ${result.error.message}`);
    return result.value;
  }
  /** Applies what must be refused, and gives the message. */
  refusal(command: Command): string {
    const { result, changes, topics } = this.apply(command) as Applied & { result: CommandResult };
    if (result.ok) throw new Error("it was not refused");
    if (changes.length > 0 || topics.length > 0) throw new Error("a refusal changed something");
    return result.error.message;
  }
}

/** A seeded generator (Marsaglia's xorshift32): numbers from 0 to below `n`. */
export function random(seed: number): (n: number) => number {
  let state = (seed * 2654435761) >>> 0 || 1;
  return (n) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state % n;
  };
}

/** Freezes plain data all through, so that a write to it throws. Byte arrays cannot be frozen. */
export function freeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !(value instanceof Uint8Array) && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) freeze(inner);
  }
  return value;
}

/** Text of any value, for comparing: sorted fields, bigints and bytes readable. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) => {
    if (typeof inner === "bigint") return `${inner}n`;
    if (inner instanceof Map) return [...inner];
    if (inner instanceof Uint8Array) return `bytes ${[...inner].join(",")}`;
    if (typeof inner === "object" && inner !== null && !Array.isArray(inner)) {
      return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)));
    }
    return inner;
  });
}
