// How the agent's API shows its local services and checks: `/v1/agent/services`, `/service/:id`, `/checks` and
// `/health/service/*`. The records stay; these are shapes made of them for one answer.
import { sha256 } from "@noble/hashes/sha2.js";
import { type AggregateStatus, aggregateStatus } from "../check/status.ts";
import type { HealthCheck, NodeService, ServiceAddress, ServicePort, UserMap, Weights } from "../types/records.ts";
import { hex, utf8 } from "../util/bytes.ts";
import { stringifyJson } from "../util/json.ts";
import { userMap } from "../util/user-map.ts";
import type { LocalState } from "./local-state.ts";

/** A service as the agent's own endpoints show it: without indexes, and what is empty left out. */
export interface AgentService {
  Kind?: string;
  ID: string;
  Service: string;
  Tags: string[];
  Meta: UserMap;
  Port: number;
  Ports?: ServicePort[];
  Address: string;
  SocketPath?: string;
  TaggedAddresses?: UserMap<ServiceAddress>;
  Weights: Weights;
  EnableTagOverride: boolean;
  ContentHash?: string;
  Proxy?: UserMap<unknown>;
  Connect?: { Native: true };
  Datacenter: string;
  Locality?: UserMap;
}

/** The kinds whose Proxy settings are shown. */
const proxyKinds = new Set(["connect-proxy", "mesh-gateway", "terminating-gateway", "ingress-gateway", "api-gateway"]);

/** A service as the agent's own endpoints show it. */
function agentService(service: NodeService, datacenter: string): AgentService {
  const { Kind, Ports, SocketPath, TaggedAddresses, Locality } = service;
  const shown: AgentService = {
    ...(Kind === "" ? null : { Kind }),
    ID: service.ID,
    Service: service.Service,
    Tags: service.Tags,
    Meta: service.Meta ?? userMap<string>(),
    Port: service.Port,
    ...(Ports === null || Ports.length === 0 ? null : { Ports }),
    Address: service.Address,
    ...(SocketPath === "" ? null : { SocketPath }),
    ...(TaggedAddresses === null || Object.keys(TaggedAddresses).length === 0 ? null : { TaggedAddresses }),
    Weights: { Passing: service.Weights.Passing > 0 ? service.Weights.Passing : 1, Warning: service.Weights.Warning },
    EnableTagOverride: service.EnableTagOverride,
    ...(proxyKinds.has(Kind) ? { Proxy: service.Proxy } : null),
    ...(service.Connect["Native"] === true ? { Connect: { Native: true as const } } : null),
    Datacenter: datacenter,
    ...(Locality === null ? null : { Locality }),
  };
  return shown;
}

/** The service with the hash of its content, by which `?hash=` waits for it to change: 16 hexadecimal digits. */
export function hashedAgentService(service: NodeService, datacenter: string): AgentService & { ContentHash: string } {
  const shown = agentService(service, datacenter);
  const hash = hex(sha256(utf8(stringifyJson(shown))).subarray(0, 8));
  return { ...shown, ContentHash: hash };
}

/** `/v1/agent/services`: by id, sorted as Go writes maps. */
export function agentServices(local: LocalState, datacenter: string): UserMap<AgentService> {
  const shown = userMap<AgentService>();
  for (const id of [...local.services.keys()].sort()) {
    const record = local.services.get(id);
    if (record !== undefined) shown[id] = agentService(record.service, datacenter);
  }
  return shown;
}

/** `/v1/agent/checks`: the records themselves, by id, sorted as Go writes maps. */
export function agentChecks(local: LocalState): UserMap<HealthCheck> {
  const shown = userMap<HealthCheck>();
  for (const id of [...local.checks.keys()].sort()) {
    const record = local.checks.get(id);
    if (record !== undefined) shown[id] = record.check;
  }
  return shown;
}

/** A check as the health endpoints of the agent show it: less than is known of it, as Consul has it. */
export type AgentHealthCheck = Pick<
  HealthCheck,
  | "Node"
  | "CheckID"
  | "Name"
  | "Status"
  | "Notes"
  | "Output"
  | "ServiceID"
  | "ServiceName"
  | "Type"
  | "ExposedPort"
  | "Definition"
  | "CreateIndex"
  | "ModifyIndex"
> & { ServiceTags: string[] | null };

/** A service with what its checks and the node's come to. */
export interface ServiceHealth {
  AggregatedStatus: AggregateStatus;
  Checks: AgentHealthCheck[];
  Service: AgentService;
}

/** The health of one local service: its own checks and the node's. Null when there is no such service. */
export function serviceHealth(local: LocalState, serviceId: string, datacenter: string): ServiceHealth | null {
  const record = local.services.get(serviceId);
  if (record === undefined) return null;
  const checks = [...local.checksOf(serviceId), ...local.checksOf("")].map(({ check }) => check);
  return {
    AggregatedStatus: aggregateStatus(checks),
    Checks: checks.map(agentHealthCheck),
    Service: agentService(record.service, datacenter),
  };
}

/** The health of every local instance of a service, by its name, in the order of their ids. */
export function serviceHealthByName(local: LocalState, name: string, datacenter: string): ServiceHealth[] {
  const ids: string[] = [];
  for (const [id, { service }] of local.services) if (service.Service === name) ids.push(id);
  return ids.sort().map((id) => serviceHealth(local, id, datacenter) as ServiceHealth);
}

/** The status code that says it: 200 passing, 429 warning, 503 critical and maintenance. */
export function healthStatusCode(status: AggregateStatus): number {
  return status === "passing" ? 200 : status === "warning" ? 429 : 503;
}

/** The worst of several instances. There must be one at least. */
export function worstHealth(healths: readonly ServiceHealth[]): AggregateStatus {
  let worst: AggregateStatus = "passing";
  for (const { AggregatedStatus } of healths) {
    if (healthStatusCode(AggregatedStatus) > healthStatusCode(worst)) worst = AggregatedStatus;
  }
  return worst;
}

function agentHealthCheck(check: HealthCheck): AgentHealthCheck {
  return {
    Node: check.Node,
    CheckID: check.CheckID,
    Name: check.Name,
    Status: check.Status,
    Notes: check.Notes,
    Output: check.Output,
    ServiceID: check.ServiceID,
    ServiceName: check.ServiceName,
    ServiceTags: check.ServiceTags.length === 0 ? null : check.ServiceTags,
    Type: "",
    Definition: emptyDefinition(),
    ExposedPort: 0,
    CreateIndex: 0,
    ModifyIndex: 0,
  };
}

/** Consul shows a definition here, all of it zero. */
function emptyDefinition(): UserMap<unknown> {
  return {
    HTTP: "",
    Header: null,
    Method: "",
    Body: "",
    TLSServerName: "",
    TLSSkipVerify: false,
    TCP: "",
    TCPUseTLS: false,
    UDP: "",
    GRPC: "",
    OSService: "",
    GRPCUseTLS: false,
    Interval: "0s",
    Timeout: "0s",
    DeregisterCriticalServiceAfter: "0s",
  };
}
