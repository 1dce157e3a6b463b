// What a name asks for: Consul's lookup forms (https://developer.hashicorp.com/consul/docs/discover/dns). The keyword is
// the rightmost label of `service connect virtual ingress node query addr`; what follows it is the locality, what precedes
// it names the thing. The forms of Enterprise (`.ns`, `.ap`, `.sg`) are no names here.

import { addressFromHex, addressFromReverseName } from "./address.ts";
import { splitName } from "./name.ts";
import { TYPE } from "./record.ts";

/** The domains that are the agent's own: lower case, no dot at the end; `altDomain` is "" when there is none. */
export interface Zones {
  domain: string;
  altDomain: string;
}

/** Names are in lower case: the catalog must be searched without regard to case. A datacenter is "" beside a peer. */
export type Lookup =
  /** `tag` is "" without a filter, `port` is "" for the service's own port. */
  | { type: "service"; service: string; tag: string; port: string; datacenter: string; peer: string }
  /** Instances that can be reached through the mesh (`connect`), or gateways in front of the service (`ingress`). */
  | { type: "connect" | "ingress"; service: string; datacenter: string }
  | { type: "virtual"; service: string; peer: string }
  | { type: "node"; node: string; datacenter: string; peer: string }
  | { type: "query"; query: string; datacenter: string }
  | { type: "addr"; address: Uint8Array }
  /** A name under arpa; `address` is null when it stands for none. */
  | { type: "reverse"; address: string | null }
  | { type: "nameservers" }
  | { type: "authority" }
  /** Not ours: for the recursors. */
  | { type: "foreign" }
  /** Ours, but nothing by this name can exist. */
  | { type: "invalid" };

export interface ParsedQuestion {
  lookup: Lookup;
  /** The domain that names in the answer are to be under: the question's, in its case; the main one otherwise. */
  domain: string;
}

const INVALID: Lookup = { type: "invalid" };

/** Domain names of the configuration as `Zones` wants them. */
export function zones(domain: string, altDomain = ""): Zones {
  const clean = (name: string): string => name.toLowerCase().replace(/^\.+|\.+$/g, "");
  return { domain: clean(domain), altDomain: clean(altDomain) };
}

/**
 * Reads a question.
 * @param hasRecursors with recursors, DS questions go to them as the parent's (RFC 4035 §3.1.4.1).
 */
export function parseQuestion(
  name: string,
  type: number,
  zones: Zones,
  datacenter: string,
  hasRecursors: boolean,
): ParsedQuestion {
  const asked = splitName(name);
  const labels = splitName(name.toLowerCase());
  const ownLabels = zoneLabels(labels, zones);
  const toParent = hasRecursors && type === TYPE.DS;
  // Even a server for the root leaves arpa to itself.
  if (ownLabels <= 0 && labels.at(-1) === "arpa" && !toParent) {
    return { lookup: { type: "reverse", address: addressFromReverseName(name) }, domain: zones.domain };
  }
  if (ownLabels === -1) return { lookup: { type: "foreign" }, domain: zones.domain };
  const domain = asked.slice(asked.length - ownLabels).join(".");
  if (toParent) return { lookup: { type: "foreign" }, domain };
  return { lookup: parseOwn(labels.slice(0, labels.length - ownLabels), type, datacenter), domain };
}

/** How many labels of the name the longest of the agent's domains takes; -1 when it is under none. */
function zoneLabels(labels: readonly string[], { domain, altDomain }: Zones): number {
  let most = -1;
  for (const zone of altDomain === "" ? [domain] : [domain, altDomain]) {
    const zoneLabels = splitName(zone);
    if (zoneLabels.length > labels.length || zoneLabels.length <= most) continue;
    const start = labels.length - zoneLabels.length;
    if (zoneLabels.every((label, at) => label === labels[start + at])) most = zoneLabels.length;
  }
  return most;
}

