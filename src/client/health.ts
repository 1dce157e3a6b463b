// Checks, and services by their health: https://developer.hashicorp.com/consul/api-docs/health
import type { Read, ReadOptions, Transport } from "./transport.ts";
import { segment } from "./transport.ts";
import type { CheckStatus, HealthCheck, ServiceEntry } from "./types.ts";

export interface HealthArea {
  /** Checks of a node and of its services. */
  node(node: string, options?: ReadOptions): Promise<Read<HealthCheck[]>>;
  /** Checks of a service's instances. */
  checks(service: string, options?: ReadOptions): Promise<Read<HealthCheck[]>>;
  /** Instances with their nodes and checks; `passing`: only those whose checks all pass. */
  service(
    service: string,
    options?: ReadOptions & { passing?: boolean; tag?: string | readonly string[] },
  ): Promise<Read<ServiceEntry[]>>;
  state(state: CheckStatus | "any", options?: ReadOptions): Promise<Read<HealthCheck[]>>;
}

export function healthArea(transport: Transport): HealthArea {
  return {
    node: (node, options) => transport.read(`health/node/${segment(node)}`, options),
    checks: (service, options) => transport.read(`health/checks/${segment(service)}`, options),
    service: (service, options) =>
      transport.read(`health/service/${segment(service)}`, options, { passing: options?.passing, tag: options?.tag }),
    state: (state, options) => transport.read(`health/state/${state}`, options),
  };
}
