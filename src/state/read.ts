// What reads of the store give: the value, the index it has, and the topics it was read from. Records are replaced and
// never mutated, so a value may be kept and shared; nobody may write to it.

import type { HealthCheck, Node, NodeService, PreparedQuery } from "../types/records.ts";

/**
 * A value with what a blocking query needs. `index` is at least 1, is the index of the last change that touched any of
 * `topics`, and never goes back while the store lives: it is what X-Consul-Index says.
 */
export interface Read<T> {
  value: T;
  index: number;
  topics: readonly string[];
}

/** A service instance with its node: a row of /v1/catalog/service/:service. */
export interface ServiceInstance {
  Node: Node;
  Service: NodeService;
}

/** An instance with the checks that concern it, its node's first: a row of /v1/health/service/:service. */
export interface InstanceHealth extends ServiceInstance {
  Checks: readonly HealthCheck[];
}

/** A node with its services, by service ID. */
export interface NodeServices {
  Node: Node;
  Services: readonly NodeService[];
}

/** What narrows the instances of a service. */
export interface ServiceOptions {
  /** Every one of them, without regard to case. */
  tags?: readonly string[];
  /** The instances that connect to the service (its proxies, or itself when native) in place of its own. */
  connect?: boolean;
}

/** What a name given to /v1/query/:idOrName/execute means. */
export interface ResolvedQuery {
  query: PreparedQuery;
  /** True when `query` is a template: it is still to be rendered with the name. */
  template: boolean;
  /** True when it was found by its ID: a template may not be executed so. */
  byId: boolean;
}

/** Counts of what is stored, for /v1/operator/usage and metrics. */
export interface Usage {
  nodes: number;
  /** Distinct service names. */
  services: number;
  serviceInstances: number;
  /** Instances by kind (`connect-proxy`, …), and `connect-native`. */
  connectServiceInstances: ReadonlyMap<string, number>;
  /** Instances that are neither Consul's own nor a mesh kind. */
  billableServiceInstances: number;
  checks: number;
  sessions: number;
  kvEntries: number;
  queries: number;
  configEntries: ReadonlyMap<string, number>;
}
