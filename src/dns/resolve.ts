// From a question to its answer: each form of lookup, with the records, the code and the SOA that Consul gives
// (https://developer.hashicorp.com/consul/docs/discover/dns, RFC 2308 for what is not there).

import { OperationalError } from "../types/error.ts";
import type { Random } from "../util/random.ts";
import { formatAddress, parseAddress } from "./address.ts";
import { type Answer, arrange, emptyAnswer, type Row, shuffled } from "./answer.ts";
import { type DnsConfig, serviceTtlSeconds } from "./config.ts";
import { isWireName, withoutFinalDot } from "./name.ts";
import type { ClientSubnet } from "./query.ts";
import { type Lookup, parseQuestion, type ParsedQuestion, type Zones } from "./question.ts";
import { RCODE, TYPE, type NameRecord, type ResourceRecord, type SoaRecord } from "./record.ts";
import {
  addressRecord,
  addressRow,
  type Asked,
  dotted,
  healthy,
  metaRecords,
  nodeName,
  placeOf,
  srvPlace,
  srvRow,
} from "./records.ts";
import { askRecursors } from "./recursor.ts";
import { type DnsInstance, type DnsSource, type InstancesLookup, type Result } from "./source.ts";
import { drive, type Steps, wait } from "./steps.ts";
import { type Nameservers, nameserverRecords, soaRecord } from "./zone.ts";
import { familyOf, nodeAddress } from "./translation.ts";

/** The service under which the servers themselves are registered. */
const SERVERS = "consul";
/** CNAMEs that lead on within the catalog are followed this far. */
const CHASE_DEPTH = 3;
/** Records added for one host name when the client did not tell its size by EDNS. */
const CHASED_RECORDS_MAX = 5;
/** Host names of SRV targets that are looked up for one answer. The rest stand without addresses, which RFC 2782 allows. */
const CHASED_NAMES_MAX = 32;

export interface ResolveContext {
  source: DnsSource;
  config: DnsConfig;
  zones: Zones;
  /** The agent's own datacenter. */
  datacenter: string;
  random: Random;
}

/** Who asks, as far as answers depend on it. */
export interface Client {
  /** The address that stands for the client in prepared queries; "" when unknown. */
  from: string;
  edns: boolean;
}

/** A failed look-up, told apart by what the client is told. */
function rcodeOf(error: OperationalError): number {
  return error.code === "no-path-to-datacenter" || error.code === "not-found" ? RCODE.NXDOMAIN : RCODE.SERVFAIL;
}

/** Answers a question in the agent's domains or under arpa. @throws whatever is no OperationalError: a bug. */
export function* resolve(
  context: ResolveContext,
  parsed: ParsedQuestion,
  name: string,
  type: number,
  client: Client,
): Steps<Answer> {
  const resolution = new Resolution(context, client, parsed.domain);
  return yield* resolution.answer(parsed.lookup, name, type, CHASE_DEPTH);
}

/** One question on its way, with those that it leads to. */
class Resolution {
  readonly #context: ResolveContext;
  readonly #client: Client;
  readonly #domain: string;
  /** Collected from every result used; null once one of them must not be kept. */
  #fresh: (() => boolean)[] | null = [];

  constructor(context: ResolveContext, client: Client, domain: string) {
    this.#context = context;
    this.#client = client;
    this.#domain = domain;
  }

  *answer(lookup: Lookup, name: string, type: number, depth: number): Steps<Answer> {
    let answer: Answer;
    try {
      answer = yield* this.#dispatch(lookup, this.#asked(name, type), depth);
    } catch (error) {
      if (!(error instanceof OperationalError)) throw error;
      answer = emptyAnswer(rcodeOf(error));
      this.#fresh = null;
    }
    if (lookup.type === "query") answer.global = false;
    if (answer.rcode === RCODE.NXDOMAIN) answer.authorities = [this.#soa()];
    answer.fresh = this.#fresh;
    return answer;
  }

  #asked(name: string, type: number): Asked {
    const { config, datacenter } = this.#context;
    return { name, type, family: familyOf(type), domain: this.#domain, datacenter, config };
  }

  #dispatch(lookup: Lookup, asked: Asked, depth: number): Steps<Answer> {
    switch (lookup.type) {
      case "service":
        return this.#service({ ...lookup, kind: "service" }, lookup.port, asked, depth);
      case "connect":
      case "ingress":
        return this.#service({ ...lookup, kind: lookup.type, tag: "", peer: "" }, "", asked, depth);
      case "virtual":
        return this.#virtual(lookup.service, lookup.peer, asked);
      case "node":
        return this.#node(lookup, asked, depth);
      case "query":
        return this.#preparedQuery(lookup, asked, depth);
      case "addr":
        return done(this.#literal(lookup.address, asked));
      case "reverse":
        return this.#reverse(lookup.address, asked);
      case "nameservers":
        return this.#nameservers();
      case "authority":
        return this.#authority();
      case "foreign":
      case "invalid":
        // As cheap to say again as to keep, and there are too many such names to keep them.
        this.#fresh = null;
        return done(emptyAnswer(RCODE.NXDOMAIN));
    }
  }

  /** Takes note of what a result says of its life. */
  #noted<T extends Result>(result: T): T {
    if (result.isFresh === undefined) this.#fresh = null;
    else this.#fresh?.push(() => result.isFresh!());
    return result;
  }

