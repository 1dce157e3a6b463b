// What web pages ask, in one request each: /v1/internal/ui. The contract is Consul's own page's, which no document
// describes; https://developer.hashicorp.com/consul/docs/fundamentals/interface/ui shows what is made of it.
import { checkServiceNodeFields, nodeInfoFields } from "../filter/fields.ts";
import { compileFilter } from "../filter/filter.ts";
import type { HealthCheck, Node, NodeService } from "../types/records.ts";
import { keyOf, type QueryEndpoint } from "./endpoint.ts";
import { healthShape } from "./health.ts";
import { nodeServiceShape } from "./shape.ts";
import { gatewayLinks } from "./ui-mesh.ts";
import { allInstances, joined, type ServiceSummary, Summaries } from "./ui-summary.ts";

/** A node with all that is on it. */
export interface NodeInfo {
  Node: Node;
  Services: readonly NodeService[];
  Checks: readonly HealthCheck[];
}

/** A node as the page takes it. */
export const nodeInfoShape = ({ Node: node, Services, Checks }: NodeInfo): Record<string, unknown> => ({
  ID: node.ID,
  Node: node.Node,
  Address: node.Address,
  TaggedAddresses: node.TaggedAddresses,
  Meta: node.Meta,
  Services: Services.map(nodeServiceShape),
  Checks,
});

function byNode<T extends { Node: string }>(records: readonly T[]): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const record of records) {
    const group = groups.get(record.Node);
    if (group === undefined) groups.set(record.Node, [record]);
    else group.push(record);
  }
  return groups;
}

/** All nodes, by name. @param filter an expression, "" for none. */
export const uiNodes: QueryEndpoint<string, readonly NodeInfo[]> = {
  kind: "query",
  name: "ui.nodes",
  run(state, filter) {
    const [nodes, instances, checks] = [state.nodes(), state.serviceInstances(), state.checksInState("any")];
    const services = byNode(instances.value.map(({ Service }) => Service));
    const checksOf = byNode(checks.value);
    let list = nodes.value.map((node) => ({
      Node: node,
      Services: (services.get(node.Node) ?? []).sort((a, b) => (a.ID < b.ID ? -1 : 1)),
      Checks: checksOf.get(node.Node) ?? [],
    }));
    if (filter !== "") {
      const matches = compileFilter(filter, nodeInfoFields);
      list = list.filter((info) => matches(nodeInfoShape(info)));
    }
    return joined(list, nodes, instances, checks);
  },
  key: (filter) => keyOf("ui.nodes", filter),
};

/** One node, or null. */
export const uiNode: QueryEndpoint<string, NodeInfo | null> = {
  kind: "query",
  name: "ui.node",
  run(state, name) {
    const found = state.nodeServices(name);
    if (found.value === null) return joined(null, found);
    const checks = state.nodeChecks(found.value.Node.Node);
    return joined({ ...found.value, Checks: checks.value }, found, checks);
  },
  key: (name) => keyOf("ui.node", name),
};

// -------------------------------------------------------------------------------------------------------- services

export interface ListedService extends ServiceSummary {
  ConnectedWithProxy: boolean;
  ConnectedWithGateway: boolean;
}

/** All services, by name. @param filter an expression about instances, "" for none. */
export const uiServices: QueryEndpoint<string, readonly ListedService[]> = {
  kind: "query",
  name: "ui.services",
  run(state, filter) {
    const instances = allInstances(state);
    const matches = filter === "" ? () => true : compileFilter(filter, checkServiceNodeFields);
    const summaries = new Summaries();
    for (const instance of instances.value)
      if (filter === "" || matches(healthShape(instance))) summaries.add(instance);
    const links = gatewayLinks(state);
    const list = summaries.finish().map((summary) => {
      const linked = links.value.filter(({ gateway }) => gateway === summary.Name).length;
      if (linked > 0) summary.GatewayConfig.AssociatedServiceCount = linked;
      const gateways = links.value.filter(({ service }) => service === summary.Name).map(({ gateway }) => gateway);
      return {
        ...summary,
        ConnectedWithProxy: summaries.hasProxy(summary.Name),
        ConnectedWithGateway:
          summary.InstanceCount > 0 && gateways.some((gateway) => summaries.of(gateway).InstanceCount > 0),
      };
    });
    return joined(list, instances, links);
  },
  key: (filter) => keyOf("ui.services", filter),
};

// -------------------------------------------------------------------------------------------------------- overview

export interface HealthSummary {
  Name?: string;
  Total: number;
  Passing: number;
  Warning: number;
  Critical: number;
}
export interface CatalogOverview {
  Nodes: HealthSummary[];
  Services: HealthSummary[];
  Checks: HealthSummary[];
}

/** How many nodes, instances and checks there are, and how they are. */
export const uiCatalogOverview: QueryEndpoint<null, CatalogOverview> = {
  kind: "query",
  name: "ui.catalog-overview",
  run(state) {
    const [nodes, checks, instances] = [state.nodes(), state.checksInState("any"), allInstances(state)];
    const checksOf = byNode(checks.value);
    const ofNodes = newSummary();
    for (const node of nodes.value)
      addTally(ofNodes, worst((checksOf.get(node.Node) ?? []).filter(({ ServiceID }) => ServiceID === "")));
    const services = new Map<string, HealthSummary>();
    for (const { Service, Checks } of instances.value) addTally(summaryOf(services, Service.Service), worst(Checks));
    const byName = new Map<string, HealthSummary>();
    for (const check of checks.value) addTally(summaryOf(byName, check.Name), check.Status);
    const value = { Nodes: [ofNodes], Services: sorted(services), Checks: sorted(byName) };
    return joined(value, nodes, checks, instances);
  },
  key: () => "ui.catalog-overview",
};

const newSummary = (): HealthSummary => ({ Total: 0, Passing: 0, Warning: 0, Critical: 0 });

function summaryOf(summaries: Map<string, HealthSummary>, name: string): HealthSummary {
  let summary = summaries.get(name);
  if (summary === undefined) summaries.set(name, (summary = { Name: name, ...newSummary() }));
  return summary;
}

const sorted = (summaries: Map<string, HealthSummary>): HealthSummary[] =>
  [...summaries].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, summary]) => summary);

function addTally(summary: HealthSummary, status: HealthCheck["Status"]): void {
  summary.Total += 1;
  if (status === "passing") summary.Passing += 1;
  else if (status === "warning") summary.Warning += 1;
  else summary.Critical += 1;
}

/** The worst of the checks; passing when there are none. */
function worst(checks: readonly HealthCheck[]): HealthCheck["Status"] {
  let status: HealthCheck["Status"] = "passing";
  for (const { Status } of checks) {
    if (Status === "critical") return "critical";
    if (Status === "warning") status = "warning";
  }
  return status;
}
