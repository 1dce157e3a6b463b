// Asking a DnsService in the tests, with dns-packet, which is not ours, as the client.

import assert from "node:assert/strict";
import * as packets from "dns-packet";
import { DEFAULT_DNS_CONFIG, type DnsConfig } from "../../src/dns/config.ts";
import { DnsService } from "../../src/dns/service.ts";
import type { DnsSource, Transport } from "../../src/dns/source.ts";
import { Random } from "../../src/util/random.ts";

/** 2026-01-01T00:00:00Z, the wall clock of the tests, in milliseconds. */
export const WALL_MS = 1_767_225_600_000;

export interface Ask {
  edns?: number;
  subnet?: string;
  transport?: Transport;
  from?: string;
  id?: number;
  recursionDesired?: boolean;
}

export function serviceFor(source: DnsSource, config: Partial<DnsConfig> = {}, altDomain = "", seed = 1): DnsService {
  return new DnsService({
    config: { ...DEFAULT_DNS_CONFIG, ...config },
    domain: "consul.",
    altDomain,
    datacenter: "dc1",
    source,
    random: new Random(seed),
    wall: () => WALL_MS,
  });
}

export function queryPacket(type: string, name: string, ask: Ask = {}): Uint8Array {
  const options = ask.subnet === undefined ? [] : [{ code: 8, type: "CLIENT_SUBNET", ...subnetOf(ask.subnet) }];
  return packets.encode({
    type: "query",
    id: ask.id ?? 4711,
    flags: ask.recursionDesired === false ? 0 : packets.RECURSION_DESIRED,
    questions: [{ type, name, class: "IN" }],
    additionals:
      ask.edns === undefined ? [] : [{ type: "OPT", name: ".", udpPayloadSize: ask.edns, flags: 0, options }],
  });
}

function subnetOf(text: string): { family: number; sourcePrefixLength: number; ip: string } {
  const [ip, bits] = text.split("/") as [string, string];
  return { family: ip.includes(":") ? 2 : 1, sourcePrefixLength: Number(bits), ip };
}

/** A reply as dns-packet reads it. */
export interface Reply extends packets.DecodedPacket {
  bytes: Uint8Array;
}

export function decode(bytes: Uint8Array): Reply {
  return { ...packets.decode(Buffer.from(bytes)), bytes };
}

/** Asks; the answer must come at once. */
export function ask(service: DnsService, type: string, name: string, options: Ask = {}): Reply {
  const reply = service.handle(queryPacket(type, name, options), options.transport ?? "udp", options.from);
  assert.ok(reply instanceof Uint8Array, "the answer comes at once");
  return decode(reply);
}

/** Asks; the answer may come later. */
export async function askLater(service: DnsService, type: string, name: string, options: Ask = {}): Promise<Reply> {
  const reply = await service.handle(queryPacket(type, name, options), options.transport ?? "udp", options.from);
  assert.ok(reply !== null);
  return decode(reply);
}

/** Records as lines to compare, sorted: `A db.service.consul 7 10.0.0.1`. */
export function lines(records: readonly packets.Record[]): string[] {
  return records.map(line).sort();
}

function line({ type, name, ttl, data }: packets.Record): string {
  return type === "OPT" ? "OPT" : `${type} ${name} ${ttl} ${shown(type, data)}`;
}

function shown(type: string, data: unknown): string {
  if (type === "SRV") {
    const { priority, weight, port, target } = data as Record<string, unknown>;
    return `${priority} ${weight} ${port} ${target}`;
  }
  if (type === "SOA") {
    const { mname, rname, refresh, retry, expire, minimum } = data as Record<string, unknown>;
    return `${mname} ${rname} ${refresh} ${retry} ${expire} ${minimum}`;
  }
  return Array.isArray(data) ? data.map(String).join("|") : String(data);
}
