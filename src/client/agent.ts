// The services and checks of the agent that answers: https://developer.hashicorp.com/consul/api-docs/agent
import type { Read, ReadOptions, RequestOptions, Transport } from "./transport.ts";
import { segment } from "./transport.ts";
import type {
  AgentSelf,
  AgentService,
  CheckRegistration,
  CheckStatus,
  HealthCheck,
  ServiceRegistration,
  UserMap,
} from "./types.ts";

/** What a service beside an agent asks of it. */
export interface AgentArea {
  self(options?: ReadOptions): Promise<Read<AgentSelf>>;
  /** By service id. */
  services(options?: ReadOptions): Promise<Read<UserMap<AgentService>>>;
  /** Null when there is no such service. Blocks by `hash`, the `contentHash` of the answer before. */
  service(id: string, options?: ReadOptions & { hash?: string }): Promise<Read<AgentService | null>>;
  /** By check id. */
  checks(options?: ReadOptions): Promise<Read<UserMap<HealthCheck>>>;
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
}

/** The area's methods on a transport. */
export function agentArea(transport: Transport): AgentArea {
  const put = (
    path: string,
    options?: RequestOptions,
    query?: Record<string, string | boolean | undefined>,
  ): Promise<void> => transport.write("PUT", `agent/${path}`, options, query);
  return {
    self: (options) => transport.read("agent/self", options),
    services: (options) => transport.read("agent/services", options),
    service: (id, options) =>
      transport.read(`agent/service/${segment(id)}`, options, { hash: options?.hash }, { value: null }),
    checks: (options) => transport.read("agent/checks", options),
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
  };
}
