// The `proxy` part of a service definition. It is kept as Consul's API shows it, with fields left out that are empty: this
// build has no mesh, but a catalog that holds what proxies read.
// https://developer.hashicorp.com/consul/docs/reference/proxy/connect-proxy
import { quote } from "../util/quote.ts";
import { userMap } from "../util/user-map.ts";
import { bool, type Decoder, int, object, raw, string } from "../util/decode.ts";
import { joinHostPort } from "../util/ip-address.ts";
import type { UserMap } from "../types/records.ts";
import { blocks, strictFields } from "./definition-decoder.ts";

/** What a proxy connects to for its service. Absent texts are "", absent numbers 0. */
export interface UpstreamDefinition {
  /** `service` or `prepared_query`. */
  DestinationType: string;
  DestinationNamespace: string;
  DestinationPartition: string;
  DestinationPeer: string;
  DestinationName: string;
  Datacenter: string;
  LocalBindAddress: string;
  LocalBindPort: number;
  LocalBindSocketPath: string;
  LocalBindSocketMode: string;
  Config: UserMap<unknown> | undefined;
  MeshGateway: { Mode: string };
  CentrallyConfigured: boolean;
}

/** The `proxy` part as decoded, with Consul's names and all fields there. */
export interface ProxyDefinition {
  EnvoyExtensions: {
    Name: string;
    Required: boolean;
    Arguments: UserMap<unknown> | undefined;
    ConsulVersion: string;
    EnvoyVersion: string;
  }[];
  DestinationServiceName: string;
  DestinationServiceID: string;
  LocalServiceAddress: string;
  LocalServicePort: number;
  LocalServiceSocketPath: string;
  Mode: string;
  Config: UserMap<unknown> | undefined;
  Upstreams: UpstreamDefinition[];
  MeshGateway: { Mode: string };
  Expose: {
    Checks: boolean;
    Paths: {
      ListenerPort: number;
      Path: string;
      LocalPathPort: number;
      Protocol: string;
      ParsedFromCheck: boolean;
    }[];
  };
  TransparentProxy: { OutboundListenerPort: number; DialedDirectly: boolean };
  AccessLogs: {
    Enabled: boolean;
    DisableListenerLogs: boolean;
    Type: string;
    Path: string;
    JSONFormat: string;
    TextFormat: string;
  };
}

/** Any object, undefined when absent. */
const opaque: Decoder<UserMap<unknown> | undefined> = (value) =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as UserMap<unknown>) : undefined;

const meshGateway = object({ Mode: string }, strictFields);
const upstream = object(
  {
    DestinationType: string,
    DestinationNamespace: string,
    DestinationPartition: string,
    DestinationPeer: string,
    DestinationName: string,
    Datacenter: string,
    LocalBindAddress: string,
    LocalBindPort: int,
    LocalBindSocketPath: string,
    LocalBindSocketMode: string,
    Config: opaque,
    MeshGateway: meshGateway,
    CentrallyConfigured: bool,
  },
  strictFields,
);
const exposePath = object(
  { ListenerPort: int, Path: string, LocalPathPort: int, Protocol: string, ParsedFromCheck: bool },
  strictFields,
);
const accessLogs = object(
  {
    Enabled: bool,
    DisableListenerLogs: bool,
    Type: string,
    Path: string,
    JSONFormat: string,
    TextFormat: string,
  },
  strictFields,
);
const envoyExtension = object(
  { Name: string, Required: bool, Arguments: opaque, ConsulVersion: string, EnvoyVersion: string },
  strictFields,
);
const proxy: Decoder<ProxyDefinition> = object(
  {
    EnvoyExtensions: blocks(envoyExtension),
    DestinationServiceName: string,
    DestinationServiceID: string,
    LocalServiceAddress: string,
    LocalServicePort: int,
    LocalServiceSocketPath: string,
    Mode: string,
    Config: opaque,
    Upstreams: blocks(upstream),
    MeshGateway: meshGateway,
    // `Port` is a field that Consul reads and does not use.
    Expose: object({ Checks: bool, Paths: blocks(exposePath), Port: raw }, strictFields),
    TransparentProxy: object({ OutboundListenerPort: int, DialedDirectly: bool }, strictFields),
    AccessLogs: accessLogs,
  },
  strictFields,
);

