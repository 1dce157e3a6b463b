// Records of nodes and of service instances, as Consul makes them: addresses, SRV targets, CNAMEs for addresses that are
// host names, TXT of node metadata (RFC 1464). What must be looked up further is in chase.ts.

import type { HealthCheck, Node } from "../types/records.ts";
import { hex, utf8 } from "../util/bytes.ts";
import { parseAddress } from "./address.ts";
import type { Row } from "./answer.ts";
import type { DnsConfig } from "./config.ts";
import { isWireName, withoutFinalDot } from "./name.ts";
import { TYPE, type AaaaRecord, type ARecord, type ResourceRecord, type SrvRecord, type TxtRecord } from "./record.ts";
import type { DnsInstance } from "./source.ts";
import { type Family, nodeAddress, serviceAddress, servicePort } from "./translation.ts";

const TEXT_BYTES_MAX = 255;
const TXT_BYTES_MAX = 65_000;

/** What a question's records are made for. */
export interface Asked {
  /** The owner of the answers. */
  name: string;
  type: number;
  family: Family;
  /** What names in the answer end with. */
  domain: string;
  /** The agent's own. */
  datacenter: string;
  config: DnsConfig;
}

/** An address record that the question's type lets in; null otherwise. */
export function addressRecord(
  name: string,
  type: number,
  address: Uint8Array,
  ttl: number,
): ARecord | AaaaRecord | null {
  if (address.length === 4) return type === TYPE.AAAA || !takesAddress(type) ? null : { type: "A", name, ttl, address };
  return type === TYPE.A || !takesAddress(type) ? null : { type: "AAAA", name, ttl, address };
}

/** Types whose answers have addresses; a TXT or NS question about a service gets them too, as Consul does it. */
function takesAddress(type: number): boolean {
  return (
    type === TYPE.A ||
    type === TYPE.AAAA ||
    type === TYPE.ANY ||
    type === TYPE.SRV ||
    type === TYPE.TXT ||
    type === TYPE.NS
  );
}

/** The name of a node; a peer's node is named under the peer. */
export function nodeName(node: Node & { PeerName?: string }, domain: string): string {
  const where = node.PeerName ? `${node.PeerName}.peer` : node.Datacenter;
  return dotted(`${node.Node}.node.${where}`, domain);
}

export function dotted(name: string, domain: string): string {
  return domain === "" ? name : `${name}.${domain}`;
}

/** A node's metadata, a record a pair: `key=value`, or the value alone for keys that begin with `rfc1035-`. */
export function metaRecords(name: string, node: Node, ttl: number): TxtRecord[] {
  const records: TxtRecord[] = [];
  for (const [key, value] of Object.entries(node.Meta ?? {})) {
    const text = utf8(key.toLowerCase().startsWith("rfc1035-") ? value : attribute(key, value));
    if (text.length <= TXT_BYTES_MAX) records.push({ type: "TXT", name, ttl, texts: characterStrings(text) });
  }
  return records;
}

/** RFC 1464 §2: in the key, "=" and the spaces at its ends are quoted by "`", and so is "`" everywhere. */
function attribute(key: string, value: string): string {
  const quoted = key
    .replaceAll("`", "``")
    .replaceAll("=", "`=")
    .replace(/^ +| +$/g, (spaces) => "` ".repeat(spaces.length));
  return `${quoted}=${value.replaceAll("`", "``")}`;
}

/** A text of more than 255 bytes is told in several character strings (RFC 1035 §3.3.14). */
function characterStrings(text: Uint8Array): Uint8Array[] {
  if (text.length <= TEXT_BYTES_MAX) return [text];
  const parts: Uint8Array[] = [];
  for (let at = 0; at < text.length; at += TEXT_BYTES_MAX) parts.push(text.subarray(at, at + TEXT_BYTES_MAX));
  return parts;
}

/** Leaves out instances with a critical check, and those with any but passing ones under `only_passing`. */
export function healthy(instances: readonly DnsInstance[], onlyPassing: boolean): readonly DnsInstance[] {
  const out = (check: HealthCheck): boolean => (onlyPassing ? check.Status !== "passing" : check.Status === "critical");
  return instances.some((instance) => instance.Checks.some(out))
    ? instances.filter((instance) => !instance.Checks.some(out))
    : instances;
}

