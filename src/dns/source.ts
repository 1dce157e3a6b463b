// What the DNS interface asks of the agent. Look-ups answer at once where the catalog is at hand, and by a promise where
// another agent must be asked; what they find is never changed afterwards. They may throw (or reject with) an
// OperationalError: `no-path-to-datacenter` and `not-found` become NXDOMAIN, everything else SERVFAIL.

import type { HealthCheck, Node, NodeService } from "../types/records.ts";

/** Now or later. */
export type Awaitable<T> = T | Promise<T>;

export type Transport = "udp" | "tcp";

/** An instance of a service, as /v1/health/service has it. `PeerName` is set on what came from a peer. */
export interface DnsInstance {
  Node: Node & { PeerName?: string };
  Service: NodeService;
  /** The node's checks and the instance's. */
  Checks: readonly HealthCheck[];
}

/** What every result may have. */
export interface Result {
  /**
   * Says, cheaply and without ever throwing, that asking again now would find the same: answers are kept as long as it
   * does. Absent when they must not be kept, such as when they depend on who asked.
   */
  isFresh?(): boolean;
}

export interface InstancesLookup {
  kind: "service" | "connect" | "ingress";
  /** In lower case, to be found whatever its case. */
  service: string;
  /** "" without a filter; likewise without regard to case. */
  tag: string;
  /** "" beside a peer. */
  datacenter: string;
  peer: string;
  /** True when only instances without a warning will be used. The caller filters in any case. */
  passingOnly: boolean;
}

export interface InstancesResult extends Result {
  instances: readonly DnsInstance[];
}
export interface NodeResult extends Result {
  node: (Node & { PeerName?: string }) | null;
}
export interface AddressedServiceResult extends Result {
  service: { Name: string; Datacenter: string } | null;
}
export interface VirtualAddressResult extends Result {
  /** "" when the service has none. */
  address: string;
}
export interface PreparedQueryResult extends Result {
  instances: readonly DnsInstance[];
  service: string;
  /** Where the instances are. */
  datacenter: string;
  /** The query's own TTL; null when it has none and the service's counts. */
  ttlSeconds: number | null;
  /** True when the order of the instances means something, such as nearness; otherwise they are shuffled. */
  ordered: boolean;
}

export interface DnsSource {
  /** Instances of a service; none when there is no such service. */
  serviceInstances(lookup: InstancesLookup): Awaitable<InstancesResult>;
  /** A node by name, without regard to case. One of `datacenter` and `peer` is "". */
  node(name: string, where: { datacenter: string; peer: string }): Awaitable<NodeResult>;
  /** The first node of the local datacenter with this address. Compare by `canonicalAddress`. */
  nodeByAddress(address: string): Awaitable<NodeResult>;
  /** The first service of the local datacenter with an instance that has this address of its own. */
  serviceByAddress(address: string): Awaitable<AddressedServiceResult>;
  /** The service's virtual address in the local datacenter, or as a peer exports it. */
  virtualAddress(service: string, peer: string): Awaitable<VirtualAddressResult>;
  /** Runs a prepared query; null when there is none by this name or ID. `from` is the client's address, "" if unknown. */
  preparedQuery(nameOrId: string, where: { datacenter: string; from: string }): Awaitable<PreparedQueryResult | null>;
  /**
   * Sends a packet to a recursor (`address:port`) and gives its answer: one to this packet's id, or a rejection at the
   * timeout. Missing where the runtime has no sockets: then every recursor fails.
   */
  recurse?(packet: Uint8Array, transport: Transport, recursor: string, timeoutMs: number): Promise<Uint8Array>;
}
