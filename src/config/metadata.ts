// The rules for the metadata of nodes and services: at most 64 pairs, keys of letters, digits, `_` and `-`.
// https://developer.hashicorp.com/consul/docs/reference/agent/configuration-file/node#node_meta
import { utf8 } from "../util/bytes.ts";

const pairsMax = 64;
const keyBytesMax = 128;
const valueBytesMax = 512;
const reservedPrefix = "consul-";
/** The one reserved key that users set: mesh gateways carry it. */
const wanFederationKey = "consul-wan-federation";

/** Why the metadata is refused, in Consul's words; null when it is not. */
function metadataFault(meta: Readonly<Record<string, string>>, allowedReserved: string | null): string | null {
  const pairs = Object.entries(meta);
  // Consul says "Node" for services too.
  if (pairs.length > pairsMax) return `Node metadata cannot contain more than ${pairsMax} key/value pairs`;
  for (const [key, value] of pairs) {
    const fault = pairFault(key, value, allowedReserved);
    if (fault !== null) return `Couldn't load metadata pair ('${key}', '${value}'): ${fault}`;
  }
  return null;
}

/** `metadataFault` for a node. */
export function nodeMetadataFault(meta: Readonly<Record<string, string>>): string | null {
  return metadataFault(meta, null);
}

/** `metadataFault` for a service of that kind. */
export function serviceMetadataFault(kind: string, meta: Readonly<Record<string, string>>): string | null {
  return metadataFault(meta, kind === "mesh-gateway" ? wanFederationKey : null);
}

function pairFault(key: string, value: string, allowedReserved: string | null): string | null {
  if (key === "") return "Key cannot be blank";
  if (!/^[a-zA-Z0-9_-]+$/.test(key)) return "Key contains invalid characters";
  if (key.length > keyBytesMax) return `Key is too long (limit: ${keyBytesMax} characters)`;
  if (key.startsWith(reservedPrefix) && key !== allowedReserved) {
    return `Key prefix '${reservedPrefix}' is reserved for internal use`;
  }
  if (utf8(value).length > valueBytesMax) return `Value is too long (limit: ${valueBytesMax} characters)`;
  return null;
}
