// The agent that answers, as its operator sees it: https://developer.hashicorp.com/consul/api-docs/agent
import { parseJson } from "./json.ts";
import type { Read, ReadOptions, RequestOptions, Transport } from "./transport.ts";
import { segment } from "./transport.ts";
import type { AgentMember, AgentServiceHealth, UserMap } from "./types.ts";

/** What only an operator asks of an agent. */
export interface AgentAdminArea {
  /** Health of one local service; null when there is none. */
  serviceHealth(id: string, options?: ReadOptions): Promise<AgentServiceHealth | null>;
  /** Health of all local services of a name; empty when there is none. */
  serviceHealthByName(name: string, options?: ReadOptions): Promise<AgentServiceHealth[]>;
  host(options?: ReadOptions): Promise<Read<UserMap<unknown>>>;
  version(options?: ReadOptions): Promise<Read<UserMap>>;
  metrics(options?: ReadOptions): Promise<Read<UserMap<unknown>>>;
  members(options?: ReadOptions & { wan?: boolean; segment?: string }): Promise<Read<AgentMember[]>>;
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

/** The area's methods on a transport. */
export function agentAdminArea(transport: Transport): AgentAdminArea {
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
    serviceHealth: (id, options) => health(`id/${segment(id)}`, options, null),
    serviceHealthByName: (name, options) => health(`name/${segment(name)}`, options, []),
    host: (options) => transport.read("agent/host", options),
    version: (options) => transport.read("agent/version", options),
    metrics: (options) => transport.read("agent/metrics", options),
    members: (options) => transport.read("agent/members", options, { wan: options?.wan, segment: options?.segment }),
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
