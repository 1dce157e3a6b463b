// Definitions of services, as files, `services register` and `PUT /v1/agent/service/register` give them: one record for
// all, with Consul's rules and words. https://developer.hashicorp.com/consul/docs/reference/service
import { quote } from "../util/quote.ts";
import { bool, type Decoded, int, list, map, nullable, object, optional, raw, string } from "../util/decode.ts";
import { isUnspecified, parseIp } from "../util/ip-address.ts";
import { utf8 } from "../util/bytes.ts";
import { OperationalError } from "../types/error.ts";
import type { ServiceAddress, ServicePort, UserMap, Weights } from "../types/records.ts";
import { type CheckDefinition, checkFault, checkFields, isCheckStatus } from "./check-definition.ts";
import {
  blocks,
  decodeDefinition,
  type DefinitionOptions,
  faultList,
  invalid,
  strictFields,
} from "./definition-decoder.ts";
import { serviceMetadataFault } from "./metadata.ts";
import {
  gatewayProxyFaults,
  type ProxyDefinition,
  proxyFaults,
  proxyFields,
  proxyModeFaults,
} from "./proxy-definition.ts";

export { type CheckDefinition, decodeCheckDefinition } from "./check-definition.ts";
export type { DefinitionOptions } from "./definition-decoder.ts";

/** A service as it was defined. Absent texts are "", absent numbers 0. */
export interface ServiceDefinition {
  /** "" for an ordinary service; `connect-proxy`, `mesh-gateway` and so on. */
  kind: string;
  /** The name when no id was given. */
  id: string;
  name: string;
  tags: string[];
  address: string;
  taggedAddresses: UserMap<ServiceAddress> | null;
  meta: UserMap;
  port: number;
  ports: ServicePort[];
  socketPath: string;
  weights: Weights;
  token: string;
  enableTagOverride: boolean;
  locality: { region: string; zone: string } | null;
  proxy: ProxyDefinition | null;
  connect: ServiceConnect | null;
  /** In the order in which they are numbered. */
  checks: CheckDefinition[];
}

export interface ServiceConnect {
  /** The service speaks mutual TLS itself. */
  native: boolean;
  /** A proxy to register beside the service; its id and name may be "": the agent derives them. */
  sidecarService: ServiceDefinition | null;
}

const address = object({ Address: string, Port: int }, strictFields);
const port = object({ Name: string, Port: int, Default: bool }, strictFields);
const fields = object(
  {
    Kind: string,
    ID: string,
    Name: string,
    Tags: list(string),
    Address: string,
    TaggedAddresses: nullable(map(address)),
    Meta: map(string),
    Port: optional(int),
    Ports: blocks(port),
    SocketPath: string,
    Check: optional(checkFields),
    Checks: blocks(checkFields),
    Weights: nullable(object({ Passing: optional(int), Warning: optional(int) }, strictFields)),
    Token: string,
    EnableTagOverride: bool,
    Locality: nullable(object({ Region: string, Zone: string }, strictFields)),
    Proxy: nullable(proxyFields),
    Connect: nullable(object({ Native: bool, SidecarService: raw, PeerMeta: raw }, strictFields)),
  },
  strictFields,
);

/** The kinds that mean something; in a file any other is an ordinary service. */
const kinds = new Set(["connect-proxy", "mesh-gateway", "terminating-gateway", "ingress-gateway", "api-gateway"]);

/**
 * The definition of a service: the body of `PUT /v1/agent/service/register`, or a member of `services` in a file.
 * @throws OperationalError `invalid-request` (or `refused`, where Consul answers 500) with Consul's texts.
 */
export function decodeServiceDefinition(raw: unknown, options: DefinitionOptions): ServiceDefinition {
  const service = definitionOf(raw, options, 0);
  if (service.name === "") throw invalid("Missing service name");
  const ip = parseIp(service.address.replace(/^\[(.*)\]$/, "$1"));
  if (options.source === "http" && ip !== null && isUnspecified(ip)) throw invalid("Invalid service address");
  judge(service, options);
  const fault = taggedAddressFault(service);
  if (fault !== null) throw new OperationalError("refused", fault);
  return service;
}

