// The records of the zone itself: its start of authority and its name servers, which are the datacenter's servers.

import { parseAddress } from "./address.ts";
import type { DnsConfig } from "./config.ts";
import { isWireName, LABEL_BYTES_MAX } from "./name.ts";
import type { Zones } from "./question.ts";
import { TYPE, type NameRecord, type ResourceRecord, type SoaRecord } from "./record.ts";
import { addressRecord, dotted } from "./records.ts";
import type { DnsInstance } from "./source.ts";
import { nodeAddress } from "./translation.ts";

const NAMESERVERS_MAX = 3;

/** The start of authority for names under `domain`. Its serial is the time, written when the answer goes out. */
export function soaRecord(zones: Zones, { soa }: DnsConfig, domain: string): SoaRecord {
  const isAlt = zones.altDomain !== "" && domain.toLowerCase() === zones.altDomain;
  const name = isAlt ? zones.altDomain : zones.domain;
  return {
    type: "SOA",
    name,
    // Not above the minimum, or the negative answer would live longer than it may (RFC 2308 §5).
    ttl: soa.minimumTtlSeconds,
    mname: dotted("ns", name),
    rname: dotted("hostmaster", name),
    serial: 0,
    refresh: soa.refreshSeconds,
    retry: soa.retrySeconds,
    expire: soa.expireSeconds,
    minimum: soa.minimumTtlSeconds,
  };
}

/** NS records, and the addresses of those they name. */
export interface Nameservers {
  records: readonly NameRecord[];
  glue: readonly ResourceRecord[];
}

/** The first three servers whose nodes have host names. */
export function nameserverRecords(
  servers: readonly DnsInstance[],
  domain: string,
  datacenter: string,
  config: DnsConfig,
): Nameservers {
  const records: NameRecord[] = [];
  const glue: ResourceRecord[] = [];
  const ttl = config.nodeTtlSeconds;
  for (const { Node } of servers) {
    if (records.length === NAMESERVERS_MAX) break;
    const target = dotted(`${Node.Node}.node.${Node.Datacenter}`, domain).toLowerCase();
    if (!isHostLabel(Node.Node) || !isWireName(target)) continue;
    records.push({ type: "NS", name: domain, ttl, target });
    const wan = config.translateWanAddresses && Node.Datacenter !== datacenter;
    const address = parseAddress(nodeAddress(Node, "any", wan));
    const record = address && addressRecord(target, TYPE.ANY, address, ttl);
    if (record !== null) glue.push(record);
  }
  return { records, glue };
}

function isHostLabel(name: string): boolean {
  return name.length <= LABEL_BYTES_MAX && /^[A-Za-z0-9-]+$/.test(name);
}
