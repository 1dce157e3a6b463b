// What it would mean to go on without the servers that are gone: pure, from what the survivors say of themselves. Of logs,
// the newest one by the rule of elections (term of the last entry, then length) holds everything that any of the survivors
// knows to be committed, so its server leads and the others follow it.
import type { Server } from "../raft/types.ts";

/** What a server says of itself. */
export interface RecoveryStatus {
  id: string;
  name: string;
  address: string;
  role: string;
  /** Who leads, as far as it knows. */
  leader: string | null;
  term: number;
  lastIndex: number;
  lastTerm: number;
  /** The highest index that it knows to be committed, even if it does not hold it. */
  knownCommit: number;
  servers: readonly Server[];
  /** Its peers.json that waits, as it understood it; null: none. */
  peers: readonly Server[] | null;
}

/** A server of the plan: of the configuration, and what it says if it answers. */
export interface PlannedServer extends Server {
  readonly status: RecoveryStatus | null;
}

/** What would be done, and what it would cost. */
export interface RecoveryPlan {
  /** Those of the newest configuration. */
  readonly servers: readonly PlannedServer[];
  readonly quorum: number;
  /** Voters that answer and hold a log. */
  readonly alive: number;
  /** Who is to lead; null when nobody can. */
  readonly lead: RecoveryStatus | null;
  readonly followers: readonly PlannedServer[];
  readonly dropped: readonly PlannedServer[];
  /** Entries at the end of the leader's log that may never have been acknowledged; they are kept. */
  readonly uncommitted: number;
  /** Entries known to be committed that no survivor holds. */
  readonly lost: number;
  /** The servers that are gone could have acknowledged writes among themselves. */
  readonly mayLose: boolean;
  /** Why it is not to be done; "" when it may be. */
  readonly refusal: string;
}

/** The better candidate to lead. */
function newer(a: RecoveryStatus, b: RecoveryStatus): RecoveryStatus {
  if (a.lastTerm !== b.lastTerm) return a.lastTerm > b.lastTerm ? a : b;
  if (a.lastIndex !== b.lastIndex) return a.lastIndex > b.lastIndex ? a : b;
  return a.id < b.id ? a : b;
}

/** Who leads of those that say so; null when all are empty. */
export function newestOf(statuses: readonly RecoveryStatus[]): RecoveryStatus | null {
  const holding = statuses.filter(({ lastIndex }) => lastIndex > 0);
  return holding.length === 0 ? null : holding.reduce(newer);
}

/** @param statuses of all that answer. */
export function planRecovery(statuses: readonly RecoveryStatus[]): RecoveryPlan {
  const byId = new Map(statuses.map((status) => [status.id, status]));
  const lead = newestOf(statuses);
  const servers = (lead?.servers ?? []).map((server): PlannedServer => ({
    ...server,
    status: byId.get(server.id) ?? null,
  }));
  const voters = servers.filter(({ voter }) => voter);
  const quorum = Math.floor(voters.length / 2) + 1;
  // A server without a log has lost its disk: it votes for nobody.
  const alive = voters.filter(({ status }) => status !== null && status.lastIndex > 0).length;
  const others = servers.filter(({ id }) => id !== lead?.id);
  const commit = Math.max(0, ...statuses.map(({ knownCommit }) => knownCommit));
  const gone = voters.filter(({ status }) => status === null || status.lastIndex === 0).length;
  return {
    servers,
    quorum,
    alive,
    lead,
    followers: others.filter(({ status }) => status !== null && status.lastIndex > 0),
    dropped: others.filter(({ status }) => status === null || status.lastIndex === 0),
    uncommitted: Math.max(0, (lead?.lastIndex ?? 0) - commit),
    lost: Math.max(0, commit - (lead?.lastIndex ?? 0)),
    mayLose: gone >= quorum,
    refusal: refusalOf(statuses, lead, alive, quorum, voters.length),
  };
}

function refusalOf(
  statuses: readonly RecoveryStatus[],
  lead: RecoveryStatus | null,
  alive: number,
  quorum: number,
  voters: number,
): string {
  if (lead === null) return "no server that answers holds a log: there is nothing to recover";
  const led = statuses.find(({ leader }) => leader !== null);
  if (led !== undefined)
    return `the group has a leader, says ${led.name || led.id}: take servers that are gone out with "operator raft remove-peer"`;
  if (!lead.servers.some(({ id }) => id === lead.id))
    return `the newest log is that of ${lead.name || lead.id}, which is no server of the group any more`;
  if (alive >= quorum)
    return `a quorum is there: ${alive} of ${voters} voters answer and ${quorum} are enough, so they will elect a leader`;
  return "";
}