function definitionOf(raw: unknown, options: DefinitionOptions, depth: number): ServiceDefinition {
  const given = decodeDefinition(fields, raw, options);
  const fromFile = options.source === "file";
  if (fromFile && given.SocketPath !== "" && (given.Port !== undefined || given.Address !== "")) {
    throw invalid(`cannot have both socket path ${given.SocketPath} and address/port`);
  }
  let connect: ServiceConnect | null = null;
  if (given.Connect !== null) {
    const nested = given.Connect.SidecarService ?? null;
    connect = { native: given.Connect.Native, sidecarService: null };
    if (nested !== null) {
      if (depth > 0) throw nestedSidecar(fromFile);
      connect.sidecarService = definitionOf(nested, options, depth + 1);
      if (connect.sidecarService.id !== "") {
        throw fromFile
          ? invalid("sidecar_service can't specify an ID")
          : validationFailed(["A SidecarService cannot specify an ID as this is managed by the agent"]);
      }
    }
  }
  return {
    kind: fromFile && !kinds.has(given.Kind) ? "" : given.Kind,
    id: given.ID === "" && depth === 0 ? given.Name : given.ID,
    name: given.Name,
    tags: given.Tags,
    address: given.Address,
    taggedAddresses: given.TaggedAddresses,
    meta: given.Meta,
    port: given.Port ?? 0,
    ports: given.Ports,
    socketPath: given.SocketPath,
    weights: weightsOf(given.Weights, fromFile),
    token: given.Token,
    enableTagOverride: given.EnableTagOverride,
    locality: given.Locality === null ? null : { region: given.Locality.Region, zone: given.Locality.Zone },
    proxy: given.Proxy,
    connect,
    checks: checksOf(given, raw, fromFile),
  };
}

function nestedSidecar(fromFile: boolean): OperationalError {
  return fromFile
    ? invalid("sidecar_service can't have a nested sidecar_service")
    : validationFailed(["A SidecarService cannot have a nested SidecarService"]);
}

function validationFailed(faults: readonly string[]): OperationalError {
  return invalid(`Validation failed: ${faultList(faults)}`);
}

/** A field of the weights that is left out is 1 in a file and 0 in a request; both together are 1 and 1. */
function weightsOf(
  given: { Passing: number | undefined; Warning: number | undefined } | null,
  fromFile: boolean,
): Weights {
  const absent = given === null || fromFile ? 1 : 0;
  return { Passing: given?.Passing ?? absent, Warning: given?.Warning ?? absent };
}

/** Files number the single `check` last, requests first; an empty one in a request is none. */
function checksOf(given: Decoded<typeof fields>, raw: unknown, fromFile: boolean): CheckDefinition[] {
  if (given.Check === undefined) return given.Checks;
  if (fromFile) return [...given.Checks, given.Check];
  return isEmptyCheck(raw) ? given.Checks : [given.Check, ...given.Checks];
}

/** True when the body's `Check` says nothing: every field of it is its zero value. */
function isEmptyCheck(raw: unknown): boolean {
  for (const [key, value] of Object.entries(raw as UserMap<unknown>)) {
    if (key.toLowerCase() !== "check") continue;
    return Object.values(value as UserMap<unknown>).every(
      (field) => !field || (typeof field === "object" && Object.keys(field).length === 0),
    );
  }
  return true;
}

/** Refuses what cannot be, in the order in which Consul looks. */
function judge(service: ServiceDefinition, options: DefinitionOptions): void {
  const fromFile = options.source === "file";
  const weights = weightsFault(service.weights);
  if (weights !== null)
    throw invalid(fromFile ? `Invalid weight definition: ${weights}` : `Invalid Weights: ${weights}`);
  const meta = serviceMetadataFault(service.kind, service.meta);
  if (meta !== null) throw invalid(fromFile ? `invalid meta: ${meta}` : `Invalid Service Meta: ${meta}`);
  const faults = serviceFaults(service);
  if (fromFile) faults.push(...proxyModeFaults(service.proxy));
  if (faults.length > 0) throw fromFile ? invalid(faults.join("; ")) : validationFailed(faults);
  judgeChecks(service.checks, fromFile ? null : "Invalid check: ");
  const sidecar = service.connect?.sidecarService ?? null;
  if (sidecar === null) return;
  if (service.ports.length > 0) throw invalid("MultiPort cannot be used with Consul Connect.");
  judgeChecks(sidecar.checks, fromFile ? null : "Invalid check in sidecar_service: ");
  const sidecarMeta = serviceMetadataFault(sidecar.kind, sidecar.meta);
  if (sidecarMeta !== null) throw invalid(`Invalid SidecarService: ${sidecarMeta}`);
}

/** With a null prefix the fault names the check, as for files. */
function judgeChecks(checks: readonly CheckDefinition[], prefix: string | null): void {
  for (const check of checks) {
    const fault = checkFault(check);
    if (fault !== null) throw invalid((prefix ?? `check ${quote(check.name)}: `) + fault);
  }
  for (const check of checks) {
    if (!isCheckStatus(check.status)) throw invalid("Status for checks must 'passing', 'warning', 'critical'");
  }
}

