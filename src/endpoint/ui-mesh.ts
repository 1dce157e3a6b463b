// What web pages ask about gateways and about who may reach whom. This build runs no mesh; the answers are what the
// catalog and the configuration entries say.
import type { Read } from "../state/read.ts";
import type { StateStore } from "../state/store.ts";
import type { NodeService, UserMap } from "../types/records.ts";
import { keyOf, type QueryEndpoint } from "./endpoint.ts";
import { allInstances, joined, proxied, type ServiceSummary, Summaries } from "./ui-summary.ts";

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

/** Every service of every gateway. */
export function gatewayLinks(state: StateStore): Read<GatewayLink[]> {
  const [ingress, terminating, services] = [
    state.configEntries("ingress-gateway"),
    state.configEntries("terminating-gateway"),
    state.services(),
  ];
  const links: GatewayLink[] = [];
  const link = (gateway: string, { Name = "", Hosts }: NamedService, port: number): void => {
    const names =
      Name === "*" ? [...services.value.keys()].filter((name) => name !== "consul" && name !== gateway) : [Name];
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
    const rows =
      services.size === 0
        ? []
        : all.value.filter(({ DestinationName }) => DestinationName === "*" || services.has(DestinationName));
    return joined(rows, links, all);
  },
  key: (gateway) => keyOf("ui.gateway-intentions", gateway),
};

export interface TopologyService extends ServiceSummary {
  Source: string;
  Intention: {
    DefaultAllow: boolean;
    Allowed: boolean;
    HasPermissions: boolean;
    ExternalSource: string;
    HasExact: boolean;
  };
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
      Protocol:
        ((defaults.value?.["Protocol"] as string | undefined) || (config["protocol"] as string | undefined)) ?? "tcp",
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
