// The rules of gateways, of the routes and certificates of API gateways, of what is exported, and of JWT providers.
import type { UserMap } from "../types/records.ts";
import { quote } from "../util/quote.ts";
import { type EntryFields, items, WILDCARD } from "./config-entry-rule.ts";

interface IngressListener {
  Port: number;
  Protocol: string;
  Services: { Name: string; Hosts: string[] | null }[] | null;
}
const INGRESS_PROTOCOLS = ["tcp", "http", "http2", "grpc"];

/** A listener without a protocol takes tcp. */
export function completeIngress(entry: EntryFields): void {
  for (const listener of items<IngressListener>(entry, "Listeners"))
    if (listener.Protocol === "") listener.Protocol = "tcp";
}

/** The rules of `ingress-gateway`. */
export function checkIngress(entry: EntryFields, faults: string[]): void {
  const ports = new Set<number>();
  for (const { Port, Protocol, Services } of items<IngressListener>(entry, "Listeners")) {
    const services = Services ?? [];
    if (ports.has(Port)) faults.push(`port ${Port} declared on two listeners`);
    ports.add(Port);
    if (!INGRESS_PROTOCOLS.includes(Protocol))
      faults.push(`protocol must be 'tcp', 'http', 'http2', or 'grpc'. '${Protocol}' is an unsupported protocol`);
    if (services.length === 0) faults.push(`No service declared for listener with port ${Port}`);
    if (Protocol === "tcp" && services.length > 1)
      faults.push(
        `Multiple services per listener are only supported for L7 protocols, 'tcp' listener on port ${Port} has ${services.length}`,
      );
    const seen = new Set<string>();
    for (const { Name, Hosts } of services) {
      if (Name === "") faults.push("Service name cannot be blank");
      if (Name === WILDCARD && Protocol === "tcp")
        faults.push("Wildcard service name is only valid for protocols 'http', 'http2' and 'grpc'");
      if (Name === WILDCARD && Hosts !== null && Hosts.length > 0)
        faults.push("Associating hosts to a wildcard service is not supported");
      if (Protocol === "tcp" && Hosts !== null && Hosts.length > 0)
        faults.push("Associating hosts to a service is not supported for the tcp protocol");
      if (seen.has(Name)) faults.push(`Service ${Name} cannot be added multiple times (listener on port ${Port})`);
      seen.add(Name);
    }
  }
}

/** The rules of `terminating-gateway`. */
export function checkTerminating(entry: EntryFields, faults: string[]): void {
  const seen = new Set<string>();
  for (const { Name = "", CAFile, CertFile, KeyFile, SNI } of items<UserMap>(entry, "Services")) {
    if (Name === "") faults.push("Service name cannot be blank.");
    if (seen.has(Name)) faults.push(`Service ${quote(Name)} was specified more than once within a namespace`);
    seen.add(Name);
    if (
      (CertFile === undefined) !== (KeyFile === undefined) ||
      ((CertFile ?? SNI) !== undefined && CAFile === undefined)
    )
      faults.push(`Service ${quote(Name)} must have a CertFile, CAFile, and KeyFile specified for TLS origination`);
  }
}