/** The weight for the state that the instance is in. */
function weightOf({ Service, Checks }: DnsInstance): number {
  const warning = Checks.some(
    (check) => check.Status === "warning" && (check.ServiceName === Service.Service || check.ServiceName === ""),
  );
  const weights = Service.Weights as typeof Service.Weights | undefined;
  return weights === undefined ? 1 : warning ? weights.Warning : weights.Passing;
}

/** How an instance is reached. */
export type Place =
  /** At an address that is its own or, with `node`, at its node's, which has a name for it. */
  | { type: "address"; address: Uint8Array; node: boolean }
  /** At a host name outside the catalog. */
  | { type: "name"; name: string };

/** Where an instance is reached; null when it has no usable address. `wan` is about the service's datacenter. */
export function placeOf(instance: DnsInstance, asked: Asked, wan: boolean): Place | null {
  const { Node, Service } = instance;
  const own = serviceAddress(Service, asked.family, wan);
  const nodeWan = asked.config.translateWanAddresses && Node.Datacenter !== asked.datacenter;
  const nodes = nodeAddress(Node, asked.family, nodeWan);
  const nodeIp = nodes === "" ? null : parseAddress(nodes);
  if (own === "") {
    if (nodes === "") return null;
    if (nodeIp === null) return namedPlace(nodes);
    // The node's name stands for its plain address; any other is named by the address itself.
    return { type: "address", address: nodeIp, node: nodes === Node.Address };
  }
  const ip = parseAddress(own);
  if (ip !== null) return { type: "address", address: ip, node: false };
  // A service whose address is the name that was asked for would lead back here.
  if (nodeIp !== null && withoutFinalDot(own).toLowerCase() === asked.name.toLowerCase()) {
    return { type: "address", address: nodeIp, node: true };
  }
  return namedPlace(own);
}

function namedPlace(address: string): Place | null {
  const name = withoutFinalDot(address);
  return name !== "" && isWireName(name) ? { type: "name", name } : null;
}

/** The row of an instance at an address; null when the question's type has nothing of it. */
export function addressRow(
  instance: DnsInstance,
  place: Place & { type: "address" },
  asked: Asked,
  ttl: number,
  srv: { port: number; host: string } | null,
): Row | null {
  if (srv === null) {
    const record = addressRecord(asked.name, asked.type, place.address, ttl);
    return record && { key: hex(place.address), answers: [record], additionals: [] };
  }
  const target = addressTarget(instance, place, asked.domain);
  const record = addressRecord(target, asked.type, place.address, ttl);
  return record && srvRow(instance, asked, ttl, srv, target, [record]);
}

/** The name that an SRV record gives for an address: the node's if it is the node's and can be written, else the address. */
function addressTarget({ Node, Service }: DnsInstance, place: Place & { type: "address" }, domain: string): string {
  if (place.node) {
    const name = nodeName(Node, domain);
    if (isWireName(name)) return name;
  }
  const label = `${hex(place.address)}.addr`;
  const name = dotted(Service.PeerName || Node.PeerName ? label : `${label}.${Node.Datacenter}`, domain);
  return isWireName(name) ? name : dotted(label, domain);
}

/** The row of an SRV answer, with the records that help: the target's addresses and the node's metadata. */
export function srvRow(
  instance: DnsInstance,
  asked: Asked,
  ttl: number,
  { port, host }: { port: number; host: string },
  target: string,
  help: readonly ResourceRecord[],
): Row {
  const answer: SrvRecord = {
    type: "SRV",
    name: asked.name,
    ttl,
    priority: 1,
    weight: weightOf(instance),
    port,
    target,
  };
  const owner = asked.config.nodeMetaTxt ? nodeName(instance.Node, asked.domain) : "";
  const meta = owner !== "" && instance.Node.Meta && isWireName(owner) ? metaRecords(owner, instance.Node, ttl) : [];
  return {
    key: `${instance.Node.Node}\0${host}\0${port}`,
    answers: [answer],
    additionals: meta.length === 0 ? help : [...help, ...meta],
  };
}

/** What an instance is told apart by in SRV answers; null when it lacks the port. */
export function srvPlace(instance: DnsInstance, portName: string, wan: boolean): { port: number; host: string } | null {
  const port = servicePort(instance.Service, portName, wan);
  return port === null ? null : { port, host: serviceAddress(instance.Service, "any", wan) };
}
