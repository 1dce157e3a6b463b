// An answer's records to bytes, cut to what the client can take. The rules are Consul's (dns_config of its reference, and
// what it was seen to do); where they differ from RFC 2181 §9 and 6891 §6.1.1 this is said at the code.

import type { Sections } from "./answer.ts";
import type { DnsConfig } from "./config.ts";
import { FLAG } from "./message.ts";
import type { ClientSubnet } from "./query.ts";
import { RCODE, TYPE, type OptRecord, type ResourceRecord } from "./record.ts";
import type { Transport } from "./source.ts";
import type { WireWriter } from "./wire-writer.ts";

const OPTION_CLIENT_SUBNET = 8;
/** What a UDP client can take that tells nothing (RFC 1035 §4.2.1). */
const UDP_BYTES = 512;
/** Beyond this an IP packet has no room for its own headers. */
const UDP_BYTES_MAX = 65_467;
/** The UDP header, which Consul takes off what a client can take. */
const UDP_HEADER_BYTES = 8;
const TCP_BYTES_MAX = 65_523;
/** Answers that are not even tried by TCP: more never fit. */
const TCP_ANSWERS_MAX = 4096;
const TCP_SRV_ANSWERS_MAX = 1024;
/** The most that `udp_answer_limit` may allow. */
const UDP_ANSWERS_MAX = 8;

/** No answer is shorter: an owner of two bytes, ten of head, and something said. */
const ANSWER_BYTES_MIN = 13;

/** What the encoding depends on beside the records. */
export interface ReplyForm {
  name: string;
  type: number;
  class: number;
  transport: Transport;
  /** The client's EDNS; null without. */
  edns: { udpBytes: number; subnet: ClientSubnet | null } | null;
  rcode: number;
  authoritative: boolean;
  recursionAvailable: boolean;
  /** Whether the answer holds for everyone, or for the client's network alone. */
  global: boolean;
}

/** More answers than this make no difference to the reply. */
export function answersMax(
  { transport, type, edns }: Pick<ReplyForm, "transport" | "type" | "edns">,
  config: DnsConfig,
): number {
  if (transport === "tcp") return type === TYPE.SRV ? TCP_SRV_ANSWERS_MAX : TCP_ANSWERS_MAX;
  const size = udpBytes(edns);
  return size === UDP_BYTES ? udpAnswersMax(config) + 1 : Math.ceil(size / ANSWER_BYTES_MIN);
}

function udpAnswersMax(config: DnsConfig): number {
  return Math.max(1, Math.min(UDP_ANSWERS_MAX, config.udpAnswerLimit));
}

function udpBytes(edns: ReplyForm["edns"]): number {
  return edns === null ? UDP_BYTES : Math.min(UDP_BYTES_MAX, Math.max(UDP_BYTES, edns.udpBytes));
}

/**
 * Writes a reply with id 0 and without the bits that echo the question's; `writer` holds it afterwards.
 * @returns true when answers were left out.
 */
export function encodeReply(writer: WireWriter, form: ReplyForm, sections: Sections, config: DnsConfig): boolean {
  const compress = !config.disableCompression;
  const opt = form.edns === null ? null : optRecord(form, form.edns.udpBytes, form.edns.subnet);
  const additionals = opt === null ? sections.additionals : [...sections.additionals, opt];
  const draft = new Draft(writer, form, sections, additionals);
  const total = sections.answers.length;
  let truncated: boolean;
  if (form.transport === "tcp") {
    // As in Consul, answers beyond the number that is tried do not count as left out.
    truncated = fit(draft, TCP_BYTES_MAX, TCP_BYTES_MAX, compress);
  } else {
    const size = udpBytes(form.edns);
    const most = udpAnswersMax(config);
    const few = size === UDP_BYTES && total > most;
    if (few) {
      draft.cut(most);
      draft.keepHelp();
    }
    // Few answers are measured as if uncompressed: a relay between us and the client may write them so.
    fit(draft, size - UDP_HEADER_BYTES, size, compress && !few);
    truncated = draft.count < total || sections.more;
  }
  draft.finish(compress, truncated && config.enableTruncate);
  return truncated;
}

/** The client's size is told back as it came; so is its network, with the scope of the answer (RFC 7871 §7.2.1). */
function optRecord({ rcode, global }: ReplyForm, udpBytes: number, subnet: ClientSubnet | null): OptRecord {
  const options: { code: number; data: Uint8Array }[] = [];
  if (subnet !== null) {
    const failed = rcode !== RCODE.NOERROR && rcode !== RCODE.FORMERR;
    const data = new Uint8Array(4 + subnet.address.length);
    data.set([subnet.family >>> 8, subnet.family, subnet.sourceBits, global || failed ? 0 : subnet.sourceBits]);
    data.set(subnet.address, 4);
    options.push({ code: OPTION_CLIENT_SUBNET, data });
  }
  return { type: "OPT", udpBytes, extendedRcode: rcode >>> 4, version: 0, dnssecOk: false, options };
}

/**
 * Leaves answers out until the reply has at most `budget` bytes, but never the last one. If that alone is more than
 * `limit`, what helps with it goes: better an answer without than none, or than one too large to arrive.
 */
