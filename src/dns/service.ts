// The DNS interface of an agent: a packet in, a packet out, or nothing. It answers at once when the source does, so that a
// listener can send the reply in the same turn. Broken packets get FORMERR or silence, never an exception.

import type { Random } from "../util/random.ts";
import { allocate } from "../util/slab.ts";
import { type Answer, arrange, emptyAnswer, isFresh } from "./answer.ts";
import { type Encoded, ReplyCache } from "./cache.ts";
import type { DnsConfig } from "./config.ts";
import { answersMax, encodeReply, type ReplyForm } from "./encode.ts";
import { copyOf } from "./copy.ts";
import { FLAG } from "./message.ts";
import { type ClientSubnet, ECHOED_FLAGS, QueryScan } from "./query.ts";
import { parseQuestion, type Zones, zones } from "./question.ts";
import { RCODE, TYPE } from "./record.ts";
import { forward } from "./recursor.ts";
import { resolve, type ResolveContext, subnetAddress } from "./resolve.ts";
import type { Awaitable, DnsSource, Transport } from "./source.ts";
import { drive } from "./steps.ts";
import { HEADER_BYTES } from "./wire-reader.ts";
import { WireWriter } from "./wire-writer.ts";

export interface DnsServiceOptions {
  config: DnsConfig;
  /** The agent's domain, such as "consul"; a dot at its end does not matter. */
  domain: string;
  /** A second one, or "". */
  altDomain?: string;
  /** The agent's own datacenter. */
  datacenter: string;
  source: DnsSource;
  /** For the order of answers, the choice of recursors and the ids of what is sent to them. */
  random: Random;
  /** Milliseconds since the epoch: the serial of the SOA. */
  wall(): number;
}

/** What happened since the start. */
export interface DnsCounters {
  /** Packets that came. */
  queries: number;
  /** Answered by bytes that were at hand. */
  cached: number;
  /** Dropped without an answer: too short, or answers themselves. */
  dropped: number;
  /** Told FORMERR, NOTIMP or BADVERS. */
  refused: number;
  /** Replies from which records were left out. */
  truncated: number;
  /** Passed to the recursors. */
  forwarded: number;
}

/** What of the packet is still needed when the scan has gone on to another: answers may come later. */
interface Query {
  packet: Uint8Array;
  id: number;
  flags: number;
  questionEnd: number;
  name: string;
  type: number;
  class: number;
  transport: Transport;
  edns: { udpBytes: number; subnet: ClientSubnet | null } | null;
  /** How the cache tells apart what is encoded differently; -1 when the reply must not be kept. */
  form: number;
  /** The configuration it came under: a reply made under an older one is not kept. */
  context: ResolveContext;
}

export class DnsService {
  readonly counters: DnsCounters = { queries: 0, cached: 0, dropped: 0, refused: 0, truncated: 0, forwarded: 0 };
  readonly #options: DnsServiceOptions;
  readonly #zones: Zones;
  readonly #cache: ReplyCache;
  readonly #scan = new QueryScan();
  readonly #writer = new WireWriter();
  #context: ResolveContext;

  constructor(options: DnsServiceOptions) {
    this.#options = options;
    this.#zones = zones(options.domain, options.altDomain);
    this.#cache = new ReplyCache(options.random);
    this.#context = this.#contextOf(options.config);
  }

  /** Takes a new configuration, as at a reload. */
  configure(config: DnsConfig): void {
    this.#context = this.#contextOf(config);
    this.#cache.clear();
  }

  #contextOf(config: DnsConfig): ResolveContext {
    const { source, datacenter, random } = this.#options;
    return { source, config, zones: this.#zones, datacenter, random };
  }

  /**
   * Answers a packet.
   * @param from the client's IP address, for prepared queries that sort by it.
   * @returns the reply, which is the caller's; null when there is to be none; a promise only if the source gave one or the
   * question goes to a recursor. Throws or rejects only for bugs.
   */
  handle(packet: Uint8Array, transport: Transport, from = ""): Awaitable<Uint8Array | null> {
    this.counters.queries += 1;
    const scan = this.#scan;
    const verdict = scan.read(packet);
    if (verdict !== "answer") return this.#refuse(verdict);
    if (scan.type === TYPE.AXFR || scan.type === TYPE.IXFR)
      return this.#refuseQuestion(packet, transport, RCODE.NOTIMP);
    // RFC 6891 §6.1.3.
    if (scan.edns && scan.ednsVersion !== 0) return this.#refuseQuestion(packet, transport, RCODE.BADVERS);
    const form = scan.hasSubnet ? -1 : formOf(scan, transport);
    if (form !== -1) {
      const found = this.#cache.find(packet, scan.questionEnd, form);
      if (found !== null) {
        if ("answer" in found) return this.#reply(this.#query(packet, transport, form), found.answer, found.slot);
        this.counters.cached += 1;
        return this.#stamped(found.encoded, scan.id, scan.flags);
      }
    }
    return this.#answer(this.#query(packet, transport, form), from);
  }

