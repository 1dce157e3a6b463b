// What an entry of each kind must say, in Consul's words where they are known, and what is filled in for what is left out:
// https://developer.hashicorp.com/consul/docs/reference/config-entry. What an entry may say beside others is in
// config-entry-chain.ts.
import type { UserMap } from "../types/records.ts";
import { quote } from "../util/quote.ts";
import type { ConfigEntryKind } from "./config-entry-kinds.ts";
import { listed } from "./config-entry-fields.ts";

/** An entry's fields as config-entry-kinds.ts reads them. */
export type EntryFields = UserMap<unknown> & { Kind: string; Name: string };

/** Fills in what Consul fills in; may write to the entry, which nobody else holds yet. @throws Error in Consul's words. */
export function completeEntry(kind: ConfigEntryKind, entry: EntryFields): void {
  const only = ONLY_NAMES[kind];
  if (only !== undefined) {
    if (entry.Name !== "" && entry.Name !== only) throw new Error(`invalid name (${quote(entry.Name)}), only ${quote(only)} is supported`);
    entry.Name = only;
  }
  COMPLETE[kind]?.(entry);
}

/** Kinds of which there is one entry, under this name. */
const ONLY_NAMES: Partial<Record<ConfigEntryKind, string>> = { "proxy-defaults": "global", mesh: "mesh" };

/** @throws Error that says all that is wrong with the entry by itself. */
export function checkEntry(kind: ConfigEntryKind, entry: EntryFields): void {
  if (entry.Name === "") throw new Error("Name is required");
  const faults = metaFaults(entry["Meta"] as UserMap | undefined);
  CHECK[kind]?.(entry, faults);
  if (faults.length > 0) throw new Error(listed(faults));
}

const META_PAIRS_MAX = 64;
const META_KEY_MAX = 128;
const META_VALUE_MAX = 512;

function metaFaults(meta: UserMap | undefined): string[] {
  const faults: string[] = [];
  const pairs = Object.entries(meta ?? {});
  if (pairs.length > META_PAIRS_MAX) faults.push(`Meta exceeds maximum element count ${META_PAIRS_MAX}`);
  for (const [key, value] of pairs) {
    if (key.length > META_KEY_MAX) faults.push(`Meta key ${quote(key)} exceeds maximum length ${META_KEY_MAX}`);
    if (value.length > META_VALUE_MAX)
      faults.push(`Meta value for key ${quote(key)} exceeds maximum length ${META_VALUE_MAX}`);
  }
  return faults;
}

const items = <T>(entry: UserMap<unknown>, name: string): T[] => (entry[name] ?? []) as T[];

// ------------------------------------------------------------------------------------------------- intentions

interface Source {
  Name: string;
  Action?: string;
  Permissions?: { Action: string; HTTP?: HttpMatch; JWT?: unknown }[];
  Precedence: number;
  Type: string;
  Peer?: string;
}

interface HttpMatch {
  PathExact?: string;
  PathPrefix?: string;
  PathRegex?: string;
  Header?: ({ Name: string } & Record<string, unknown>)[];
  Methods?: string[];
}

const WILDCARD = "*";
/** How much an intention counts: by whether its destination and its source are named or any. */
const precedence = (destination: string, source: string): number =>
  destination === WILDCARD ? (source === WILDCARD ? 5 : 6) : source === WILDCARD ? 8 : 9;

function completeIntentions(entry: EntryFields): void {
  const sources = items<Source>(entry, "Sources");
  for (const source of sources) {
    if (source.Type === "") source.Type = "consul";
    source.Precedence = precedence(entry.Name, source.Name);
  }
  sources.sort((a, b) => b.Precedence - a.Precedence || (a.Name < b.Name ? -1 : a.Name > b.Name ? 1 : 0));
}

const partlyWild = (name: string): boolean => name !== WILDCARD && name.includes(WILDCARD);

