// What an agent, server or not, measures of itself.
import type { Counter, Meter, Sample } from "../util/instrument.ts";

/** The counters and samples that an agent feeds. */
export interface AgentInstruments {
  /** Members that came, this one among them. */
  readonly joined: Counter;
  readonly left: Counter;
  /** How late the one timer goes off: the time that the event loop was kept from it. */
  readonly loopDelay: Sample;
  /** The leader's comparison of members and catalog. */
  readonly reconcile: Sample;
}

/** Makes them. */
export function agentInstruments(meter: Meter): AgentInstruments {
  return {
    joined: meter.counter("serf.member.join", "Counts members that joined"),
    left: meter.counter("serf.member.left", "Counts members that left"),
    loopDelay: meter.sample("runtime.event_loop_delay", "Time by which timers go off late"),
    reconcile: meter.sample("leader.reconcile", "Time spent updating the catalog from the members"),
  };
}
