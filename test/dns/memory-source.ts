// A small catalog for the tests of DNS: registrations in Consul's form, look-ups as the agent gives them.

import { canonicalAddress } from "../../src/dns/address.ts";
import type {
  AddressedServiceResult,
  Awaitable,
  DnsInstance,
  DnsSource,
  InstancesLookup,
  InstancesResult,
  NodeResult,
  PreparedQueryResult,
  Transport,
  VirtualAddressResult,
} from "../../src/dns/source.ts";
import { OperationalError } from "../../src/types/error.ts";
import type { HealthCheck, Node, NodeService } from "../../src/types/records.ts";

/** The fields of /v1/catalog/register that the tests use. */
export interface Registration {
  Node: string;
  Address: string;
  Datacenter?: string;
  TaggedAddresses?: Record<string, string>;
  NodeMeta?: Record<string, string>;
  Service?: Partial<NodeService> & { Service: string };
  Check?: Partial<HealthCheck> & { CheckID: string };
}

interface StoredQuery {
  Name: string;
  Service: string;
  ttlSeconds: number | null;
  ordered: boolean;
}

const indexed = { CreateIndex: 1, ModifyIndex: 1 };

export class MemorySource implements DnsSource {
  readonly nodes: Map<string, Node> = new Map<string, Node>();
  readonly services: NodeService[] = [];
  readonly checks: HealthCheck[] = [];
  readonly queries: Map<string, StoredQuery> = new Map<string, StoredQuery>();
  readonly virtualAddresses: Map<string, string> = new Map<string, string>();
  readonly datacenters: Set<string> = new Set(["dc1"]);
  /** Counts every change. */
  version = 1;
  /** How often anything was looked up. */
  lookups = 0;
  /** Answers look-ups by promises, as for another datacenter. */
  later = false;
  /** Lets results be kept until the next change. */
  keep = true;
  /** Thrown by every look-up. */
  failure: Error | null = null;
  /** The address that the last prepared query was run for. */
  queriedFrom = "";
  recurse?: (packet: Uint8Array, transport: Transport, recursor: string, timeoutMs: number) => Promise<Uint8Array>;

  register(body: Registration): this {
    this.version += 1;
    const Datacenter = body.Datacenter ?? "dc1";
    this.nodes.set(body.Node.toLowerCase(), {
      ID: "",
      Node: body.Node,
      Address: body.Address,
      Datacenter,
      TaggedAddresses: body.TaggedAddresses ?? null,
      Meta: body.NodeMeta ?? null,
      ...indexed,
    });
    if (body.Service) {
      const service = serviceOf(body.Node, body.Service);
      replace(this.services, service, (a) => a.Node === service.Node && a.ID === service.ID);
    }
    if (body.Check) {
      const check = checkOf(body.Node, body.Check);
      const instance = this.services.find((one) => one.Node === body.Node && one.ID === check.ServiceID);
      if (instance) check.ServiceName = instance.Service;
      replace(this.checks, check, (a) => a.Node === check.Node && a.CheckID === check.CheckID);
    }
    return this;
  }

  query(stored: Partial<StoredQuery> & { Name: string; Service: string }): this {
    this.version += 1;
    this.queries.set(stored.Name, { ttlSeconds: null, ordered: false, ...stored });
    return this;
  }

  serviceInstances(lookup: InstancesLookup): Awaitable<InstancesResult> {
    return this.#found(lookup.datacenter, () => {
      if (lookup.kind !== "service") return { instances: [] };
      const tag = lookup.tag.toLowerCase();
      const hit = (service: NodeService): boolean =>
        service.Service.toLowerCase() === lookup.service &&
        (tag === "" || service.Tags.some((one) => one.toLowerCase() === tag));
      return { instances: this.services.filter(hit).map((service) => this.#instance(service)) };
    });
  }

  node(name: string, { datacenter }: { datacenter: string }): Awaitable<NodeResult> {
    return this.#found(datacenter, () => ({ node: this.nodes.get(name) ?? null }));
  }

  nodeByAddress(address: string): Awaitable<NodeResult> {
    return this.#found("dc1", () => {
      const byName = [...this.nodes.values()].sort((a, b) => (a.Node < b.Node ? -1 : 1));
      return { node: byName.find((node) => canonicalAddress(node.Address) === address) ?? null };
    });
  }

  serviceByAddress(address: string): Awaitable<AddressedServiceResult> {
    return this.#found("dc1", () => {
      const found = this.services.find((service) => canonicalAddress(service.Address) === address);
      return { service: found ? { Name: found.Service, Datacenter: "dc1" } : null };
    });
  }

  virtualAddress(service: string): Awaitable<VirtualAddressResult> {
    return this.#found("dc1", () => ({ address: this.virtualAddresses.get(service) ?? "" }));
  }

  preparedQuery(
    name: string,
    { datacenter, from }: { datacenter: string; from: string },
  ): Awaitable<PreparedQueryResult | null> {
    this.queriedFrom = from;
    const stored = this.queries.get(name);
    if (stored === undefined) return null;
    return this.#found(datacenter, () => ({
      instances: this.services.filter((one) => one.Service === stored.Service).map((one) => this.#instance(one)),
      service: stored.Service,
      datacenter,
      ttlSeconds: stored.ttlSeconds,
      ordered: stored.ordered,
    }));
  }

  #instance(service: NodeService): DnsInstance {
    const checks = this.checks.filter(
      (check) => check.Node === service.Node && (check.ServiceID === "" || check.ServiceID === service.ID),
    );
    return { Node: this.nodes.get(service.Node.toLowerCase())!, Service: service, Checks: checks };
  }

  #found<T extends object>(datacenter: string, find: () => T): Awaitable<T & { isFresh?(): boolean }> {
    this.lookups += 1;
    const answer = (): T & { isFresh?(): boolean } => {
      if (this.failure) throw this.failure;
      if (datacenter !== "" && !this.datacenters.has(datacenter)) {
        throw new OperationalError("no-path-to-datacenter", "No path to datacenter");
      }
      const { version } = this;
      const result = find();
      return this.keep ? { ...result, isFresh: () => this.version === version } : result;
    };
    return this.later ? Promise.resolve().then(answer) : answer();
  }
}

function serviceOf(node: string, body: Partial<NodeService> & { Service: string }): NodeService {
  return {
    Kind: "",
    ID: body.Service,
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
    ...indexed,
    ...body,
    Node: node,
  };
}

function checkOf(node: string, body: Partial<HealthCheck> & { CheckID: string }): HealthCheck {
  return {
    Name: body.CheckID,
    Status: "critical",
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
    ...indexed,
    ...body,
    Node: node,
  };
}

function replace<T>(list: T[], item: T, same: (other: T) => boolean): void {
  const at = list.findIndex(same);
  if (at === -1) list.push(item);
  else list[at] = item;
}