/** Why the weights are refused, in Consul's words; null when they are not. */
function weightsFault({ Passing, Warning }: Weights): string | null {
  if (Passing < 1) return "Passing must be greater than 0";
  if (Warning < 0) return "Warning must be greater or equal than 0";
  return Passing > 65_535 || Warning > 65_535 ? "DNS Weight must be between 0 and 65535" : null;
}

/** Why the ports of a multi-port service are refused, in Consul's words; null when they are not. */
function portsFault(ports: readonly ServicePort[]): string | null {
  const names = new Set<string>();
  let hasDefault = false;
  for (const { Name, Port, Default } of ports) {
    if (Name.trim() === "") return "Ports.Name cannot be empty";
    if (Port <= 0) return "Ports.Port must be greater than zero";
    if (names.has(Name)) return `Ports.Name ${quote(Name)} has to be unique`;
    names.add(Name);
    if (hasDefault && Default) return "Only one port can be marked as default";
    hasDefault ||= Default;
  }
  return ports.length === 0 || hasDefault ? null : "One of the Ports must be marked as Default";
}

function serviceFaults(service: ServiceDefinition): string[] {
  const { kind, port, ports, proxy, connect, socketPath } = service;
  const faults: string[] = [];
  const isProxy = kind === "connect-proxy";
  if (service.locality !== null && service.locality.region === "" && service.locality.zone !== "") {
    faults.push("zone cannot be set without region");
  }
  if (isProxy && ports.length > 0) faults.push(`Ports cannot be set for a ${kind}`);
  if (isProxy && port === 0 && socketPath === "") faults.push(`Port or SocketPath must be set for a ${kind}`);
  if (isProxy) faults.push(...proxyFaults(proxy));
  if (isProxy && connect?.native === true) {
    faults.push("A Proxy cannot also be Connect Native, only typical services");
  }
  if (kind.endsWith("-gateway") && kinds.has(kind)) {
    if (ports.length > 0) faults.push(`Ports cannot be set for a ${kind}`);
    const portless = kind === "ingress-gateway" || kind === "api-gateway";
    if (port === 0 && !portless) faults.push(`Port must be non-zero for a ${kind}`);
    if (connect !== null && connect.sidecarService !== null) {
      faults.push(`A ${kind} cannot have a sidecar service defined`);
    }
    faults.push(...gatewayProxyFaults(kind, proxy));
  }
  if (connect?.native === true && port === 0 && socketPath === "") {
    faults.push("Port or SocketPath must be set for a Connect native service.");
  }
  if (ports.length > 0 && port !== 0) faults.push("Cannot set both Port and Ports");
  const fault = portsFault(ports);
  if (fault !== null) faults.push(fault);
  return faults;
}

/** The well-known tagged addresses must be of the family they name. */
function taggedAddressFault({ taggedAddresses }: ServiceDefinition): string | null {
  for (const tag of ["lan_ipv4", "wan_ipv4", "lan_ipv6", "wan_ipv6"]) {
    const tagged = taggedAddresses?.[tag];
    const family = tag.endsWith("4") ? 4 : 6;
    if (tagged !== undefined && parseIp(tagged.Address)?.family !== family) {
      return `Service tagged address ${quote(tag)} must be a valid ipv${family} address`;
    }
  }
  return null;
}

/** A check of a service, with the id and the name that it has in the agent. */
export interface NamedCheck {
  id: string;
  name: string;
  check: CheckDefinition;
}

/** The checks of a service; those without an id are `service:<id>`, numbered from 1 when there are several. */
export function serviceChecks(service: ServiceDefinition): NamedCheck[] {
  return service.checks.map((check, index) => {
    const number = service.checks.length > 1 ? `:${index + 1}` : "";
    return {
      id: check.id === "" ? `service:${service.id}${number}` : check.id,
      name: check.name === "" ? `Service '${service.name}' check` : check.name,
      check,
    };
  });
}

const labelBytesMax = 63;

/** True when a name can be a label in DNS as Consul serves it. */
function isDnsLabel(name: string): boolean {
  return !/[^A-Za-z0-9\\-]/.test(name) && utf8(name).length <= labelBytesMax;
}

/** What DNS will not find of a service, a sentence each, for the log. */
export function dnsWarnings(service: ServiceDefinition): string[] {
  const warn = (what: string, name: string): string =>
    `${what} ${quote(name)} will not be discoverable via DNS: only letters, digits and dashes, up to 63 bytes, are`;
  const warnings: string[] = [];
  if (!isDnsLabel(service.name)) warnings.push(warn("Service name", service.name));
  for (const { Name } of service.ports) if (!isDnsLabel(Name)) warnings.push(warn("Service port name", Name));
  for (const tag of service.tags) if (!isDnsLabel(tag)) warnings.push(warn("Service tag", tag));
  return warnings;
}