function fit(draft: Draft, budget: number, limit: number, compress: boolean): boolean {
  let size = draft.measure(compress);
  let trimmed = false;
  while (draft.count > 1 && size > budget) {
    trimmed = true;
    const before = draft.count;
    draft.dropAuthorities();
    draft.keepHelp();
    // A little too large is one answer too many; otherwise search.
    if (size - limit > 100) draft.cut(largest(draft, before, budget, compress));
    else draft.cut(before - 1);
    size = draft.measure(compress);
  }
  if (size > limit) draft.dropHelp();
  return trimmed;
}

/** The most answers, at least 1 and at most `count`, that fit the budget. Sizes grow with answers, nearly in proportion. */
function largest(draft: Draft, count: number, budget: number, compress: boolean): number {
  let fits = 1;
  let over = count + 1;
  let guess = count;
  for (let tries = 0; over - fits > 1; tries += 1) {
    guess = tries > 3 ? fits + ((over - fits) >> 1) : Math.min(over - 1, Math.max(fits + 1, guess));
    draft.cut(guess);
    const size = draft.measure(compress);
    if (size <= budget) {
      fits = guess;
      guess += Math.max(1, Math.floor(((budget - size) * guess) / size));
    } else {
      over = guess;
      guess -= Math.max(1, Math.ceil(((size - budget) * guess) / size));
    }
  }
  return fits;
}

/** A reply whose length is being decided. */
class Draft {
  readonly #writer: WireWriter;
  readonly #form: ReplyForm;
  readonly #answers: readonly ResourceRecord[];
  readonly #all: readonly ResourceRecord[];
  #help: Map<string, ResourceRecord> | null = null;
  /** How the writer's content was written; null when it is not this draft as it stands. */
  #written: boolean | null = null;
  #count: number;
  #authorities: readonly ResourceRecord[];
  #additionals: readonly ResourceRecord[];

  constructor(writer: WireWriter, form: ReplyForm, sections: Sections, additionals: readonly ResourceRecord[]) {
    this.#writer = writer;
    this.#form = form;
    this.#answers = sections.answers;
    this.#all = additionals;
    this.#count = sections.answers.length;
    this.#authorities = sections.authorities;
    this.#additionals = additionals;
  }

  /** Answers that are kept. */
  get count(): number {
    return this.#count;
  }

  /** Keeps the first `count` answers, and the records that help with them if those are chosen by answer. */
  cut(count: number): void {
    this.#count = count;
    this.#written = null;
    if (this.#help !== null) this.#additionals = this.#helpFor(this.#help);
  }

  dropAuthorities(): void {
    this.#authorities = [];
    this.#written = null;
  }

  /** Drops all that only helps. */
  dropHelp(): void {
    this.#additionals = this.#additionals.filter((record) => record.type === "OPT");
    this.#written = null;
  }

  /**
   * From now on only one record per target of the answers is kept beside them. That drops the OPT record too, which
   * RFC 6891 §6.1.1 wants in every answer to a question with one; Consul's answers were recorded so.
   */
  keepHelp(): void {
    if (this.#help !== null || this.#all.length === 0) return;
    const help = new Map<string, ResourceRecord>();
    for (const record of this.#all) {
      if (record.type === "OPT") continue;
      const owner = record.name.toLowerCase();
      if (!help.has(owner)) help.set(owner, record);
    }
    this.#help = help;
    this.#additionals = this.#helpFor(help);
    this.#written = null;
  }

  #helpFor(help: ReadonlyMap<string, ResourceRecord>): ResourceRecord[] {
    const kept = new Set<ResourceRecord>();
    for (let at = 0; at < this.#count; at += 1) {
      const answer = this.#answers[at]!;
      if (answer.type !== "SRV") continue;
      let record = help.get(answer.target.toLowerCase());
      while (record !== undefined && !kept.has(record)) {
        kept.add(record);
        record = record.type === "CNAME" ? help.get(record.target.toLowerCase()) : undefined;
      }
    }
    return [...kept];
  }

  /** The reply's size as it stands. */
  measure(compress: boolean): number {
    this.#write(compress);
    return this.#writer.at;
  }

  /** Leaves the reply in the writer: as measured last, if that was it. */
  finish(compress: boolean, truncated: boolean): void {
    if (this.#written !== compress) this.#write(compress);
    if (truncated) this.#writer.bytes[2]! |= FLAG.TC >>> 8;
  }

  #write(compress: boolean): void {
    this.#written = compress;
    const writer = this.#writer;
    const { name, type, class: klass, rcode, authoritative, recursionAvailable } = this.#form;
    writer.begin(compress);
    writer.u16(0);
    writer.u16(FLAG.QR | (authoritative ? FLAG.AA : 0) | (recursionAvailable ? FLAG.RA : 0) | (rcode & 15));
    writer.u16(1);
    writer.u16(this.#count);
    writer.u16(this.#authorities.length);
    writer.u16(this.#additionals.length);
    writer.name(name);
    writer.u16(type);
    writer.u16(klass);
    for (let at = 0; at < this.#count; at += 1) writer.record(this.#answers[at]!);
    for (const record of this.#authorities) writer.record(record);
    for (const record of this.#additionals) writer.record(record);
  }
}