  *#instances(lookup: Omit<InstancesLookup, "passingOnly">): Steps<readonly DnsInstance[]> {
    const passingOnly = this.#context.config.onlyPassing;
    const { kind, service, tag, datacenter, peer } = lookup;
    const found = this.#context.source.serviceInstances({ kind, service, tag, datacenter, peer, passingOnly });
    return healthy(this.#noted(yield* wait(found)).instances, passingOnly);
  }

  *#service(lookup: Omit<InstancesLookup, "passingOnly">, port: string, asked: Asked, depth: number): Steps<Answer> {
    const instances = yield* this.#instances(lookup);
    const ttl = serviceTtlSeconds(asked.config, lookup.service);
    return yield* this.#instanceAnswer(instances, lookup.datacenter, port, asked, ttl, true, depth);
  }

  *#preparedQuery(lookup: Lookup & { type: "query" }, asked: Asked, depth: number): Steps<Answer> {
    const { datacenter } = lookup;
    const found = this.#context.source.preparedQuery(lookup.query, { datacenter, from: this.#client.from });
    const result = yield* wait(found);
    if (result === null) {
      this.#fresh = null;
      return emptyAnswer(RCODE.NXDOMAIN);
    }
    this.#noted(result);
    const ttl = result.ttlSeconds ?? serviceTtlSeconds(asked.config, result.service);
    // The query has filtered by health itself, as it was told to.
    return yield* this.#instanceAnswer(result.instances, result.datacenter, "", asked, ttl, !result.ordered, depth);
  }

  /** The answer about instances: NXDOMAIN without any, no data (RFC 2308 §2.2) when none has the type asked for. */
  *#instanceAnswer(
    instances: readonly DnsInstance[],
    datacenter: string,
    port: string,
    asked: Asked,
    ttl: number,
    shuffle: boolean,
    depth: number,
  ): Steps<Answer> {
    if (instances.length === 0) return emptyAnswer(RCODE.NXDOMAIN);
    const wan = asked.config.translateWanAddresses && datacenter !== asked.datacenter;
    const srv = asked.type === TYPE.SRV;
    const rows = srv
      ? yield* this.#srvRows(instances, port, wan, asked, ttl, depth)
      : yield* this.#addressRows(instances, wan, asked, ttl, shuffle, depth);
    if (rows === null) return emptyAnswer(RCODE.NXDOMAIN);
    const answer = emptyAnswer();
    if (rows.length === 0) answer.authorities = [this.#soa()];
    return { ...answer, rows, shuffle, limit: srv ? 0 : asked.config.aRecordLimit };
  }

  /** Address rows; where there are none but host names, one of these as a CNAME, with what it leads to. */
  *#addressRows(
    instances: readonly DnsInstance[],
    wan: boolean,
    asked: Asked,
    ttl: number,
    shuffle: boolean,
    depth: number,
  ): Steps<Row[]> {
    const rows: Row[] = [];
    const names = new Set<string>();
    for (const instance of instances) {
      const place = placeOf(instance, asked, wan);
      if (place?.type === "name") names.add(place.name);
      else if (place !== null) {
        const row = addressRow(instance, place, asked, ttl, null);
        if (row !== null) rows.push(row);
      }
    }
    if (rows.length > 0 || names.size === 0) return rows;
    const all = [...names];
    // A name chosen by chance must not be kept as the answer.
    if (shuffle && all.length > 1) this.#fresh = null;
    const target = shuffle ? all[this.#context.random.below(all.length)]! : all[0]!;
    const alias: NameRecord = { type: "CNAME", name: asked.name, ttl, target };
    const chased = yield* this.#chase(target, asked.type, depth);
    return [{ key: target, answers: [alias, ...this.#limited(chased, ttl)], additionals: [] }];
  }

  /** SRV rows; null when a port was named and no instance has it. */
  *#srvRows(
    instances: readonly DnsInstance[],
    port: string,
    wan: boolean,
    asked: Asked,
    ttl: number,
    depth: number,
  ): Steps<Row[] | null> {
    const rows: Row[] = [];
    const named: { instance: DnsInstance; srv: { port: number; host: string }; name: string }[] = [];
    let ports = 0;
    for (const instance of instances) {
      const srv = srvPlace(instance, port, wan);
      if (srv === null) continue;
      ports += 1;
      const place = placeOf(instance, asked, wan);
      if (place?.type === "name") named.push({ instance, srv, name: place.name });
      else if (place !== null) {
        const row = addressRow(instance, place, asked, ttl, srv);
        if (row !== null) rows.push(row);
      }
    }
    if (ports === 0) return null;
    if (named.length > 0) {
      const help = yield* this.#chaseAll(new Set(named.map(({ name }) => name)), asked.type, depth);
      for (const { instance, srv, name } of named) {
        rows.push(srvRow(instance, asked, ttl, srv, name, this.#limited(help.get(name) ?? [], ttl)));
      }
    }
    return rows;
  }

  /** What a host name leads to, with the TTL of the answer that leads there. */
  #limited(chased: readonly ResourceRecord[], ttl: number): ResourceRecord[] {
    const kept = this.#client.edns ? chased : chased.slice(0, CHASED_RECORDS_MAX);
    return kept.map((record) => ({ ...record, ttl }));
  }

  *#node(lookup: Lookup & { type: "node" }, asked: Asked, depth: number): Steps<Answer> {
    const { type, config } = asked;
    const answer = emptyAnswer();
    if (type !== TYPE.A && type !== TYPE.AAAA && type !== TYPE.ANY && type !== TYPE.TXT) return answer;
    const { datacenter, peer } = lookup;
    const { node } = this.#noted(yield* wait(this.#context.source.node(lookup.node, { datacenter, peer })));
    if (node === null) return emptyAnswer(RCODE.NXDOMAIN);
    const answers: ResourceRecord[] = [];
    if (type !== TYPE.TXT) {
      const wan = config.translateWanAddresses && node.Datacenter !== asked.datacenter;
      const address = nodeAddress(node, asked.family, wan);
      const ip = parseAddress(address);
      const target = withoutFinalDot(address);
      if (ip !== null) {
        const record = addressRecord(asked.name, type, ip, config.nodeTtlSeconds);
        if (record !== null) answers.push(record);
      } else if (target !== "" && isWireName(target)) {
        answers.push({ type: "CNAME", name: asked.name, ttl: config.nodeTtlSeconds, target });
        answers.push(...(yield* this.#chase(target, type, depth)));
      }
    }
    const inAnswer = type === TYPE.TXT || type === TYPE.ANY;
    const meta = inAnswer || config.nodeMetaTxt ? metaRecords(asked.name, node, config.nodeTtlSeconds) : [];
    if (inAnswer) answers.push(...meta);
    else answer.additionals = meta;
    if (answers.length > 0) answer.rows = [{ key: "", answers, additionals: [] }];
    return answer;
  }

  *#virtual(service: string, peer: string, asked: Asked): Steps<Answer> {
    const result = this.#noted(yield* wait(this.#context.source.virtualAddress(service, peer)));
    const address = result.address === "" ? null : parseAddress(result.address);
    return address === null ? emptyAnswer() : this.#literal(address, asked);
  }

  /** An address by itself: the answer when its family was asked for, beside the answer otherwise. */
  #literal(address: Uint8Array, asked: Asked): Answer {
    const answer = emptyAnswer();
    const { name, config } = asked;
    const record = addressRecord(name, TYPE.ANY, address, config.nodeTtlSeconds)!;
    if (addressRecord(name, asked.type, address, 0) !== null && isAddressType(asked.type)) {
      answer.rows = [{ key: "", answers: [record], additionals: [] }];
    } else answer.additionals = [record];
    return answer;
  }

  /** Whose address this is: a node's, else a service's. Always named under the main domain. */
  *#reverse(address: string | null, asked: Asked): Steps<Answer> {
    const answer = emptyAnswer();
    const target = address === null ? "" : yield* this.#reverseTarget(address);
    if (target === "" || !isWireName(target)) answer.rcode = RCODE.NXDOMAIN;
    else {
      const record: NameRecord = { type: "PTR", name: asked.name, ttl: 0, target };
      answer.rows = [{ key: "", answers: [record], additionals: [] }];
      if (asked.type === TYPE.SOA) answer.authorities = [this.#soa()];
    }
    return answer;
  }

  *#reverseTarget(address: string): Steps<string> {
    const { source, zones } = this.#context;
    const { node } = this.#noted(yield* wait(source.nodeByAddress(address)));
    if (node !== null) return nodeName(node, zones.domain);
    const { service } = this.#noted(yield* wait(source.serviceByAddress(address)));
    return service === null ? "" : dotted(`${service.Name}.service.${service.Datacenter}`, zones.domain);
  }

  *#nameservers(): Steps<Answer> {
    const { records, glue } = yield* this.#servers();
    return { ...emptyAnswer(), rows: [{ key: "", answers: records, additionals: glue }] };
  }

  *#authority(): Steps<Answer> {
    const { records, glue } = yield* this.#servers();
    const rows = [{ key: "", answers: [this.#soa()], additionals: [] }];
    return { ...emptyAnswer(), rows, authorities: records, additionals: glue };
  }

  /** Up to three healthy servers by chance, with their addresses. An answer by chance is not kept. */
  *#servers(): Steps<Nameservers> {
    const { datacenter, config, random } = this.#context;
    const lookup = { kind: "service" as const, service: SERVERS, tag: "", datacenter, peer: "" };
    this.#fresh = null;
    let instances: readonly DnsInstance[];
    try {
      instances = yield* this.#instances(lookup);
    } catch (error) {
      if (!(error instanceof OperationalError)) throw error;
      return { records: [], glue: [] };
    }
    return nameserverRecords(shuffled(instances, random), this.#domain, datacenter, config);
  }

  #soa(): SoaRecord {
    return soaRecord(this.#context.zones, this.#context.config, this.#domain);
  }

  /** Follows several names at the same time. */
  *#chaseAll(names: ReadonlySet<string>, type: number, depth: number): Steps<Map<string, readonly ResourceRecord[]>> {
    const found = new Map<string, readonly ResourceRecord[]>();
    const waiting: Promise<void>[] = [];
    for (const name of [...names].slice(0, CHASED_NAMES_MAX)) {
      const records = drive(this.#chase(name, type, depth));
      if (records instanceof Promise) waiting.push(records.then((value) => void found.set(name, value)));
      else found.set(name, records);
    }
    if (waiting.length > 0) yield Promise.all(waiting);
    return found;
  }

  /** What a host name leads to: through the catalog if it is ours, by a recursor otherwise. Nothing when neither knows. */
  *#chase(name: string, type: number, depth: number): Steps<readonly ResourceRecord[]> {
    const { zones, datacenter, config, random } = this.#context;
    // The family that was asked for; ANY for SRV targets, so that they get what they have.
    const asked = type === TYPE.A || type === TYPE.AAAA ? type : TYPE.ANY;
    const { lookup, domain } = parseQuestion(name, asked, zones, datacenter, false);
    const wanted = (record: ResourceRecord): boolean =>
      record.type === "CNAME" ||
      (record.type === "A" && type !== TYPE.AAAA) ||
      (record.type === "AAAA" && type !== TYPE.A);
    if (lookup.type === "foreign" || lookup.type === "reverse") {
      if (config.recursors.length === 0) return [];
      this.#fresh = null;
      const family = asked === TYPE.AAAA ? TYPE.AAAA : TYPE.A;
      return (yield* wait(askRecursors(this.#context, name, family))).filter(wanted);
    }
    if (depth < 1) return [];
    const inner = new Resolution(this.#context, this.#client, domain);
    const answer = yield* inner.answer(lookup, name, asked, depth - 1);
    if (answer.fresh === null || answer.rows.length > 1) this.#fresh = null;
    else this.#fresh?.push(...answer.fresh);
    return arrange(answer, random, CHASED_RECORDS_MAX * CHASED_RECORDS_MAX).answers.filter(wanted);
  }
}

/** Types for which an address is the answer. */
function isAddressType(type: number): boolean {
  return type === TYPE.A || type === TYPE.AAAA || type === TYPE.ANY;
}

/** A result that needed no waiting, as steps. */
// eslint-disable-next-line require-yield
function* done<T>(value: T): Steps<T> {
  return value;
}

/**
 * The text of the address in a client subnet: its bytes, with zeros for those left out. "" when it tells nothing, which
 * is how a client asks that its address be not used (RFC 7871 §7.1.2).
 */
export function subnetAddress({ family, sourceBits, address }: ClientSubnet): string {
  if (sourceBits === 0) return "";
  const whole = new Uint8Array(family === 1 ? 4 : 16);
  whole.set(address);
  return formatAddress(whole);
}