/** The rules of `exported-services`. */
export function checkExported(entry: EntryFields, faults: string[]): void {
  if (entry.Name !== "default") faults.push(`exported-services Name must be "default"`);
  for (const [at, { Name, Consumers = [] }] of items<{ Name: string; Consumers?: { Peer?: string }[] }>(
    entry,
    "Services",
  ).entries()) {
    if (Name === "") faults.push(`Services[${at}]: service name cannot be empty`);
    if (Name === "consul") faults.push(`Services[${at}]: exporting "consul" service is not supported`);
    if (Consumers.length === 0) faults.push(`Services[${at}]: must have at least one consumer`);
    for (const [index, { Peer = "" }] of Consumers.entries()) {
      if (Peer === "") faults.push(`Services[${at}].Consumers[${index}]: must define a Peer`);
      if (Peer === WILDCARD)
        faults.push(`Services[${at}].Consumers[${index}]: exporting to all peers (wildcard) is not supported`);
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

/** References to certificates are to inline ones unless they say otherwise. */
export function completeApiGateway(entry: EntryFields): void {
  for (const { TLS } of items<ApiListener>(entry, "Listeners"))
    completeReferences(TLS.Certificates, "inline-certificate");
}

/** The rules of `api-gateway`. */
export function checkApiGateway(entry: EntryFields, faults: string[]): void {
  const listeners = items<ApiListener>(entry, "Listeners");
  if (listeners.length === 0) faults.push("api gateway must have at least one listener");
  const [names, ports] = [new Set<string>(), new Set<number>()];
  for (const { Name, Port, Protocol, TLS } of listeners) {
    if (names.has(Name)) faults.push(`found multiple listeners with the name ${quote(Name)}`);
    names.add(Name);
    if (ports.has(Port)) faults.push(`found multiple listeners on port ${Port}`);
    ports.add(Port);
    if (Port <= 0 || Port > 65_535) faults.push(`listener port ${Port} not in the range 1-65535`);
    if (Protocol !== "http" && Protocol !== "tcp")
      faults.push(`unsupported listener protocol ${quote(Protocol)}, must be one of 'tcp', or 'http'`);
    for (const { Kind, Name: certificate } of TLS.Certificates ?? []) {
      if (Kind !== "inline-certificate" && Kind !== "file-system-certificate")
        faults.push(
          `unsupported certificate kind: ${quote(Kind)}, must be 'inline-certificate' or 'file-system-certificate'`,
        );
      if (certificate === "") faults.push("certificate reference must have a name");
    }
  }
}

interface HttpRule {
  Matches: { Path: { Match: string; Value: string }; Method: string }[] | null;
  Services: { Name: string; Weight: number }[] | null;
}

/** Parents are API gateways, paths are prefixes and weights 1 unless they say otherwise. */
export function completeHttpRoute(entry: EntryFields): void {
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

/** Parents are API gateways unless they say otherwise. */
export function completeTcpRoute(entry: EntryFields): void {
  completeReferences(entry["Parents"] as Reference[] | null, "api-gateway");
}

/** The rules of `http-route`. */
export function checkHttpRoute(entry: EntryFields, faults: string[]): void {
  checkParents(entry, faults);
  for (const [at, { Matches, Services }] of items<HttpRule>(entry, "Rules").entries()) {
    for (const [index, { Path, Method }] of (Matches ?? []).entries()) {
      const where = `Rule[${at}], Match[${index}]`;
      if (!["exact", "prefix", "regex"].includes(Path.Match))
        faults.push(`${where}, path type should be one of exact, prefix, or regex`);
      else if (Path.Match !== "regex" && !Path.Value.startsWith("/"))
        faults.push(`${where}, ${Path.Match} path match doesn't start with '/': ${quote(Path.Value)}`);
      if (!HTTP_METHODS.includes(Method)) faults.push(`${where}, method ${quote(Method)} is not valid`);
    }
    for (const [index, { Name }] of (Services ?? []).entries())
      if (Name === "") faults.push(`Rule[${at}], Service[${index}], a service must have a name`);
  }
}

/** The rules of `tcp-route`. */
export function checkTcpRoute(entry: EntryFields, faults: string[]): void {
  checkParents(entry, faults);
  if (items(entry, "Services").length > 1) faults.push("tcp-route currently only supports one service");
}

function checkParents(entry: EntryFields, faults: string[]): void {
  const seen = new Set<string>();
  for (const parent of items<Reference & { SectionName: string }>(entry, "Parents")) {
    if (parent.Kind !== "api-gateway")
      faults.push(`unsupported parent kind: ${quote(parent.Kind)}, must be 'api-gateway'`);
    const id = JSON.stringify([parent.Kind, parent.Name, parent.SectionName]);
    if (seen.has(id)) faults.push("route parents must be unique");
    seen.add(id);
  }
}

/** The rules of `inline-certificate`: both parts are PEM. */
export function checkInlineCertificate(entry: EntryFields, faults: string[]): void {
  if (!/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(entry["PrivateKey"] as string))
    faults.push("failed to parse private key PEM");
  if (!(entry["Certificate"] as string).includes("-----BEGIN CERTIFICATE-----"))
    faults.push("failed to parse certificate PEM");
}

interface JwtKeySet {
  Local?: { JWKS?: string; Filename?: string };
  Remote?: { URI?: string };
}

const CLOCK_SKEW_SECONDS = 30;

/** Fills in the clock skew. */
export function completeJwtProvider(entry: EntryFields): void {
  entry["ClockSkewSeconds"] ??= CLOCK_SKEW_SECONDS;
}

/** The rules of `jwt-provider`. */
export function checkJwtProvider(entry: EntryFields, faults: string[]): void {
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
  if (Remote !== undefined && !/^https?:\/\/[^\s/?#]+/.test(Remote.URI ?? ""))
    faults.push("Remote JWKS URI must be a valid URL");
  for (const location of items<UserMap<unknown>>(entry, "Locations"))
    if (Object.keys(location).length !== 1)
      faults.push("must set exactly one of: JWT location header, query param or cookie");
}
