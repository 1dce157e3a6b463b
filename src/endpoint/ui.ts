// What web pages ask, in one request each: /v1/internal/ui. The contract is Consul's own page's, which no document
// describes; https://developer.hashicorp.com/consul/docs/fundamentals/interface/ui shows what is made of it.
import { checkServiceNodeFields, nodeInfoFields } from "../filter/fields.ts";
import { compileFilter } from "../filter/filter.ts";
import type { InstanceHealth, Read } from "../state/read.ts";
import type { StateStore } from "../state/store.ts";
import type { HealthCheck, Node, NodeService, UserMap } from "../types/records.ts";
import { keyOf, type QueryEndpoint } from "./endpoint.ts";
import { healthShape } from "./health.ts";
import { nodeServiceShape } from "./shape.ts";

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

/** One read made of several: it is as new as the newest of them. */
function joined<T>(value: T, ...reads: readonly Read<unknown>[]): Read<T> {
  return {
    value,
    index: Math.max(...reads.map(({ index }) => index)),
    topics: [...new Set(reads.flatMap(({ topics }) => topics))],
  };
}

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

/** A service in a list. */
export interface ServiceSummary {
  Kind: string;
  Name: string;
  Datacenter: string;
  Tags: string[];
  Nodes: string[];
  ExternalSources: string[];
  InstanceCount: number;
  ChecksPassing: number;
  ChecksWarning: number;
  ChecksCritical: number;
  GatewayConfig: { AssociatedServiceCount?: number; Addresses?: string[] };
  TransparentProxy: boolean;
  ConnectNative: boolean;
}

/** Consul leaves out a kind that is none, and has null for lists that nobody filled. */
export const summaryShape = ({ Kind, Tags, Nodes, ExternalSources, ...rest }: ServiceSummary): Record<string, unknown> => ({
  ...(Kind === "" ? {} : { Kind }),
  Tags: Tags.length === 0 ? null : Tags,
  Nodes: Nodes.length === 0 ? null : Nodes,
  ExternalSources: ExternalSources.length === 0 ? null : ExternalSources,
  ...rest,
});

/** The mark by which whoever registers services for another system names that system. */
const EXTERNAL_SOURCE = "external-source";

class Summaries {
  readonly #summaries = new Map<string, ServiceSummary>();
  readonly #checks = new Map<string, Map<string, HealthCheck>>();
  readonly #proxies = new Map<string, boolean>();

  add({ Node: node, Service: service, Checks }: InstanceHealth): void {
    const summary = this.of(service.Service);
    summary.Kind = service.Kind;
    summary.Datacenter = node.Datacenter;
    summary.InstanceCount += 1;
    addTo(summary.Nodes, node.Node);
    for (const tag of service.Tags) addTo(summary.Tags, tag);
    const source = service.Meta?.[EXTERNAL_SOURCE] ?? "";
    if (source !== "") addTo(summary.ExternalSources, source);
    if (service.Connect["Native"] === true) summary.ConnectNative = true;
    this.#note(service.Service, Checks);
    const target = proxied(service);
    if (target === "") return;
    // A proxy's checks count for its service too, and all proxies must be transparent for the service to be.
    this.of(target).TransparentProxy = service.Proxy["Mode"] === "transparent" && this.#proxies.get(target) !== false;
    this.#proxies.set(target, this.of(target).TransparentProxy);
    this.#note(target, Checks);
  }

  of(name: string): ServiceSummary {
    let summary = this.#summaries.get(name);
    if (summary === undefined) {
      summary = {
        Kind: "",
        Name: name,
        Datacenter: "",
        Tags: [],
        Nodes: [],
        ExternalSources: [],
        InstanceCount: 0,
        ChecksPassing: 0,
        ChecksWarning: 0,
        ChecksCritical: 0,
        GatewayConfig: {},
        TransparentProxy: false,
        ConnectNative: false,
      };
      this.#summaries.set(name, summary);
    }
    return summary;
  }

  hasProxy(name: string): boolean {
    return this.#proxies.has(name);
  }

  /** All of them, by name, counted up. */
  finish(): ServiceSummary[] {
    const list = [...this.#summaries.values()].sort((a, b) => (a.Name < b.Name ? -1 : 1));
    for (const summary of list) {
      summary.Nodes.sort();
      summary.Tags.sort();
      for (const { Status } of this.#checks.get(summary.Name)?.values() ?? []) {
        if (Status === "passing") summary.ChecksPassing += 1;
        else if (Status === "warning") summary.ChecksWarning += 1;
        else summary.ChecksCritical += 1;
      }
    }
    return list;
  }

  #note(service: string, checks: readonly HealthCheck[]): void {
    let known = this.#checks.get(service);
    if (known === undefined) this.#checks.set(service, (known = new Map()));
    for (const check of checks) known.set(JSON.stringify([check.Node, check.CheckID]), check);
  }
}