function checkIntentions(entry: EntryFields, faults: string[]): void {
  if (partlyWild(entry.Name)) faults.push("Name: wildcard character '*' cannot be used with partial values");
  const sources = items<Source>(entry, "Sources");
  if (sources.length === 0) faults.push("At least one source is required");
  const seen = new Set<string>();
  for (const [at, source] of sources.entries()) {
    const where = `Sources[${at}]`;
    const { Name, Action = "", Permissions = [], Type, Peer = "" } = source;
    if (Name === "") faults.push(`${where}.Name is required`);
    if (partlyWild(Name)) faults.push(`${where}.Name: wildcard character '*' cannot be used with partial values`);
    if (Type !== "consul") faults.push(`${where}.Type must be set to 'consul'`);
    if (Permissions.length > 0) {
      if (Action !== "") faults.push(`${where}.Action must be omitted if Permissions are specified`);
      if (entry.Name === WILDCARD)
        faults.push(`${where}.Permissions cannot be specified with intentions with wildcarded destinations`);
    } else if (Action !== "allow" && Action !== "deny") faults.push(`${where}.Action must be set to 'allow' or 'deny'`);
    for (const [index, permission] of Permissions.entries()) {
      const place = `${where}.Permissions[${index}]`;
      if (permission.Action !== "allow" && permission.Action !== "deny")
        faults.push(`${place}.Action must be set to 'allow' or 'deny'`);
      if (permission.HTTP === undefined && permission.JWT === undefined)
        faults.push(`${place}.HTTP or ${place}.JWT is required`);
      if (permission.HTTP !== undefined) checkHttpMatch(permission.HTTP, `${place}.HTTP`, faults);
    }
    const id = `${Peer}/${Name}`;
    if (seen.has(id)) faults.push(`${where} defines ${quote(Name)} more than once`);
    seen.add(id);
  }
}

const HEADER_MATCHES = ["Present", "Exact", "Prefix", "Suffix", "Contains", "Regex"] as const;

function checkHttpMatch({ PathExact = "", PathPrefix = "", PathRegex = "", Header = [], Methods = [] }: HttpMatch, where: string, faults: string[]): void {
  if ([PathExact, PathPrefix, PathRegex].filter((path) => path !== "").length > 1)
    faults.push(`${where} should only contain at most one of PathExact, PathPrefix, or PathRegex`);
  if (PathExact !== "" && !PathExact.startsWith("/")) faults.push(`${where}.PathExact doesn't start with '/': ${quote(PathExact)}`);
  if (PathPrefix !== "" && !PathPrefix.startsWith("/")) faults.push(`${where}.PathPrefix doesn't start with '/': ${quote(PathPrefix)}`);
  for (const [at, header] of Header.entries()) {
    if (header.Name === "") faults.push(`${where}.Header[${at}] missing required Name field`);
    if (HEADER_MATCHES.filter((match) => header[match]).length !== 1)
      faults.push(`${where}.Header[${at}] should only contain one of Present, Exact, Prefix, Suffix, Contains, or Regex`);
  }
  if (new Set(Methods).size < Methods.length) faults.push(`${where}.Methods contains a method more than once`);
}

// -------------------------------------------------------------------------------------------------- services

interface Upstream {
  Name?: string;
  BalanceOutboundConnections?: string;
  PassiveHealthCheck?: { Interval?: number };
  Limits?: UserMap<number | null>;
}

function checkServiceDefaults(entry: EntryFields, faults: string[]): void {
  if (entry.Name === WILDCARD) {
    faults.push("service-defaults name must be the name of a service, and not a wildcard");
    return;
  }
  checkBalance(entry["BalanceInboundConnections"], "balance_inbound_connections", faults);
  const upstreams = entry["UpstreamConfig"] as { Overrides?: Upstream[]; Defaults?: Upstream } | undefined;
  const destination = entry["Destination"] as { Addresses?: string[]; Port?: number } | undefined;
  if (upstreams !== undefined && destination !== undefined) {
    faults.push("UpstreamConfig and Destination are mutually exclusive for service defaults");
    return;
  }
  for (const upstream of upstreams?.Overrides ?? []) {
    const { Name = "" } = upstream;
    const fault = Name === "" ? "Name is required" : Name === WILDCARD ? "Wildcard name is not supported" : upstreamFault(upstream);
    if (fault !== null) faults.push(`error in upstream override for ${Name}: ${fault}`);
  }
  if (upstreams?.Defaults !== undefined) {
    const fault = (upstreams.Defaults.Name ?? "") !== "" ? "Name must be empty" : upstreamFault(upstreams.Defaults);
    if (fault !== null) faults.push(`error in upstream defaults: ${fault}`);
  }
  if (destination !== undefined) checkDestination(destination, faults);
}

function checkBalance(value: unknown, name: string, faults: string[]): void {
  if (value !== undefined && value !== "exact_balance") faults.push(`invalid value for ${name}: ${String(value)}`);
}

