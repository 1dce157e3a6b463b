// The agent that answers, its services and checks: https://developer.hashicorp.com/consul/api-docs/agent
import { parseJson } from "../util/json.ts";
import type { Read, ReadOptions, RequestOptions, Transport } from "./transport.ts";
import { segment } from "./transport.ts";
import type {
  AgentMember,
  AgentSelf,
  AgentService,
  AgentServiceHealth,
  CheckRegistration,
  CheckStatus,
  HealthCheck,
  ServiceRegistration,
  UserMap,
} from "./types.ts";

export interface AgentArea {
  self(options?: ReadOptions): Promise<Read<AgentSelf>>;
  host(options?: ReadOptions): Promise<Read<UserMap<unknown>>>;
  version(options?: ReadOptions): Promise<Read<UserMap>>;
  metrics(options?: ReadOptions): Promise<Read<UserMap<unknown>>>;
  members(options?: ReadOptions & { wan?: boolean; segment?: string }): Promise<Read<AgentMember[]>>;
  /** By service id. */
  services(options?: ReadOptions): Promise<Read<UserMap<AgentService>>>;
  /** Null when there is no such service. Blocks by `hash`, the `contentHash` of the answer before. */
  service(id: string, options?: ReadOptions & { hash?: string }): Promise<Read<AgentService | null>>;
  /** By check id. */
  checks(options?: ReadOptions): Promise<Read<UserMap<HealthCheck>>>;
  /** Health of one local service; null when there is none. */
  serviceHealth(id: string, options?: ReadOptions): Promise<AgentServiceHealth | null>;
  /** Health of all local services of a name; empty when there is none. */
  serviceHealthByName(name: string, options?: ReadOptions): Promise<AgentServiceHealth[]>;
  registerService(
    service: ServiceRegistration,
    options?: RequestOptions & { replaceExistingChecks?: boolean },
  ): Promise<void>;
  deregisterService(id: string, options?: RequestOptions): Promise<void>;
  serviceMaintenance(id: string, enable: boolean, reason?: string, options?: RequestOptions): Promise<void>;
  registerCheck(check: CheckRegistration, options?: RequestOptions): Promise<void>;
  deregisterCheck(id: string, options?: RequestOptions): Promise<void>;
  /** Sets a TTL check's status and starts its time anew. */
  updateCheck(id: string, status: CheckStatus, output?: string, options?: RequestOptions): Promise<void>;
  maintenance(enable: boolean, reason?: string, options?: RequestOptions): Promise<void>;
  join(address: string, options?: RequestOptions & { wan?: boolean }): Promise<void>;
  leave(options?: RequestOptions): Promise<void>;
  forceLeave(node: string, options?: RequestOptions & { prune?: boolean; wan?: boolean }): Promise<void>;
  reload(options?: RequestOptions): Promise<void>;
  /** `kind` is default, agent, agent_recovery, replication, config_file_service_registration or dns. */
  setToken(kind: string, token: string, options?: RequestOptions): Promise<void>;
  /** Log lines as they are written, until the signal is aborted. */
  monitor(options?: RequestOptions & { logLevel?: string; logJson?: boolean }): Promise<ReadableStream<Uint8Array>>;
}

export function agentArea(transport: Transport): AgentArea {
  const put = (
    path: string,
    options?: RequestOptions,
    query?: Record<string, string | boolean | undefined>,
  ): Promise<void> => transport.write("PUT", `agent/${path}`, options, query);
  const health = async <T>(path: string, options: ReadOptions | undefined, missing: T): Promise<T> => {
    // The status is the health: 429 is a warning, 503 critical.
    const outcomes = [404, 429, 503];
    const response = await transport.send({ method: "GET", path: `agent/health/service/${path}`, options, outcomes });
    const text = await response.text();
    return response.status === 404 ? missing : (parseJson(text) as T);
  };
  return {
    self: (options) => transport.read("agent/self", options),
    host: (options) => transport.read("agent/host", options),
    version: (options) => transport.read("agent/version", options),
    metrics: (options) => transport.read("agent/metrics", options),
    members: (options) => transport.read("agent/members", options, { wan: options?.wan, segment: options?.segment }),
    services: (options) => transport.read("agent/services", options),
    service: (id, options) =>
      transport.read(`agent/service/${segment(id)}`, options, { hash: options?.hash }, { value: null }),
    checks: (options) => transport.read("agent/checks", options),
    serviceHealth: (id, options) => health(`id/${segment(id)}`, options, null),
    serviceHealthByName: (name, options) => health(`name/${segment(name)}`, options, []),
    registerService: (service, { replaceExistingChecks, ...options } = {}) =>
      transport.write(
        "PUT",
        "agent/service/register",
        options,
        { "replace-existing-checks": replaceExistingChecks && "true" },
        service,
      ),
    deregisterService: (id, options) => put(`service/deregister/${segment(id)}`, options),
    serviceMaintenance: (id, enable, reason, options) =>
      put(`service/maintenance/${segment(id)}`, options, { enable: String(enable), reason }),
    registerCheck: (check, options) => transport.write("PUT", "agent/check/register", options, {}, check),
    deregisterCheck: (id, options) => put(`check/deregister/${segment(id)}`, options),
    updateCheck: (id, status, output = "", options) =>
      transport.write("PUT", `agent/check/update/${segment(id)}`, options, {}, { Status: status, Output: output }),
    maintenance: (enable, reason, options) => put("maintenance", options, { enable: String(enable), reason }),
    join: (address, { wan, ...options } = {}) => put(`join/${segment(address)}`, options, { wan: wan && "1" }),
    leave: (options) => put("leave", options),
    forceLeave: (node, { prune, wan, ...options } = {}) =>
      put(`force-leave/${segment(node)}`, options, { prune: prune && "1", wan: wan && "1" }),
    reload: (options) => put("reload", options),
    setToken: (kind, token, options) =>
      transport.write("PUT", `agent/token/${segment(kind)}`, options, {}, { Token: token }),
    async monitor({ logLevel, logJson, ...options } = {}) {
      const query = { loglevel: logLevel, logjson: logJson };
      const response = await transport.send({ method: "GET", path: "agent/monitor", query, options });
      return response.body ?? new ReadableStream();
    },
  };
}
