// What the operator sets about DNS: Consul's `dns_config` and what belongs to it
// (https://developer.hashicorp.com/consul/docs/reference/agent/configuration-file/dns).

/** Seconds are whole; Consul cuts fractions of its durations off. */
export interface DnsConfig {
  /** TTL of answers about nodes and addresses. */
  nodeTtlSeconds: number;
  /** TTLs of services: by name, by prefix (`db-*`), for all others (`*`). */
  serviceTtlSeconds: ReadonlyMap<string, number>;
  /** Leaves out instances with warnings too. More caution, fewer instances. */
  onlyPassing: boolean;
  /** Sets the TC bit on cut answers, so that clients ask again by TCP. Off, they silently get fewer records. */
  enableTruncate: boolean;
  /** Answers that a UDP client without EDNS gets at most; never more than 8. */
  udpAnswerLimit: number;
  /** Addresses that any client gets at most; 0 is no limit. Does not apply to SRV. */
  aRecordLimit: number;
  disableCompression: boolean;
  /** Adds the nodes' metadata as TXT records beside answers. */
  nodeMetaTxt: boolean;
  soa: { refreshSeconds: number; retrySeconds: number; expireSeconds: number; minimumTtlSeconds: number };
  /** Where foreign names go, as `address:port`. None: they are refused. */
  recursors: readonly string[];
  recursorStrategy: "sequential" | "random";
  recursorTimeoutMs: number;
  /** Answers about other datacenters use the WAN addresses and ports. */
  translateWanAddresses: boolean;
}

/** Consul's defaults. */
export const DEFAULT_DNS_CONFIG: DnsConfig = {
  nodeTtlSeconds: 0,
  serviceTtlSeconds: new Map(),
  onlyPassing: false,
  enableTruncate: false,
  udpAnswerLimit: 3,
  aRecordLimit: 0,
  disableCompression: false,
  nodeMetaTxt: true,
  soa: { refreshSeconds: 3600, retrySeconds: 600, expireSeconds: 86_400, minimumTtlSeconds: 0 },
  recursors: [],
  recursorStrategy: "sequential",
  recursorTimeoutMs: 2000,
  translateWanAddresses: false,
};

/** The TTL of a service in seconds: its exact name first, then the longest prefix, then "*"; 0 when nothing fits. */
export function serviceTtlSeconds(config: DnsConfig, service: string): number {
  const exact = config.serviceTtlSeconds.get(service);
  if (exact !== undefined && !service.endsWith("*")) return exact;
  let longest = -1;
  let found = 0;
  for (const [pattern, ttl] of config.serviceTtlSeconds) {
    const length = pattern.length - 1;
    if (length > longest && pattern.endsWith("*") && service.startsWith(pattern.slice(0, -1))) {
      longest = length;
      found = ttl;
    }
  }
  return found;
}

/** A recursor as `address:port`: port 53 and the brackets of IPv6 are added where they lack. */
export function recursorAddress(recursor: string): string {
  if (recursor.startsWith("[")) return recursor.includes("]:") ? recursor : `${recursor}:53`;
  const colons = recursor.split(":").length - 1;
  if (colons === 0) return `${recursor}:53`;
  return colons === 1 ? recursor : `[${recursor}]:53`;
}