function upstreamFault({ BalanceOutboundConnections, PassiveHealthCheck, Limits }: Upstream): string | null {
  const faults: string[] = [];
  if ((PassiveHealthCheck?.Interval ?? 0) < 0) faults.push("passive health check interval cannot be negative");
  for (const [name, value] of Object.entries(Limits ?? {}))
    if (value !== null && value < 0) faults.push(`${name} cannot be negative`);
  checkBalance(BalanceOutboundConnections, "balance_outbound_connections", faults);
  return faults.length === 0 ? null : listed(faults);
}

function checkDestination({ Addresses = [], Port = 0 }: { Addresses?: string[]; Port?: number }, faults: string[]): void {
  if (Addresses.length === 0) faults.push("Destination must contain at least one valid address");
  const seen = new Set<string>();
  for (const address of Addresses) {
    if (seen.has(address)) faults.push(`Duplicate address '${address}' is not allowed`);
    else if (address === "" || address.includes("*") || address.length > 253)
      faults.push(`Destination address '${address}' is invalid Could not validate address ${address} as an IP or Hostname`);
    seen.add(address);
  }
  if (Port < 1 || Port > 65_535) faults.push(`Invalid Port number ${Port}`);
}

function checkProxyDefaults(entry: EntryFields, faults: string[]): void {
  const { Type = "", Path = "", JSONFormat = "", TextFormat = "" } = entry["AccessLogs"] as UserMap;
  if (!["", "file", "stderr", "stdout"].includes(Type)) faults.push(`invalid access log type: ${Type}`);
  if (Type === "file" && Path === "") faults.push("path must be specified when using file type access logs");
  if (Type !== "file" && Path !== "") faults.push("path is only valid for file type access logs");
  if (JSONFormat !== "" && TextFormat !== "") faults.push("cannot specify both access log JSONFormat and TextFormat");
  if (JSONFormat !== "" && !isJson(JSONFormat)) faults.push("invalid access log json for JSON format");
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

interface Route {
  Match?: { HTTP?: HttpMatch & { QueryParam?: { Name: string }[] } };
  Destination?: { ServiceSubset?: string; PrefixRewrite?: string };
}

function completeRouter(entry: EntryFields): void {
  for (const { Match } of items<Route>(entry, "Routes")) {
    const methods = Match?.HTTP?.Methods;
    if (methods !== undefined) Match!.HTTP!.Methods = methods.map((method) => method.toUpperCase());
  }
}

function checkRouter(entry: EntryFields, faults: string[]): void {
  for (const [at, { Match, Destination }] of items<Route>(entry, "Routes").entries()) {
    const http = Match?.HTTP;
    if (http === undefined) continue;
    checkHttpMatch(http, `Route[${at}]`, faults);
    for (const [index, { Name }] of (http.QueryParam ?? []).entries())
      if (Name === "") faults.push(`Route[${at}] QueryParam[${index}] missing required Name field`);
    if (Destination?.PrefixRewrite !== undefined && http.PathExact === undefined && http.PathPrefix === undefined)
      faults.push(`Route[${at}] cannot make use of PrefixRewrite without configuring either PathExact or PathPrefix`);
  }
}

interface Split {
  Weight: number;
  Service?: string;
  ServiceSubset?: string;
}
/** Weights count in hundredths of a per cent. */
const WEIGHT_STEPS = 100;

function completeSplitter(entry: EntryFields): void {
  for (const split of items<Split>(entry, "Splits")) split.Weight = Math.round(split.Weight * WEIGHT_STEPS) / WEIGHT_STEPS;
}

function checkSplitter(entry: EntryFields, faults: string[]): void {
  const splits = items<Split>(entry, "Splits");
  if (splits.length === 0) {
    faults.push("no splits configured");
    return;
  }
  let steps = 0;
  const seen = new Set<string>();
  for (const { Weight, Service = entry.Name, ServiceSubset = "" } of splits) {
    steps += Math.round(Weight * WEIGHT_STEPS);
    const id = JSON.stringify([Service, ServiceSubset]);
    if (seen.has(id)) faults.push(`split destination occurs more than once: service=${quote(Service)}, subset=${quote(ServiceSubset)}`);
    seen.add(id);
  }
  if (steps !== 100 * WEIGHT_STEPS) faults.push(`the sum of all split weights must be 100, not ${steps / WEIGHT_STEPS}`);
}

interface Redirect {
  Service?: string;
  ServiceSubset?: string;
  Datacenter?: string;
  Peer?: string;
}
interface Failover extends Redirect {
  Datacenters?: string[];
  Targets?: Redirect[];
}

function checkResolver(entry: EntryFields, faults: string[]): void {
  const subsets = (entry["Subsets"] ?? {}) as UserMap<unknown>;
  const defaultSubset = (entry["DefaultSubset"] ?? "") as string;
  for (const name of Object.keys(subsets))
    if (name === "") faults.push("Subset defined with empty name");
    else if (!/^[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/.test(name))
      faults.push(`Subset ${quote(name)} is invalid: must be a valid DNS label`);
  if (defaultSubset !== "" && !Object.hasOwn(subsets, defaultSubset))
    faults.push(`DefaultSubset ${quote(defaultSubset)} is not a valid subset`);
  const redirect = entry["Redirect"] as Redirect | undefined;
  const failover = entry["Failover"] as UserMap<Failover> | undefined;
  if (redirect !== undefined) {
    if (Object.keys(redirect).length === 0) faults.push("Redirect is empty");
    if (Object.keys(subsets).length > 0 || defaultSubset !== "" || failover !== undefined)
      faults.push("Redirect is mutually exclusive with Subsets, DefaultSubset and Failover");
    if (redirect.ServiceSubset !== undefined && redirect.Service === undefined)
      faults.push("Redirect.ServiceSubset defined without Redirect.Service");
  }
  for (const [subset, each] of Object.entries(failover ?? {})) {
    const where = `Failover[${quote(subset)}]`;
    if (subset !== WILDCARD && !Object.hasOwn(subsets, subset)) faults.push(`Bad ${where}: not a valid subset`);
    const { Service, ServiceSubset, Datacenters = [], Targets = [] } = each;
    if (Service === undefined && ServiceSubset === undefined && Datacenters.length === 0 && Targets.length === 0)
      faults.push(`Bad ${where}: one of Service, ServiceSubset, Datacenters, or Targets is required`);
    if (Targets.length > 0 && (Service !== undefined || ServiceSubset !== undefined || Datacenters.length > 0))
      faults.push(`Bad ${where}: Targets cannot be set with Service, ServiceSubset or Datacenters`);
    if (Datacenters.includes("")) faults.push(`Bad ${where}.Datacenters: found empty datacenter`);
  }
}

// --------------------------------------------------------------------------------------------------- gateways

interface IngressListener {
  Port: number;
  Protocol: string;
  Services: { Name: string; Hosts: string[] | null }[] | null;
}
const INGRESS_PROTOCOLS = ["tcp", "http", "http2", "grpc"];

function completeIngress(entry: EntryFields): void {
  for (const listener of items<IngressListener>(entry, "Listeners")) if (listener.Protocol === "") listener.Protocol = "tcp";
}

function checkIngress(entry: EntryFields, faults: string[]): void {
  const ports = new Set<number>();
  for (const { Port, Protocol, Services } of items<IngressListener>(entry, "Listeners")) {
    const services = Services ?? [];
    if (ports.has(Port)) faults.push(`port ${Port} declared on two listeners`);
    ports.add(Port);
    if (!INGRESS_PROTOCOLS.includes(Protocol))
      faults.push(`protocol must be 'tcp', 'http', 'http2', or 'grpc'. '${Protocol}' is an unsupported protocol`);
    if (services.length === 0) faults.push(`No service declared for listener with port ${Port}`);
    if (Protocol === "tcp" && services.length > 1)
      faults.push(`Multiple services per listener are only supported for L7 protocols, 'tcp' listener on port ${Port} has ${services.length}`);
    const seen = new Set<string>();
    for (const { Name, Hosts } of services) {
      if (Name === "") faults.push("Service name cannot be blank");
      if (Name === WILDCARD && Protocol === "tcp") faults.push("Wildcard service name is only valid for protocols 'http', 'http2' and 'grpc'");
      if (Name === WILDCARD && Hosts !== null && Hosts.length > 0) faults.push("Associating hosts to a wildcard service is not supported");
      if (Protocol === "tcp" && Hosts !== null && Hosts.length > 0) faults.push("Associating hosts to a service is not supported for the tcp protocol");
      if (seen.has(Name)) faults.push(`Service ${Name} cannot be added multiple times (listener on port ${Port})`);
      seen.add(Name);
    }
  }
}

function checkTerminating(entry: EntryFields, faults: string[]): void {
  const seen = new Set<string>();
  for (const { Name = "", CAFile, CertFile, KeyFile, SNI } of items<UserMap>(entry, "Services")) {
    if (Name === "") faults.push("Service name cannot be blank.");
    if (seen.has(Name)) faults.push(`Service ${quote(Name)} was specified more than once within a namespace`);
    seen.add(Name);
    if ((CertFile === undefined) !== (KeyFile === undefined) || ((CertFile ?? SNI) !== undefined && CAFile === undefined))
      faults.push(`Service ${quote(Name)} must have a CertFile, CAFile, and KeyFile specified for TLS origination`);
  }
}

function checkExported(entry: EntryFields, faults: string[]): void {
  if (entry.Name !== "default") faults.push(`exported-services Name must be "default"`);
  for (const [at, { Name, Consumers = [] }] of items<{ Name: string; Consumers?: { Peer?: string }[] }>(entry, "Services").entries()) {
    if (Name === "") faults.push(`Services[${at}]: service name cannot be empty`);
    if (Name === "consul") faults.push(`Services[${at}]: exporting "consul" service is not supported`);
    if (Consumers.length === 0) faults.push(`Services[${at}]: must have at least one consumer`);
    for (const [index, { Peer = "" }] of Consumers.entries()) {
      if (Peer === "") faults.push(`Services[${at}].Consumers[${index}]: must define a Peer`);
      if (Peer === WILDCARD) faults.push(`Services[${at}].Consumers[${index}]: exporting to all peers (wildcard) is not supported`);
    }
  }
}

interface Reference {
  Kind: string;
  Name: string;
}

function completeReferences(references: Reference[] | null, kind: string): void {
  for (const each of references ?? []) if (each.Kind === "") each.Kind = kind;
}

interface ApiListener {
  Name: string;
  Port: number;
  Protocol: string;
  TLS: { Certificates: Reference[] | null };
}

function completeApiGateway(entry: EntryFields): void {
  for (const { TLS } of items<ApiListener>(entry, "Listeners")) completeReferences(TLS.Certificates, "inline-certificate");
}

function checkApiGateway(entry: EntryFields, faults: string[]): void {
  const listeners = items<ApiListener>(entry, "Listeners");
  if (listeners.length === 0) faults.push("api gateway must have at least one listener");
  const [names, ports] = [new Set<string>(), new Set<number>()];
  for (const { Name, Port, Protocol, TLS } of listeners) {
    if (names.has(Name)) faults.push(`found multiple listeners with the name ${quote(Name)}`);
    names.add(Name);
    if (ports.has(Port)) faults.push(`found multiple listeners on port ${Port}`);
    ports.add(Port);
    if (Port <= 0 || Port > 65_535) faults.push(`listener port ${Port} not in the range 1-65535`);
    if (Protocol !== "http" && Protocol !== "tcp") faults.push(`unsupported listener protocol ${quote(Protocol)}, must be one of 'tcp', or 'http'`);
    for (const { Kind, Name: certificate } of TLS.Certificates ?? []) {
      if (Kind !== "inline-certificate" && Kind !== "file-system-certificate")
        faults.push(`unsupported certificate kind: ${quote(Kind)}, must be 'inline-certificate' or 'file-system-certificate'`);
      if (certificate === "") faults.push("certificate reference must have a name");
    }
  }
}

interface HttpRule {
  Matches: { Path: { Match: string; Value: string }; Method: string }[] | null;
  Services: { Name: string; Weight: number }[] | null;
}

function completeHttpRoute(entry: EntryFields): void {
  completeReferences(entry["Parents"] as Reference[] | null, "api-gateway");
  for (const { Matches, Services } of items<HttpRule>(entry, "Rules")) {
    for (const { Path } of Matches ?? []) {
      if (Path.Match === "") Path.Match = "prefix";
      if (Path.Match === "prefix" && Path.Value === "") Path.Value = "/";
    }
    for (const service of Services ?? []) if (service.Weight <= 0) service.Weight = 1;
  }
}

const HTTP_METHODS = ["", "CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"];

function checkHttpRoute(entry: EntryFields, faults: string[]): void {
  checkParents(entry, faults);
  for (const [at, { Matches, Services }] of items<HttpRule>(entry, "Rules").entries()) {
    for (const [index, { Path, Method }] of (Matches ?? []).entries()) {
      const where = `Rule[${at}], Match[${index}]`;
      if (!["exact", "prefix", "regex"].includes(Path.Match)) faults.push(`${where}, path type should be one of exact, prefix, or regex`);
      else if (Path.Match !== "regex" && !Path.Value.startsWith("/")) faults.push(`${where}, ${Path.Match} path match doesn't start with '/': ${quote(Path.Value)}`);
      if (!HTTP_METHODS.includes(Method)) faults.push(`${where}, method ${quote(Method)} is not valid`);
    }
    for (const [index, { Name }] of (Services ?? []).entries()) if (Name === "") faults.push(`Rule[${at}], Service[${index}], a service must have a name`);
  }
}

function checkTcpRoute(entry: EntryFields, faults: string[]): void {
  checkParents(entry, faults);
  if (items(entry, "Services").length > 1) faults.push("tcp-route currently only supports one service");
}

function checkParents(entry: EntryFields, faults: string[]): void {
  const seen = new Set<string>();
  for (const parent of items<Reference & { SectionName: string }>(entry, "Parents")) {
    if (parent.Kind !== "api-gateway") faults.push("unsupported parent kind: " + `${quote(parent.Kind)}, must be 'api-gateway'`);
    const id = JSON.stringify([parent.Kind, parent.Name, parent.SectionName]);
    if (seen.has(id)) faults.push("route parents must be unique");
    seen.add(id);
  }
}

function checkInlineCertificate(entry: EntryFields, faults: string[]): void {
  if (!/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(entry["PrivateKey"] as string)) faults.push("failed to parse private key PEM");
  if (!(entry["Certificate"] as string).includes("-----BEGIN CERTIFICATE-----")) faults.push("failed to parse certificate PEM");
}

interface JwtKeySet {
  Local?: { JWKS?: string; Filename?: string };
  Remote?: { URI?: string };
}
const CLOCK_SKEW_SECONDS = 30;

function checkJwtProvider(entry: EntryFields, faults: string[]): void {
  const keys = entry["JSONWebKeySet"] as JwtKeySet | undefined;
  if (keys === undefined) {
    faults.push("JSONWebKeySet is required");
    return;
  }
  const { Local, Remote } = keys;
  if ((Local === undefined) === (Remote === undefined))
    faults.push("must specify exactly one of Local or Remote JSON Web key set");
  if (Local !== undefined && (Local.JWKS === undefined) === (Local.Filename === undefined))
    faults.push("must specify exactly one of String or filename for local keyset");
  if (Remote !== undefined && !/^https?:\/\/[^\s/?#]+/.test(Remote.URI ?? "")) faults.push("Remote JWKS URI must be a valid URL");
  for (const location of items<UserMap<unknown>>(entry, "Locations"))
    if (Object.keys(location).length !== 1) faults.push("must set exactly one of: JWT location header, query param or cookie");
}

// -------------------------------------------------------------------------------------------------- by kind

const COMPLETE: Partial<Record<ConfigEntryKind, (entry: EntryFields) => void>> = {
  "service-intentions": completeIntentions,
  "service-router": completeRouter,
  "service-splitter": completeSplitter,
  "ingress-gateway": completeIngress,
  "api-gateway": completeApiGateway,
  "http-route": completeHttpRoute,
  "tcp-route": (entry) => completeReferences(entry["Parents"] as Reference[] | null, "api-gateway"),
  "jwt-provider": (entry) => {
    entry["ClockSkewSeconds"] ??= CLOCK_SKEW_SECONDS;
  },
};

const CHECK: Partial<Record<ConfigEntryKind, (entry: EntryFields, faults: string[]) => void>> = {
  "service-defaults": checkServiceDefaults,
  "proxy-defaults": checkProxyDefaults,
  "service-intentions": checkIntentions,
  "service-router": checkRouter,
  "service-splitter": checkSplitter,
  "service-resolver": checkResolver,
  "ingress-gateway": checkIngress,
  "terminating-gateway": checkTerminating,
  "exported-services": checkExported,
  "api-gateway": checkApiGateway,
  "http-route": checkHttpRoute,
  "tcp-route": checkTcpRoute,
  "inline-certificate": checkInlineCertificate,
  "jwt-provider": checkJwtProvider,
};