/** Decodes the `proxy` of a service definition. @throws DecodeError */
export const proxyFields: Decoder<ProxyDefinition> = (value, path) => {
  const given = proxy(value, path);
  for (const each of given.Upstreams) if (each.DestinationType === "") each.DestinationType = "service";
  return given;
};

/** The proxy as the catalog stores it and the API shows it. */
export function proxyRecord(definition: ProxyDefinition | null): UserMap<unknown> {
  const given = definition ?? proxy(undefined, "");
  const record = present({
    DestinationServiceName: given.DestinationServiceName,
    DestinationServiceID: given.DestinationServiceID,
    LocalServiceAddress: given.LocalServiceAddress,
    LocalServicePort: given.LocalServicePort,
    LocalServiceSocketPath: given.LocalServiceSocketPath,
    EnvoyExtensions: given.EnvoyExtensions.map(present),
    Config: given.Config,
    Upstreams: given.Upstreams.map(upstreamRecord),
    TransparentProxy: present(given.TransparentProxy),
    AccessLogs: present(given.AccessLogs),
  });
  record["Mode"] = given.Mode;
  record["MeshGateway"] = present(given.MeshGateway);
  record["Expose"] = present({ Checks: given.Expose.Checks, Paths: given.Expose.Paths.map(present) });
  return record;
}

function upstreamRecord(given: UpstreamDefinition): UserMap<unknown> {
  return Object.assign(present({ ...given, MeshGateway: undefined }), {
    DestinationType: given.DestinationType,
    DestinationName: given.DestinationName,
    Datacenter: given.Datacenter,
    MeshGateway: present(given.MeshGateway),
  });
}

/** The fields that are not empty. */
function present(fields: Readonly<Record<string, unknown>>): UserMap<unknown> {
  const kept = userMap<unknown>();
  for (const [name, value] of Object.entries(fields)) {
    const empty = typeof value === "object" && value !== null && Object.keys(value).length === 0;
    if (value !== undefined && value !== null && value !== "" && value !== 0 && value !== false && !empty) {
      kept[name] = value;
    }
  }
  return kept;
}

const modes = new Set(["", "direct", "transparent"]);
const meshGatewayModes = new Set(["", "none", "local", "remote"]);

/** What is wrong with the proxy of a service of kind `connect-proxy`, in Consul's words. */
export function proxyFaults(given: ProxyDefinition | null): string[] {
  const faults: string[] = [];
  const destination = given?.DestinationServiceName ?? "";
  if (destination.trim() === "") {
    faults.push("Proxy.DestinationServiceName must be non-empty for Connect proxy services");
  }
  if (destination === "*")
    faults.push("Proxy.DestinationServiceName must not be a wildcard for Connect proxy services");
  if (given === null) return faults;
  faults.push(...upstreamFaults(given.Upstreams));
  const listeners = new Set<number>();
  for (const path of given.Expose.Paths) {
    if (path.Path === "") faults.push("expose.paths: empty path exposed");
    if (listeners.has(path.ListenerPort)) faults.push("expose.paths: duplicate listener ports exposed");
    listeners.add(path.ListenerPort);
    if (path.ListenerPort <= 0 || path.ListenerPort > 65_535) {
      faults.push(`expose.paths: invalid listener port: ${path.ListenerPort}`);
    }
    if (!["", "http", "http2"].includes(path.Protocol.toLowerCase())) {
      faults.push(
        `protocol '${path.Protocol.toLowerCase()}' not supported for path: ${path.Path}, must be in: [http http2]`,
      );
    }
  }
  return faults;
}

