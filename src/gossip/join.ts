// Joining a pool through any of its members.
import type { Core } from "./core.ts";
import { announceJoin } from "./intents.ts";
import { startPushPull } from "./push-pull.ts";
import type { JoinFailure } from "./types.ts";

/** A `join` of the host's that has not ended. */
export interface JoinAttempt {
  readonly ref: number;
  readonly ignoreOld: boolean;
  open: number;
  contacted: number;
  readonly failures: JoinFailure[];
}

/** Calls all addresses at once, but this member's own. */
export function onJoin(core: Core, ref: number, addresses: readonly string[], ignoreOld: boolean): void {
  const others = new Set(addresses);
  others.delete(core.self.record.address);
  const join: JoinAttempt = { ref, ignoreOld, open: others.size, contacted: 0, failures: [] };
  for (const address of others) startPushPull(core, address, true, { type: "push-pull", address, join });
  if (others.size === 0) settleJoin(core, join);
}

/** One of the addresses has answered (null) or not. */
export function onJoinAnswer(core: Core, join: JoinAttempt, failure: JoinFailure | null): void {
  join.open -= 1;
  if (failure === null) join.contacted += 1;
  else join.failures.push(failure);
  if (join.open === 0) settleJoin(core, join);
}

function settleJoin(core: Core, join: JoinAttempt): void {
  const { ref, contacted, failures } = join;
  if (contacted > 0 && core.leaving === null) announceJoin(core);
  core.emit({ type: "joined", ref, contacted, failures });
}