function addTo(list: string[], item: string): void {
  if (!list.includes(item)) list.push(item);
}

/** The service that an instance is a proxy of, or "". */
function proxied({ Kind, Proxy: proxy }: NodeService): string {
  const target = proxy["DestinationServiceName"];
  return Kind === "connect-proxy" && typeof target === "string" ? target : "";
}

/** Every instance of every service with its checks. */
function allInstances(state: StateStore): Read<InstanceHealth[]> {
  const [services, checks] = [state.services(), state.checksInState("any")];
  const value = [...services.value.keys()].flatMap((name) => state.healthService(name).value);
  return joined(value, services, state.serviceInstances(), checks);
}

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
    for (const instance of instances.value) if (filter === "" || matches(healthShape(instance))) summaries.add(instance);
    const links = gatewayLinks(state);
    const list = summaries.finish().map((summary) => {
      const linked = links.value.filter(({ gateway }) => gateway === summary.Name).length;
      if (linked > 0) summary.GatewayConfig.AssociatedServiceCount = linked;
      const gateways = links.value.filter(({ service }) => service === summary.Name).map(({ gateway }) => gateway);
      return {
        ...summary,
        ConnectedWithProxy: summaries.hasProxy(summary.Name),
        ConnectedWithGateway: summary.InstanceCount > 0 && gateways.some((gateway) => summaries.of(gateway).InstanceCount > 0),
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

// -------------------------------------------------------------------------------------------- gateways and topology

/** A service that a gateway's configuration entry names, itself or by `*`. */
export interface GatewayLink {
  gateway: string;
  service: string;
  /** Of an ingress gateway. */
  hosts: readonly string[];
  /** The listener's port; 0 for a terminating gateway. */
  port: number;
}

interface NamedService {
  Name?: string;
  Hosts?: string[] | null;
}

function gatewayLinks(state: StateStore): Read<GatewayLink[]> {
  const [ingress, terminating, services] = [
    state.configEntries("ingress-gateway"),
    state.configEntries("terminating-gateway"),
    state.services(),
  ];
  const links: GatewayLink[] = [];
  const link = (gateway: string, { Name = "", Hosts }: NamedService, port: number): void => {
    const names = Name === "*" ? [...services.value.keys()].filter((name) => name !== "consul" && name !== gateway) : [Name];
    for (const service of names) links.push({ gateway, service, hosts: Hosts ?? [], port });
  };
  for (const entry of ingress.value)
    for (const { Port, Services } of (entry["Listeners"] ?? []) as { Port: number; Services: NamedService[] | null }[])
      for (const service of Services ?? []) link(entry.Name, service, Port);
  for (const entry of terminating.value)
    for (const service of (entry["Services"] ?? []) as NamedService[]) link(entry.Name, service, 0);
  return joined(links, ingress, terminating, services);
}

export interface GatewayServices {
  links: readonly GatewayLink[];
  services: readonly ServiceSummary[];
}

/** The services of a gateway. */
export const uiGatewayServices: QueryEndpoint<string, GatewayServices> = {
  kind: "query",
  name: "ui.gateway-services",
  run(state, gateway) {
    const links = gatewayLinks(state);
    const own = links.value.filter((each) => each.gateway === gateway);
    const summaries = new Summaries();
    for (const { service } of own) summaries.of(service);
    const instances = allInstances(state);
    const wanted = new Set(own.map(({ service }) => service));
    for (const instance of instances.value) if (wanted.has(instance.Service.Service)) summaries.add(instance);
    return joined({ links: own, services: summaries.finish() }, links, instances);
  },
  key: (gateway) => keyOf("ui.gateway-services", gateway),
};

/** One source of a `service-intentions` entry, with its destination. */
export interface IntentionRow {
  Description: string;
  SourceNS: string;
  SourceName: string;
  DestinationNS: string;
  DestinationName: string;
  SourceType: string;
  Action: string;
  Permissions?: unknown;
  Precedence: number;
  CreateIndex: number;
  ModifyIndex: number;
}

interface Source {
  Name: string;
  Action?: string;
  Permissions?: unknown[];
  Precedence: number;
  Type: string;
  Description?: string;
}

function intentions(state: StateStore): Read<IntentionRow[]> {
  const entries = state.configEntries("service-intentions");
  const rows = entries.value.flatMap((entry) =>
    ((entry["Sources"] ?? []) as Source[]).map((source) => ({
      Description: source.Description ?? "",
      SourceNS: "default",
      SourceName: source.Name,
      DestinationNS: "default",
      DestinationName: entry.Name,
      SourceType: source.Type,
      Action: source.Action ?? "",
      ...(source.Permissions === undefined ? {} : { Permissions: source.Permissions }),
      Precedence: source.Precedence,
      CreateIndex: entry.CreateIndex,
      ModifyIndex: entry.ModifyIndex,
    })),
  );
  rows.sort((a, b) => b.Precedence - a.Precedence);
  return joined(rows, entries);
}

/** The intentions whose destination is a service of the gateway, or any. */
export const uiGatewayIntentions: QueryEndpoint<string, readonly IntentionRow[]> = {
  kind: "query",
  name: "ui.gateway-intentions",
  run(state, gateway) {
    const [links, all] = [gatewayLinks(state), intentions(state)];
    const services = new Set(links.value.filter((each) => each.gateway === gateway).map(({ service }) => service));
    const rows = services.size === 0 ? [] : all.value.filter(({ DestinationName }) => DestinationName === "*" || services.has(DestinationName));
    return joined(rows, links, all);
  },
  key: (gateway) => keyOf("ui.gateway-intentions", gateway),
};

export interface TopologyService extends ServiceSummary {
  Source: string;
  Intention: { DefaultAllow: boolean; Allowed: boolean; HasPermissions: boolean; ExternalSource: string; HasExact: boolean };
}
export interface ServiceTopology {
  Protocol: string;
  TransparentProxy: boolean;
  Upstreams: TopologyService[];
  Downstreams: TopologyService[];
  FilteredByACLs: boolean;
}

/** What a service's proxies are registered to reach, and which services' proxies are registered to reach it. */
export const uiServiceTopology: QueryEndpoint<string, ServiceTopology> = {
  kind: "query",
  name: "ui.service-topology",
  run(state, service) {
    const [instances, rules] = [allInstances(state), intentions(state)];
    const defaults = state.configEntry("service-defaults", service);
    const proxyDefaults = state.configEntry("proxy-defaults", "global");
    const summaries = new Summaries();
    const [upstreams, downstreams] = [new Set<string>(), new Set<string>()];
    for (const instance of instances.value) {
      summaries.add(instance);
      const target = proxied(instance.Service);
      for (const name of upstreamNames(instance.Service)) {
        if (target === service) upstreams.add(name);
        if (name === service && target !== "") downstreams.add(target);
      }
    }
    const all = new Map(summaries.finish().map((summary) => [summary.Name, summary]));
    const rows = (names: Set<string>, decide: (name: string) => TopologyService["Intention"]): TopologyService[] =>
      [...names].sort().map((name) => ({
        ...(all.get(name) ?? new Summaries().of(name)),
        Source: "proxy-registration",
        Intention: decide(name),
      }));
    const config = (proxyDefaults.value?.["Config"] ?? {}) as UserMap<unknown>;
    const value: ServiceTopology = {
      Protocol: ((defaults.value?.["Protocol"] as string | undefined) || (config["protocol"] as string | undefined)) ?? "tcp",
      TransparentProxy: all.get(service)?.TransparentProxy ?? false,
      Upstreams: rows(upstreams, (name) => decision(rules.value, service, name)),
      Downstreams: rows(downstreams, (name) => decision(rules.value, name, service)),
      FilteredByACLs: false,
    };
    return joined(value, instances, rules, defaults, proxyDefaults);
  },
  key: (service) => keyOf("ui.service-topology", service),
};

function upstreamNames({ Proxy: proxy }: NodeService): string[] {
  const list = (proxy["Upstreams"] ?? []) as { DestinationName?: string }[];
  return list.map(({ DestinationName }) => DestinationName ?? "").filter((name) => name !== "");
}

/** What the most telling intention says; without any, connections are allowed, as ACLs are off. */
function decision(rules: readonly IntentionRow[], source: string, destination: string): TopologyService["Intention"] {
  const rule = rules.find(
    ({ SourceName, DestinationName }) =>
      (SourceName === source || SourceName === "*") && (DestinationName === destination || DestinationName === "*"),
  );
  return {
    DefaultAllow: true,
    Allowed: rule === undefined || rule.Action === "allow",
    HasPermissions: rule?.Permissions !== undefined,
    ExternalSource: "",
    HasExact: rule !== undefined && rule.SourceName === source && rule.DestinationName === destination,
  };
}
