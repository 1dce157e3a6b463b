// Services as a web page lists them: instances gathered by service, their checks counted.
import type { InstanceHealth, Read } from "../state/read.ts";
import type { StateStore } from "../state/store.ts";
import type { HealthCheck, NodeService } from "../types/records.ts";

/** One read made of several: it is as new as the newest of them. */
export function joined<T>(value: T, ...reads: readonly Read<unknown>[]): Read<T> {
  return {
    value,
    index: Math.max(...reads.map(({ index }) => index)),
    topics: [...new Set(reads.flatMap(({ topics }) => topics))],
  };
}

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
export const summaryShape = ({
  Kind,
  Tags,
  Nodes,
  ExternalSources,
  ...rest
}: ServiceSummary): Record<string, unknown> => ({
  ...(Kind === "" ? {} : { Kind }),
  Tags: Tags.length === 0 ? null : Tags,
  Nodes: Nodes.length === 0 ? null : Nodes,
  ExternalSources: ExternalSources.length === 0 ? null : ExternalSources,
  ...rest,
});

/** The mark by which whoever registers services for another system names that system. */
const EXTERNAL_SOURCE = "external-source";

/** Gathers instances into services. */
export class Summaries {
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
export function proxied({ Kind, Proxy: proxy }: NodeService): string {
  const target = proxy["DestinationServiceName"];
  return Kind === "connect-proxy" && typeof target === "string" ? target : "";
}

/** Every instance of every service with its checks. */
export function allInstances(state: StateStore): Read<InstanceHealth[]> {
  const [services, checks] = [state.services(), state.checksInState("any")];
  const value = [...services.value.keys()].flatMap((name) => state.healthService(name).value);
  return joined(value, services, state.serviceInstances(), checks);
}
