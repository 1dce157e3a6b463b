// What is asked for when a service or a check is registered with the agent, and what becomes of it: ids, names and
// addresses filled in as Consul does. Pure. https://developer.hashicorp.com/consul/api-docs/agent/service
import { checkSpec } from "../check/definition.ts";
import type { CheckSpec } from "../check/spec.ts";
import type { CheckDefinition } from "../config/check-definition.ts";
import { proxyRecord } from "../config/proxy-definition.ts";
import { type ServiceDefinition, serviceChecks } from "../config/service-definition.ts";
import type { CheckStatus, HealthCheck, NodeService, ServiceAddress, UserMap } from "../types/records.ts";
import { parseIp } from "../util/ip-address.ts";
import { toUserMap, userMap } from "../util/user-map.ts";

/** Where a definition came from: a configuration file (`local`) or the API (`remote`). */
export type Source = "local" | "remote";

/** A check as it is asked for, its id and name settled. */
export interface CheckRegistration {
  id: string;
  name: string;
  notes: string;
  /** The service it belongs to; "" for the node's. */
  serviceId: string;
  /** What it shows until its first result; "" is critical. */
  status: CheckStatus | "";
  /** As they are shown: Go durations, or "". */
  interval: string;
  timeout: string;
  spec: CheckSpec;
}

/** A service with its checks as they are asked for. */
export interface ServiceRegistration {
  service: NodeService;
  checks: readonly CheckRegistration[];
  token: string;
  source: Source;
  /** Removes the service's checks that are not among `checks`. */
  replaceExistingChecks: boolean;
  /** It was asked for by the service beside which it stands, and goes with it. */
  isSidecar?: boolean;
}

/** The definition of a service as what is registered. `token` counts where the definition has none. */
export function serviceRegistration(
  definition: ServiceDefinition,
  source: Source,
  token = "",
  replaceExistingChecks = false,
): ServiceRegistration {
  const { ports, locality, connect } = definition;
  const Connect = userMap<unknown>();
  if (connect !== null && connect.native) Connect["Native"] = true;
  const service: NodeService = {
    Node: "",
    Kind: definition.kind,
    ID: definition.id,
    Service: definition.name,
    Tags: definition.tags,
    Address: definition.address,
    TaggedAddresses: definition.taggedAddresses,
    Meta: definition.meta,
    // What asks for one port gets the default one of several.
    Port: ports.find(({ Default }) => Default)?.Port ?? definition.port,
    Ports: ports.length === 0 ? null : ports,
    SocketPath: definition.socketPath,
    Weights: definition.weights,
    EnableTagOverride: definition.enableTagOverride,
    Proxy: proxyRecord(definition.proxy),
    Connect,
    Locality: locality === null ? null : toUserMap(Object.entries({ Region: locality.region, Zone: locality.zone })),
    PeerName: "",
    CreateIndex: 0,
    ModifyIndex: 0,
  };
  const checks = serviceChecks(definition).map(({ id, name, check }) => ({
    ...checkRegistration(check),
    id,
    name,
    serviceId: definition.id,
    interval: check.interval,
    timeout: check.timeout,
  }));
  return { service, checks, token: definition.token || token, source, replaceExistingChecks };
}

/** The definition of a node's check, or of one that names its service, as what is registered. */
export function checkRegistration(definition: CheckDefinition): CheckRegistration {
  const { id, name, notes, serviceId, status } = definition;
  return {
    id: id === "" ? name : id,
    name,
    notes,
    serviceId,
    status,
    // Consul shows "0s" here, and "" for the checks that come with a service.
    interval: definition.interval || "0s",
    timeout: definition.timeout || "0s",
    spec: checkSpec(definition),
  };
}

/** A record that says nothing yet, of the node or of a service on it. */
export function emptyCheck(nodeName: string, service: NodeService | null): HealthCheck {
  return {
    Node: nodeName,
    CheckID: "",
    Name: "",
    Status: "critical",
    Notes: "",
    Output: "",
    ServiceID: service?.ID ?? "",
    ServiceName: service?.Service ?? "",
    ServiceTags: service === null ? [] : [...service.Tags],
    Type: "",
    Interval: "",
    Timeout: "",
    ExposedPort: 0,
    Definition: userMap<unknown>(),
    CreateIndex: 0,
    ModifyIndex: 0,
  };
}

/** The record of a service, of this node and with what Consul fills in: the id, the tagged addresses of its own address. */
export function completeService(given: NodeService, nodeName: string): NodeService {
  const ID = given.ID === "" ? given.Service : given.ID;
  const TaggedAddresses = withOwnAddress(given);
  return { ...given, Node: nodeName, ID, TaggedAddresses, CreateIndex: 0, ModifyIndex: 0 };
}

/** Adds the tagged addresses that Consul derives from a service's own address; null when there are none at all. */
function withOwnAddress(service: NodeService): UserMap<ServiceAddress> | null {
  const given = Object.entries(service.TaggedAddresses ?? {});
  const family = parseIp(service.Address)?.family;
  if (family === undefined) return given.length === 0 ? null : toUserMap(given);
  const addresses = toUserMap(given);
  const own: ServiceAddress = { Address: service.Address, Port: service.Port };
  addresses[`lan_ipv${family}`] ??= own;
  addresses[`wan_ipv${family}`] ??= { ...own };
  return addresses;
}

/** The id of a service's sidecar. */
export function sidecarId(serviceId: string): string {
  return `${serviceId}-sidecar-proxy`;
}

/** As Go's %q writes plain names. */
export function quoted(text: string): string {
  return JSON.stringify(text);
}
