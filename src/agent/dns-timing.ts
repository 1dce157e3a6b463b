// Times of DNS queries, by Consul's two names. Names that go on to a recursor are another server's and count in neither.
import type { DnsService } from "../dns/service.ts";
import type { Meter, Sample } from "../util/instrument.ts";

const HEADER_BYTES = 12;
const TYPE_PTR = 12;

/** Times what a DNS service does. */
export class DnsTiming {
  readonly #domain: Sample;
  readonly #pointer: Sample;
  readonly #now: () => number;

  constructor(meter: Meter, now: () => number) {
    this.#domain = meter.sample("dns.domain_query", "Time it takes to handle a domain query");
    this.#pointer = meter.sample("dns.ptr_query", "Time it takes to handle a reverse DNS query");
    this.#now = now;
  }

  /** Answers by `dns`, and notes how long that took. */
  handle(
    dns: DnsService,
    packet: Uint8Array,
    transport: "udp" | "tcp",
    from: string,
  ): ReturnType<DnsService["handle"]> {
    const startedMs = this.#now();
    const { forwarded } = dns.counters;
    const reply = dns.handle(packet, transport, from);
    if (dns.counters.forwarded !== forwarded) return reply;
    const sample = isPointerQuestion(packet) ? this.#pointer : this.#domain;
    if (reply instanceof Promise)
      return reply.then((late) => {
        sample.add(this.#now() - startedMs);
        return late;
      });
    sample.add(this.#now() - startedMs);
    return reply;
  }
}

/** True when the first question is one for a name by an address. */
function isPointerQuestion(packet: Uint8Array): boolean {
  let at = HEADER_BYTES;
  for (let length = packet[at]; length !== undefined && length > 0; length = packet[at]) at += length + 1;
  return packet[at + 1] === 0 && packet[at + 2] === TYPE_PTR;
}
