// Reads of the catalog that join tables.

import type { HealthCheck, Node, NodeService } from "../types/records.ts";
import { assert } from "../util/assert.ts";
import { fold } from "./key.ts";
import { mayBeIdPrefix } from "./node.ts";
import type { InstanceHealth, ServiceInstance, Usage } from "./read.ts";
import type { Tables } from "./tables.ts";
import { NODES_TOPIC, nodeTopic } from "./topic.ts";

/** The node that a name, an ID or the beginning of an ID means, and what that depends on. */
export function findNode(tables: Tables, nameOrId: string): { node: Node | null; topics: string[] } {
  const named = tables.nodes.get(nameOrId);
  if (named !== undefined || !mayBeIdPrefix(nameOrId)) {
    return { node: named ?? null, topics: [nodeTopic(nameOrId)] };
  }
  // Another node may take the name, or an ID that begins alike: it depends on all of them.
  const byId = tables.nodes.byIdPrefix(nameOrId);
  if (byId === undefined) return { node: null, topics: [NODES_TOPIC] };
  return { node: byId, topics: [NODES_TOPIC, nodeTopic(byId.Node)] };
}

/** Services joined with their nodes; with `tags` only those that have all of them. */
export function serviceInstances(
  tables: Tables,
  services: readonly NodeService[],
  tags: readonly string[] = [],
): ServiceInstance[] {
  const wanted = tags.map(fold);
  const instances: ServiceInstance[] = [];
  for (const service of services) {
    if (wanted.length > 0 && !hasTags(service, wanted)) continue;
    const node = tables.nodes.get(service.Node);
    assert(node !== undefined, "a service's node is in the catalog");
    instances.push({ Node: node, Service: service });
  }
  return instances;
}

function hasTags(service: NodeService, folded: readonly string[]): boolean {
  return folded.every((tag) => service.Tags.some((own) => fold(own) === tag));
}

/** Adds to each instance the checks of its node and then its own, each by check ID. */
export function instanceHealth(tables: Tables, instances: readonly ServiceInstance[]): InstanceHealth[] {
  const health: InstanceHealth[] = [];
  let lastNode: string | null = null;
  let nodeChecks: readonly HealthCheck[] = [];
  for (const { Node, Service } of instances) {
    if (Service.Node !== lastNode) {
      lastNode = Service.Node;
      nodeChecks = tables.checks.ofInstance(lastNode, "").slice();
    }
    const own = tables.checks.ofInstance(Service.Node, Service.ID);
    health.push({ Node, Service, Checks: own.length === 0 ? nodeChecks : nodeChecks.concat(own) });
  }
  return health;
}

/** Counts of all that is stored. */
export function usageOf(tables: Tables): Usage {
  const { services } = tables;
  return {
    nodes: tables.nodes.records.size,
    services: services.names.size,
    serviceInstances: services.records.size,
    connectServiceInstances: new Map(services.kinds),
    billableServiceInstances: services.billable,
    checks: tables.checks.records.size,
    sessions: tables.sessions.records.size,
    kvEntries: tables.kv.entries.size,
    queries: tables.queries.records.size,
    configEntries: new Map(tables.config.kinds),
  };
}
