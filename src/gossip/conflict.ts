// Two members that claim one name. Among others it is only told. Over this member's own name it is settled: if the other one
// answers by that name at its address, other members are asked whom they know, and who is known to fewer must go (Serf).
import type { Core } from "./core.ts";
import type { Member } from "./member-table.ts";
import { isLeaf, isReachable } from "./member-table.ts";
import { broadcast } from "./spreading.ts";
import type { Answer } from "./types.ts";

/** Members asked at most. */
const VOTERS_MAX = 16;

/** A conflict over this member's own name. */
export interface Conflict {
  readonly otherAddress: string;
  readonly incarnation: number;
  open: number;
  forSelf: number;
  forOther: number;
}

/** `known` is held to be at one address, and somebody says that it is at another. Told once in a while only. */
export function reportConflict(core: Core, known: Member, otherAddress: string, incarnation = 0): void {
  if (core.now - known.conflictMs < core.timings.deadNodeReclaimMs) return;
  known.conflictMs = core.now;
  const { name, address } = known.record;
  core.emit({ type: "name-conflict", name, address, otherAddress });
  if (known !== core.self || otherAddress === "" || core.conflict !== null) return;
  core.conflict = { otherAddress, incarnation, open: 0, forSelf: 0, forOther: 0 };
  const message = { type: "ping", from: core.name, target: core.name, updates: [], received: 0 } as const;
  core.call(otherAddress, message, core.timings.probeIntervalMs, { type: "verify", conflict: core.conflict }, []);
}

/** Does the other one live? If not, the name is this member's, and the pool is told so. */
export function onVerified(core: Core, conflict: Conflict, answer: Answer | null): void {
  if (answer === null || answer.type !== "ack" || answer.from !== core.name) {
    core.conflict = null;
    if (core.leaving !== null) return;
    core.self.incarnation = Math.max(core.self.incarnation, conflict.incarnation) + 1;
    broadcast(core, { type: "alive", incarnation: core.self.incarnation, member: core.self.record });
    return;
  }
  const voters = core.table.pick(
    VOTERS_MAX,
    core.random,
    (member) => member !== core.self && isReachable(member) && !isLeaf(member.record),
  );
  conflict.open = voters.length;
  const message = { type: "who-holds", from: core.name, name: core.name } as const;
  for (const { record } of voters) {
    core.call(record.address, message, core.timings.probeIntervalMs, { type: "vote", conflict }, []);
  }
  if (voters.length === 0) core.conflict = null;
}

/** One of those asked has answered, or will not. */
export function onVote(core: Core, conflict: Conflict, answer: Answer | null): void {
  conflict.open -= 1;
  if (answer?.type === "holder") {
    if (answer.address === conflict.otherAddress) conflict.forOther += 1;
    else if (answer.address === core.self.record.address) conflict.forSelf += 1;
  }
  if (conflict.open > 0) return;
  core.conflict = null;
  if (conflict.forOther > conflict.forSelf) core.emit({ type: "name-lost", address: conflict.otherAddress });
}
