// How times and counts grow with the pool: memberlist's formulas.
import { ceilLog10, ceilLog2, log10Thousandths } from "./logarithm.ts";

/** Above so many members push-pull becomes rarer. */
const PUSH_PULL_SCALE_FROM = 32;

/** The least time of suspicion, in milliseconds: mult × log10(members), at least mult × 1, × the probe interval. */
export function suspicionTimeoutMs(mult: number, members: number, probeIntervalMs: number): number {
  const thousandths = Math.max(1000, log10Thousandths(members));
  return Math.floor((mult * thousandths * probeIntervalMs) / 1000);
}

/** To how many members an update is sent. */
export function retransmitLimit(mult: number, members: number): number {
  return mult * ceilLog10(members + 1);
}

/** The interval of push-pull: one more for every doubling above 32 members. */
export function pushPullScale(intervalMs: number, members: number): number {
  return members <= PUSH_PULL_SCALE_FROM ? intervalMs : intervalMs * (ceilLog2(members / PUSH_PULL_SCALE_FROM) + 1);
}