/** A name of ours, without the domain. */
function parseOwn(labels: readonly string[], type: number, datacenter: string): Lookup {
  if (type === TYPE.SOA) return { type: "authority" };
  if (type === TYPE.NS) return { type: "nameservers" };
  for (let at = labels.length - 1; at >= 0; at -= 1) {
    const keyword = labels[at]!;
    const parts = labels.slice(0, at);
    const suffix = labels.slice(at + 1);
    switch (keyword) {
      case "service":
        return parseService(parts, suffix, datacenter);
      case "connect":
      case "ingress":
        return parseMesh(keyword, parts, suffix, datacenter);
      case "virtual":
        return parseVirtual(parts, suffix);
      case "node":
        return parseNode(parts, suffix, datacenter);
      case "query":
        return parseQuery(parts, suffix, datacenter);
      case "addr":
        return parseAddr(parts);
      default:
        // `_db._tcp.consul`: an SRV question may leave the keyword out.
        if (type === TYPE.SRV && keyword.startsWith("_")) {
          return parseService(labels.slice(0, at + 1), suffix, datacenter);
        }
    }
  }
  return INVALID;
}

/** What follows the keyword. `bare` is a single label: a datacenter, or a peer for virtual addresses. */
interface Locality {
  datacenter: string;
  peer: string;
  port: string;
  bare: string;
}

/** Nothing, one bare label, or up to three pairs of `<x>.dc`, `<x>.peer`, `<x>.port`; null for anything else. */
function parseLocality(suffix: readonly string[]): Locality | null {
  const locality: Locality = { datacenter: "", peer: "", port: "", bare: "" };
  if (suffix.length === 0) return locality;
  if (suffix.length === 1) return { ...locality, bare: suffix[0]! };
  if (suffix.length % 2 !== 0 || suffix.length > 6) return null;
  for (let at = 0; at < suffix.length; at += 2) {
    const value = suffix[at]!;
    const kind = suffix[at + 1];
    if (kind === "dc") locality.datacenter = value;
    else if (kind === "peer") locality.peer = value;
    else if (kind === "port") locality.port = value;
    else return null;
  }
  return locality.datacenter !== "" && locality.peer !== "" ? null : locality;
}

function parseService(parts: readonly string[], suffix: readonly string[], local: string): Lookup {
  const locality = parseLocality(suffix);
  if (locality === null || parts.length === 0) return INVALID;
  const where = {
    port: locality.port,
    datacenter: locality.peer === "" ? locality.datacenter || locality.bare || local : "",
    peer: locality.peer,
  };
  const [first, second] = parts as [string, ...string[]];
  if (parts.length === 2 && first.startsWith("_") && second!.startsWith("_")) {
    if (first === "_") return INVALID;
    // RFC 2782: the protocol's place holds a tag; "tcp" is everyone's.
    const tag = second!.slice(1);
    return { type: "service", service: first.slice(1), tag: tag === "tcp" ? "" : tag, ...where };
  }
  return { type: "service", service: parts.at(-1)!, tag: parts.slice(0, -1).join("."), ...where };
}

function parseMesh(
  type: "connect" | "ingress",
  parts: readonly string[],
  suffix: readonly string[],
  local: string,
): Lookup {
  const locality = parseLocality(suffix);
  const service = parts.at(-1);
  if (locality === null || service === undefined) return INVALID;
  return { type, service, datacenter: locality.datacenter || locality.bare || local };
}

/** Virtual addresses belong to one datacenter, so a bare label is a peer. */
function parseVirtual(parts: readonly string[], suffix: readonly string[]): Lookup {
  const locality = parseLocality(suffix);
  const service = parts.at(-1);
  if (locality === null || service === undefined) return INVALID;
  return { type: "virtual", service, peer: locality.peer || locality.bare };
}

/** A node's name may contain dots. */
function parseNode(parts: readonly string[], suffix: readonly string[], local: string): Lookup {
  const locality = parseLocality(suffix);
  if (locality === null || parts.length === 0) return INVALID;
  const datacenter = locality.peer === "" ? locality.datacenter || locality.bare || local : "";
  return { type: "node", node: parts.join("."), datacenter, peer: locality.peer };
}

/** So may a prepared query's. `_name._proto` is the form of RFC 2782, its protocol ignored. */
function parseQuery(parts: readonly string[], suffix: readonly string[], local: string): Lookup {
  if (parts.length === 0 || suffix.length > 1) return INVALID;
  const srvForm = parts.length >= 2 && parts[0]!.startsWith("_") && parts.at(-1)!.startsWith("_");
  const query = srvForm ? parts.slice(0, -1).join(".").slice(1) : parts.join(".");
  return { type: "query", query, datacenter: suffix[0] ?? local };
}

/** The address is in the name, so the locality does not matter. */
function parseAddr(parts: readonly string[]): Lookup {
  const address = parts.length === 1 ? addressFromHex(parts[0]!) : null;
  return address === null ? INVALID : { type: "addr", address };
}
