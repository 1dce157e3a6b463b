// Which address and port of a node or an instance an answer uses: tagged addresses by family, and WAN addresses for
// another datacenter when `translate_wan_addrs` is on.

import type { Node, NodeService } from "../types/records.ts";
import { TYPE } from "./record.ts";

/** Which families a question can use: A and AAAA only their own, all others both. */
export type Family = "ipv4" | "ipv6" | "any";

export function familyOf(type: number): Family {
  if (type === TYPE.A) return "ipv4";
  return type === TYPE.AAAA ? "ipv6" : "any";
}

/** A node's address for a question; may be a host name, "" when it has none. */
export function nodeAddress(node: Node, family: Family, wan: boolean): string {
  const tagged = node.TaggedAddresses;
  return choose(family, wan, node.Address, (tag) => tagged?.[tag]);
}

/** An instance's own address; "" when it has none and its node's counts. */
export function serviceAddress(service: NodeService, family: Family, wan: boolean): string {
  const tagged = service.TaggedAddresses;
  return choose(family, wan, service.Address, (tag) => tagged?.[tag]?.Address);
}

/** IPv6 first where both will do, then IPv4, then what has no family. */
function choose(family: Family, wan: boolean, plain: string, tagged: (tag: string) => string | undefined): string {
  const of = (tag: string): string | undefined => (wan ? tagged(`wan${tag}`) : undefined);
  if (family !== "ipv4") {
    const ipv6 = of("_ipv6") ?? tagged("lan_ipv6");
    if (ipv6) return ipv6;
  }
  if (family !== "ipv6") {
    const ipv4 = of("_ipv4") ?? tagged("lan_ipv4");
    if (ipv4) return ipv4;
  }
  return of("") ?? plain;
}

/** The port by name, or the instance's own for ""; null when it has no port by that name. */
export function servicePort(service: NodeService, name: string, wan: boolean): number | null {
  const port = name === "" ? defaultPort(service) : service.Ports?.find((named) => named.Name === name)?.Port;
  if (port === undefined) return null;
  return (wan && service.TaggedAddresses?.wan?.Port) || port;
}

function defaultPort(service: NodeService): number {
  return service.Ports?.find((port) => port.Default)?.Port ?? service.Port;
}