  #query(packet: Uint8Array, transport: Transport, form: number): Query {
    const scan = this.#scan;
    const { id, flags, type, questionEnd } = scan;
    return {
      packet,
      id,
      flags,
      questionEnd,
      name: scan.name(packet),
      type,
      class: (packet[questionEnd - 2]! << 8) | packet[questionEnd - 1]!,
      transport,
      edns: scan.edns ? { udpBytes: scan.udpBytes, subnet: scan.subnet(packet) } : null,
      form,
      context: this.#context,
    };
  }

  #answer(query: Query, from: string): Awaitable<Uint8Array | null> {
    const { context } = query;
    const recurses = context.config.recursors.length > 0;
    const parsed = parseQuestion(query.name, query.type, this.#zones, context.datacenter, recurses);
    if (parsed.lookup.type === "foreign") return this.#foreign(query);
    const subnet = query.edns?.subnet ?? null;
    const client = { from: subnet === null ? from : subnetAddress(subnet), edns: query.edns !== null };
    const answer = drive(resolve(context, parsed, query.name, query.type, client));
    const reverse = parsed.lookup.type === "reverse";
    if (!(answer instanceof Promise)) return this.#finish(query, answer, reverse);
    // The packet may lie in a buffer that the listener uses again.
    query.packet = copyOf(query.packet);
    return answer.then((later) => this.#finish(query, later, reverse));
  }

  /** An address that is not in the catalog may be known to a recursor. */
  #finish(query: Query, answer: Answer, reverse: boolean): Awaitable<Uint8Array> {
    if (reverse && answer.rcode === RCODE.NXDOMAIN && this.#context.config.recursors.length > 0) {
      return this.#foreign(query);
    }
    return this.#reply(query, answer, 0);
  }

  #foreign(query: Query): Awaitable<Uint8Array> {
    if (this.#context.config.recursors.length === 0) return this.#bare(query, RCODE.REFUSED);
    this.counters.forwarded += 1;
    const packet = copyOf(query.packet);
    return forward(this.#context, packet, query.questionEnd, query.transport).then(
      (reply) => reply ?? this.#bare(query, RCODE.SERVFAIL),
    );
  }

  /** Encodes a reply, keeps it if it may be kept, and makes it the client's. */
  #reply(query: Query, answer: Answer, slot: number): Uint8Array {
    const encoded = this.#encode(query, answer, true);
    if (query.form !== -1 && query.context === this.#context && isFresh(answer)) {
      this.#cache.put(query.packet, query.questionEnd, query.form, answer, slot, encoded);
    }
    return this.#stamped(encoded, query.id, query.flags);
  }

  /** A reply of no records. */
  #bare(query: Query, rcode: number): Uint8Array {
    return this.#stamped(this.#encode(query, emptyAnswer(rcode), false), query.id, query.flags);
  }

  #encode(query: Query, answer: Answer, authoritative: boolean): Encoded {
    const { config } = this.#context;
    const form: ReplyForm = {
      name: query.name,
      type: query.type,
      class: query.class,
      transport: query.transport,
      edns: query.edns,
      rcode: answer.rcode,
      authoritative,
      recursionAvailable: config.recursors.length > 0,
      global: answer.global,
    };
    const sections = arrange(answer, this.#options.random, answersMax(form, config));
    if (encodeReply(this.#writer, form, sections, config)) this.counters.truncated += 1;
    return { bytes: this.#writer.finish(), serialAt: this.#writer.serialAt };
  }

  /** A copy of an encoded reply with what is the client's: its id, its flags, and the time. */
  #stamped({ bytes, serialAt }: Encoded, id: number, flags: number): Uint8Array {
    const reply = allocate(bytes.length);
    reply.set(bytes);
    reply[0] = id >>> 8;
    reply[1] = id;
    const echoed = flags & ECHOED_FLAGS;
    reply[2]! |= echoed >>> 8;
    reply[3]! |= echoed;
    if (serialAt !== 0) {
      const serial = Math.floor(this.#options.wall() / 1000);
      for (let i = 0; i < 4; i += 1) reply[serialAt + i] = serial >>> (24 - 8 * i);
    }
    return reply;
  }

  #refuseQuestion(packet: Uint8Array, transport: Transport, rcode: number): Uint8Array {
    this.counters.refused += 1;
    return this.#bare(this.#query(packet, transport, -1), rcode);
  }

  /** A header alone, for what cannot be read or is not done here. */
  #refuse(verdict: "drop" | "format-error" | "not-implemented"): Uint8Array | null {
    if (verdict === "drop") {
      this.counters.dropped += 1;
      return null;
    }
    this.counters.refused += 1;
    const reply = allocate(HEADER_BYTES);
    const { id, flags } = this.#scan;
    reply[0] = id >>> 8;
    reply[1] = id;
    const rcode = verdict === "format-error" ? RCODE.FORMERR : RCODE.NOTIMP;
    const head = FLAG.QR | (flags & (0x7800 | FLAG.RD)) | rcode;
    reply[2] = head >>> 8;
    reply[3] = head;
    return reply;
  }
}

/** All that two packets with the same question may be answered differently for. */
function formOf(scan: QueryScan, transport: Transport): number {
  const edns = scan.edns ? 0x2_0000 | scan.udpBytes : 0;
  return transport === "tcp" ? edns | 0x1_0000 : edns;
}