function upstreamFaults(upstreams: readonly UpstreamDefinition[]): string[] {
  const faults: string[] = [];
  const destinations = new Set<string>();
  const binds = new Set<string>();
  for (const each of upstreams) {
    const fault = upstreamFault(each);
    const destination =
      `[type=${quote(each.DestinationType)}, name=${quote(each.DestinationName)}, ` +
      `partition=${quote(each.DestinationPartition)}, namespace=${quote(each.DestinationNamespace)}, ` +
      `peer=${quote(each.DestinationPeer)}, datacenter=${quote(each.Datacenter)}]`;
    const bind =
      each.LocalBindSocketPath === ""
        ? joinHostPort(each.LocalBindAddress === "" ? "127.0.0.1" : each.LocalBindAddress, each.LocalBindPort)
        : each.LocalBindSocketPath;
    if (fault !== null) {
      faults.push(fault);
    } else if (destinations.has(destination)) {
      faults.push(`upstreams cannot contain duplicates of ${destination}`);
    } else if (binds.has(bind) && !each.CentrallyConfigured) {
      faults.push(
        "upstreams cannot contain duplicates by local bind address and port or unix path; " +
          `${quote(bind)} is specified twice`,
      );
    } else {
      binds.add(bind);
    }
    if (fault === null) destinations.add(destination);
  }
  return faults;
}

function upstreamFault(given: UpstreamDefinition): string | null {
  const { DestinationType: type, DestinationName: name } = given;
  if (type !== "service" && type !== "prepared_query") {
    return `unknown upstream destination type: ${quote(type)}`;
  }
  if (name === "") return "upstream destination name cannot be empty";
  if (name === "*" && !given.CentrallyConfigured) return "upstream destination name cannot be a wildcard";
  if (given.DestinationPeer !== "" && given.Datacenter !== "") {
    return "upstream cannot specify both destination peer and datacenter";
  }
  if (given.CentrallyConfigured) return null;
  if (given.LocalBindPort === 0 && given.LocalBindSocketPath === "") {
    return "upstream local bind port or local socket path must be defined and nonzero";
  }
  if (given.LocalBindPort !== 0 && given.LocalBindSocketPath !== "") {
    return "only one of upstream local bind port or local socket path can be defined and nonzero";
  }
  return null;
}

/** What is wrong with the modes, which files are checked for whatever the kind of service. */
export function proxyModeFaults(given: ProxyDefinition | null): string[] {
  if (given === null) return [];
  const faults: string[] = [];
  if (!modes.has(given.Mode)) faults.push(`Invalid Proxy Mode: ${quote(given.Mode)}`);
  for (const { Mode } of [given.MeshGateway, ...given.Upstreams.map((each) => each.MeshGateway)]) {
    if (!meshGatewayModes.has(Mode)) faults.push(`Invalid Mesh Gateway Mode: ${quote(Mode)}`);
  }
  for (const { LocalBindSocketMode: mode } of given.Upstreams) {
    if (mode !== "" && !/^[0-7]+$/.test(mode)) faults.push(`local_bind_socket_mode: invalid mode: ${mode}`);
  }
  return faults;
}

/** What a gateway's proxy must not have, in Consul's words. */
export function gatewayProxyFaults(kind: string, given: ProxyDefinition | null): string[] {
  if (given === null) return [];
  const faults: string[] = [];
  for (const field of [
    "DestinationServiceName",
    "DestinationServiceID",
    "LocalServiceAddress",
    "LocalServicePort",
    "LocalServiceSocketPath",
  ] as const) {
    if (given[field] !== "" && given[field] !== 0)
      faults.push(`The Proxy.${field} configuration is invalid for a ${kind}`);
  }
  if (given.Upstreams.length > 0) faults.push(`The Proxy.Upstreams configuration is invalid for a ${kind}`);
  return faults;
}
