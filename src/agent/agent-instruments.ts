// What an agent, server or not, measures of itself.
import type { Meter, Sample } from "../util/instrument.ts";

/** The samples that an agent feeds. */
export interface AgentInstruments {
  /** How late the one timer goes off: the time that the event loop was kept from it. */
  readonly loopDelay: Sample;
  /** The leader's comparison of members and catalog. */
  readonly reconcile: Sample;
}

/** Makes them. */
export function agentInstruments(meter: Meter): AgentInstruments {
  return {
    loopDelay: meter.sample("runtime.event_loop_delay", "Time by which timers go off late"),
    reconcile: meter.sample("leader.reconcile", "Time spent updating the catalog from the members"),
  };
}
