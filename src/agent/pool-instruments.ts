// What a gossip pool measures of itself, under the names of memberlist and Serf
// (https://developer.hashicorp.com/consul/docs/monitor/telemetry/agent).
import type { MemberEventKind } from "../gossip/types.ts";
import type { Counter, Labels, Meter } from "../util/instrument.ts";

/** The counters that a pool feeds. */
export interface PoolInstruments {
  /** Calls to other members, and the bytes of them and of the answers given. */
  readonly connect: Counter;
  readonly sent: Counter;
  /** Calls of other members. */
  readonly accept: Counter;
  /** What became of members, this one among them. */
  readonly members: Readonly<Record<MemberEventKind, Counter>>;
}

/** Makes them for one pool, `lan` or `wan`. */
export function poolInstruments(meter: Meter, pool: string): PoolInstruments {
  const labels: Labels = [["network", pool]];
  const member = (what: string, help: string): Counter => meter.counter(`serf.member.${what}`, help, labels);
  return {
    connect: meter.counter("memberlist.tcp.connect", "Counts the calls to other members", labels),
    sent: meter.counter("memberlist.tcp.sent", "Measures the bytes sent to other members", labels),
    accept: meter.counter("memberlist.tcp.accept", "Counts the calls of other members", labels),
    members: {
      join: member("join", "Counts members that joined"),
      leave: member("left", "Counts members that left"),
      failed: member("failed", "Counts members that failed"),
      update: member("update", "Counts members that changed what they say of themselves"),
      reap: member("reap", "Counts members that were forgotten"),
    },
  };
}
