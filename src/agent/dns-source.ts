// What DNS asks of the agent, answered through the one door of requests, with the agent's own settings for DNS.
import type { AgentConfig } from "../config/agent-config.ts";
import type { DnsConfig } from "../dns/config.ts";
import { recursorAddress } from "../dns/config.ts";
import type { DnsSource, InstancesResult, PreparedQueryResult } from "../dns/source.ts";
import { catalogNode, catalogNodeByAddress, catalogServiceByAddress } from "../endpoint/catalog.ts";
import type { QueryEndpoint } from "../endpoint/endpoint.ts";
import { healthService } from "../endpoint/health.ts";
import type { QueryExecution } from "../endpoint/query.ts";
import type { Platform } from "../platform.ts";
import type { Answer, QueryOptions } from "../rpc/authority.ts";
import type { Route } from "../rpc/route.ts";
import { OperationalError } from "../types/error.ts";
import { nsPerMs, parseDuration } from "../util/duration.ts";
import { executeQuery } from "./prepared-queries.ts";

const MS_PER_SECOND = 1000;
const NO_INSTANCES: InstancesResult = { instances: [] };

/** The settings of `dns_config` as the DNS interface takes them. */
export function dnsConfig({ dns, recursors, translateWanAddrs }: AgentConfig): DnsConfig {
  const seconds = (ms: number): number => Math.floor(ms / MS_PER_SECOND);
  return {
    nodeTtlSeconds: seconds(dns.nodeTtlMs),
    serviceTtlSeconds: new Map(Object.entries(dns.serviceTtlMs).map(([name, ms]) => [name, seconds(ms)])),
    onlyPassing: dns.onlyPassing,
    enableTruncate: dns.enableTruncate,
    udpAnswerLimit: dns.udpAnswerLimit,
    aRecordLimit: dns.aRecordLimit,
    disableCompression: dns.disableCompression,
    nodeMetaTxt: dns.nodeMetaTxt,
    soa: {
      refreshSeconds: dns.soa.refresh,
      retrySeconds: dns.soa.retry,
      expireSeconds: dns.soa.expire,
      minimumTtlSeconds: dns.soa.minTtl,
    },
    recursors: recursors.map(recursorAddress),
    recursorStrategy: dns.recursorStrategy,
    recursorTimeoutMs: dns.recursorTimeoutMs,
    translateWanAddresses: translateWanAddrs,
  };
}

/** DNS reads are stale reads where the operator allows them, which is the default (Consul: dns_config.allow_stale). */
export function dnsQueryOptions({ dns: { allowStale, maxStaleMs } }: AgentConfig): QueryOptions {
  const now = { index: 0, waitMs: 0 };
  return allowStale ? { consistency: "stale", maxStaleMs, ...now } : { consistency: "default", ...now };
}

/**
 * @param nodeName the node that asks, for prepared queries that sort by distance from it.
 * @param options how to read, as it is configured now.
 */
export function dnsSource(
  route: Route,
  platform: Pick<Platform, "dns">,
  nodeName: string,
  options: () => QueryOptions,
): DnsSource {
  /** What a query gives, and whether it still would. */
  const ask = <A, R, T>(
    endpoint: QueryEndpoint<A, R>,
    args: A,
    datacenter: string,
    make: (value: R, isFresh: () => boolean) => T,
  ): T | Promise<T> => {
    const made = ({ shared }: Answer<R>): T => make(shared.read.value, () => shared.fresh && route.readable);
    const answer = route.query(endpoint, args, options(), datacenter);
    return answer instanceof Promise ? answer.then(made) : made(answer);
  };
  const { dns } = platform;
  return {
    serviceInstances({ kind, service, tag, datacenter, peer }) {
      // Nothing comes from peers, and no gateway fronts a service, in this build.
      if (peer !== "" || kind === "ingress") return NO_INSTANCES;
      const args = {
        service,
        tags: tag === "" ? [] : [tag],
        connect: kind === "connect",
        passing: false,
        nodeMeta: [],
        filter: "",
        near: "",
      };
      return ask(healthService, args, datacenter, (instances, isFresh) => ({ instances, isFresh }));
    },
    node(name, { datacenter, peer }) {
      if (peer !== "") return { node: null };
      return ask(catalogNode, name, datacenter, (node, isFresh) => ({
        // A node's ID finds it in the API, not here.
        node: node !== null && node.Node.toLowerCase() === name.toLowerCase() ? node : null,
        isFresh,
      }));
    },
    nodeByAddress: (address) => ask(catalogNodeByAddress, address, "", (node, isFresh) => ({ node, isFresh })),
    serviceByAddress: (address) =>
      ask(catalogServiceByAddress, address, "", (service, isFresh) => ({
        service: service === null ? null : { Name: service.Service, Datacenter: route.topology.datacenter },
        isFresh,
      })),
    virtualAddress: () => ({ address: "" }),
    preparedQuery(nameOrId, { datacenter }) {
      const where = datacenter === "" ? route.topology.datacenter : datacenter;
      const args = { idOrName: nameOrId, near: "", agent: nodeName, connect: false };
      const made = ({ shared }: Answer<QueryExecution>): PreparedQueryResult => {
        const { query, nodes, sorted, elsewhere } = shared.read.value;
        const ttl = query.DNS.TTL;
        return {
          instances: nodes,
          service: query.Service.Service,
          datacenter: elsewhere?.datacenter ?? where,
          ttlSeconds: ttl === "" ? null : Math.floor(parseDuration(ttl) / nsPerMs / MS_PER_SECOND),
          ordered: sorted,
          isFresh: () => shared.fresh && route.readable,
        };
      };
      const none = (error: unknown): null => {
        if (error instanceof OperationalError && error.code === "not-found") return null;
        throw error;
      };
      try {
        const answer = executeQuery(route, args, options(), datacenter);
        return answer instanceof Promise ? answer.then(made).catch(none) : made(answer);
      } catch (error) {
        return none(error);
      }
    },
    ...(dns === undefined
      ? {}
      : { recurse: (packet, transport, recursor, timeoutMs) => dns.recurse(packet, transport, recursor, timeoutMs) }),
  };
}
