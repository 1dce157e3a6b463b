// The proxy that a service asks for beside itself (`connect.sidecar_service`): what its registration says, and Consul's
// defaults for the rest. It is registered and removed with its service.
// https://developer.hashicorp.com/consul/docs/reference/proxy/sidecar
import { type CheckDefinition, decodeCheckDefinition, type ServiceDefinition } from "../config/service-definition.ts";
import { type ProxyDefinition, proxyFields } from "../config/proxy-definition.ts";
import { OperationalError } from "../types/error.ts";
import { joinHostPort } from "../util/ip-address.ts";
import type { Random } from "../util/random.ts";
import { shuffled } from "../util/shuffle.ts";
import type { LocalState } from "./local-state.ts";
import { sidecarId } from "./registration.ts";

const LOCAL_ADDRESS = "127.0.0.1";

/** The ports that sidecars are given, both ends included (`ports.sidecar_min_port` and `sidecar_max_port`); 0 or less: none. */
export interface SidecarPortRange {
  sidecarMin: number;
  sidecarMax: number;
}

/** Picks the ports of the sidecars of one registration, or of one configuration. */
export class SidecarPorts {
  readonly #range: SidecarPortRange;
  readonly #random: Random;
  /** The ports of the agent's services and of what is being registered, by id. */
  readonly #ports = new Map<string, number>();

  constructor(local: Pick<LocalState, "services">, range: SidecarPortRange, random: Random) {
    this.#range = range;
    this.#random = random;
    for (const [id, { service }] of local.services) this.#ports.set(id, service.Port);
  }

  /** What is registered together with the sidecars has this port. */
  reserve(serviceId: string, port: number): void {
    this.#ports.set(serviceId, port);
  }

  /** The port that the sidecar has had, or a random one that no service has. @throws OperationalError `invalid-request` */
  pick(id: string): number {
    const { sidecarMin, sidecarMax } = this.#range;
    if (sidecarMin <= 0 || sidecarMax <= 0)
      throw invalid("no port provided for sidecar_service and auto-assignment disabled in config");
    const before = this.#ports.get(id) ?? 0;
    if (before >= sidecarMin && before <= sidecarMax) return before;
    const taken = new Set(this.#ports.values());
    const range = Array.from({ length: Math.max(0, sidecarMax - sidecarMin + 1) }, (_, at) => sidecarMin + at);
    const port = shuffled(range, this.#random).find((one) => !taken.has(one));
    if (port === undefined) {
      const configured = `[${sidecarMin}, ${sidecarMax}]`;
      throw invalid(`no port provided for sidecar_service and none left in the configured range ${configured}`);
    }
    this.#ports.set(id, port);
    return port;
  }
}

/**
 * The definition of a service's sidecar with all defaults; null when it asks for none.
 * @throws OperationalError `invalid-request` when there is no port for it.
 */
export function sidecarDefinition(service: ServiceDefinition, ports: SidecarPorts): ServiceDefinition | null {
  const given = service.connect?.sidecarService ?? null;
  if (given === null) return null;
  const id = sidecarId(service.id);
  const proxy = proxyOf(given.proxy ?? proxyFields(undefined, ""), service);
  const port = given.port > 0 || given.socketPath !== "" ? given.port : ports.pick(id);
  const address = given.address === "" ? service.address : given.address;
  return {
    ...given,
    kind: "connect-proxy",
    id,
    name: given.name === "" ? sidecarId(service.name) : given.name,
    tags: given.tags.length === 0 ? service.tags : given.tags,
    meta: Object.keys(given.meta).length === 0 ? service.meta : given.meta,
    address,
    port,
    token: given.token === "" ? service.token : given.token,
    locality: given.locality ?? service.locality,
    proxy,
    connect: null,
    checks:
      given.checks.length > 0 ? given.checks : defaultChecks(service.id, address || proxy.LocalServiceAddress, port),
  };
}

/** The proxy of a sidecar stands for its service and reaches it on this machine. */
function proxyOf(given: ProxyDefinition, service: ServiceDefinition): ProxyDefinition {
  const isSocket = given.LocalServiceSocketPath !== "";
  return {
    ...given,
    DestinationServiceName: given.DestinationServiceName === "" ? service.name : given.DestinationServiceName,
    DestinationServiceID: given.DestinationServiceID === "" ? service.id : given.DestinationServiceID,
    LocalServiceAddress: isSocket || given.LocalServiceAddress !== "" ? given.LocalServiceAddress : LOCAL_ADDRESS,
    LocalServicePort: isSocket || given.LocalServicePort > 0 ? given.LocalServicePort : service.port,
  };
}

/** That the sidecar listens, and that its service is well. */
function defaultChecks(serviceId: string, address: string, port: number): CheckDefinition[] {
  const listening = { Name: "Connect Sidecar Listening", TCP: joinHostPort(address, port), Interval: "10s" };
  const aliasing = { Name: `Connect Sidecar Aliasing ${serviceId}`, AliasService: serviceId };
  // Ids are given by number, as to all checks of a service.
  return [listening, aliasing].map((check) => ({ ...decodeCheckDefinition(check, { source: "http" }), id: "" }));
}

const invalid = (why: string): OperationalError =>
  new OperationalError("invalid-request", `Invalid SidecarService: ${why}`);
