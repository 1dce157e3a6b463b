// The rules of the kinds that say how services are reached.
import type { UserMap } from "../types/records.ts";
import { quote } from "../util/quote.ts";
import { listed } from "./config-entry-fields.ts";
import { checkHttpMatch, type EntryFields, type HttpMatch, items, WILDCARD } from "./config-entry-rule.ts";

interface Upstream {
  Name?: string;
  BalanceOutboundConnections?: string;
  PassiveHealthCheck?: { Interval?: number };
  Limits?: UserMap<number | null>;
}

/** The rules of `service-defaults`. */
export function checkServiceDefaults(entry: EntryFields, faults: string[]): void {
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
    const fault =
      Name === "" ? "Name is required" : Name === WILDCARD ? "Wildcard name is not supported" : upstreamFault(upstream);
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

function checkDestination(
  { Addresses = [], Port = 0 }: { Addresses?: string[]; Port?: number },
  faults: string[],
): void {
  if (Addresses.length === 0) faults.push("Destination must contain at least one valid address");
  const seen = new Set<string>();
  for (const address of Addresses) {
    if (seen.has(address)) faults.push(`Duplicate address '${address}' is not allowed`);
    else if (address === "" || address.includes("*") || address.length > 253)
      faults.push(
        `Destination address '${address}' is invalid Could not validate address ${address} as an IP or Hostname`,
      );
    seen.add(address);
  }
  if (Port < 1 || Port > 65_535) faults.push(`Invalid Port number ${Port}`);
}

/** The rules of `proxy-defaults`. */
export function checkProxyDefaults(entry: EntryFields, faults: string[]): void {
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

/** Writes methods in upper case. */
export function completeRouter(entry: EntryFields): void {
  for (const { Match } of items<Route>(entry, "Routes")) {
    const methods = Match?.HTTP?.Methods;
    if (methods !== undefined) Match!.HTTP!.Methods = methods.map((method) => method.toUpperCase());
  }
}

/** The rules of `service-router`. */
export function checkRouter(entry: EntryFields, faults: string[]): void {
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

/** Rounds weights to hundredths. */
export function completeSplitter(entry: EntryFields): void {
  for (const split of items<Split>(entry, "Splits"))
    split.Weight = Math.round(split.Weight * WEIGHT_STEPS) / WEIGHT_STEPS;
}

/** The rules of `service-splitter`: the weights make 100. */
export function checkSplitter(entry: EntryFields, faults: string[]): void {
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
    if (seen.has(id))
      faults.push(`split destination occurs more than once: service=${quote(Service)}, subset=${quote(ServiceSubset)}`);
    seen.add(id);
  }
  if (steps !== 100 * WEIGHT_STEPS)
    faults.push(`the sum of all split weights must be 100, not ${steps / WEIGHT_STEPS}`);
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

/** The rules of `service-resolver`. */
export function checkResolver(entry: EntryFields, faults: string[]): void {
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
