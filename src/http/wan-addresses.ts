// `translate_wan_addrs` in the API: what is in another datacenter is shown by its WAN addresses and ports, where it has such, and
// a header says that it may be so: https://developer.hashicorp.com/consul/docs/reference/agent/configuration-file/general#translate_wan_addrs
import type { NodeServices, ServiceInstance } from "../state/read.ts";
import type { Node, NodeService } from "../types/records.ts";
import type { Context } from "./context.ts";
import type { Encoding } from "./json-encoding.ts";

/** In this order: one that has no family, then by family. */
const TAGS = ["wan", "wan_ipv4", "wan_ipv6"] as const;
const HEADER: readonly string[] = ["X-Consul-Translate-Addresses", "true"];

/** The encoding with its value as it is to be seen from the agent's datacenter; the very same when nothing is translated. */
export function withWanAddresses<R>(
  c: Context,
  encoding: Encoding<R>,
  seenFrom: (value: R, datacenter: string) => R,
): Encoding<R> {
  const { config, datacenter } = c.agent;
  if (!config.translateWanAddrs) return encoding;
  return {
    form: `${encoding.form}-wan`,
    encode: (value, headers) => encoding.encode(seenFrom(value, datacenter), [...headers, ...HEADER]),
  };
}

/** A node as it is seen from a datacenter. */
function nodeSeenFrom(node: Node, datacenter: string): Node {
  const tag = node.Datacenter === datacenter ? undefined : TAGS.find((name) => node.TaggedAddresses?.[name]);
  return tag === undefined ? node : { ...node, Address: node.TaggedAddresses?.[tag] as string };
}

function serviceByWan(service: NodeService): NodeService {
  const tag = TAGS.find((name) => service.TaggedAddresses?.[name]?.Address);
  const at = tag === undefined ? undefined : service.TaggedAddresses?.[tag];
  return at === undefined ? service : { ...service, Address: at.Address, Port: at.Port || service.Port };
}

/** Nodes as they are seen from a datacenter. */
export const nodesSeenFrom = (nodes: readonly Node[], datacenter: string): readonly Node[] =>
  nodes.map((node) => nodeSeenFrom(node, datacenter));

/** Instances of a service, with or without their checks, as they are seen from a datacenter. */
export function instancesSeenFrom<T extends ServiceInstance>(
  instances: readonly T[],
  datacenter: string,
): readonly T[] {
  return instances.map((instance) =>
    instance.Node.Datacenter === datacenter
      ? instance
      : { ...instance, Node: nodeSeenFrom(instance.Node, datacenter), Service: serviceByWan(instance.Service) },
  );
}

/** A node and its services as they are seen from a datacenter. */
export function nodeServicesSeenFrom(value: NodeServices | null, datacenter: string): NodeServices | null {
  if (value === null || value.Node.Datacenter === datacenter) return value;
  return { Node: nodeSeenFrom(value.Node, datacenter), Services: value.Services.map(serviceByWan) };
}
