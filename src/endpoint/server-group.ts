// What the leader lends to the operator's endpoints: the Raft group as it is configured, how its servers are, and the
// changes that an operator may ask for.
import type { ConfigurationChange, Server } from "../raft/types.ts";
import type { UserMap } from "../types/records.ts";

/** What is known of a server of the group, as of the last look. */
export interface ServerHealth {
  readonly id: string;
  /** Its node's name, "" while no member has its id. */
  readonly name: string;
  readonly address: string;
  /** As the LAN pool has it; "none" while no member has its id. */
  readonly memberStatus: "alive" | "leaving" | "left" | "failed" | "none";
  readonly version: string;
  readonly meta: UserMap;
  readonly voter: boolean;
  readonly leader: boolean;
  /** Milliseconds since the leader heard of it; Infinity when it never did. */
  readonly lastContactMs: number;
  readonly lastTerm: number;
  readonly lastIndex: number;
  readonly healthy: boolean;
  /** Its state was found to be other than the group's. */
  readonly diverged: boolean;
  /** Since when `healthy` is what it is, epoch milliseconds. */
  readonly stableSinceMs: number;
  /** For how many milliseconds that was so at the last look, by the monotonic clock. */
  readonly stableMs: number;
}

export interface GroupHealth {
  readonly servers: readonly ServerHealth[];
  /** All of them are healthy, and there are some. */
  readonly healthy: boolean;
  /** How many healthy voters may be lost with a quorum left. */
  readonly failureTolerance: number;
}

export interface ServerGroup {
  /** As configured now. */
  readonly servers: readonly Server[];
  /** The leader's id, null when none is known. */
  readonly leader: string | null;
  readonly health: GroupHealth;
  /** The name of a server's node, "" when no member has its id. */
  nameOf(id: string): string;
  /** Resolves once the change is committed. @throws OperationalError when it is refused, or its outcome is unknown. */
  change(change: ConfigurationChange): Promise<void>;
  /** Hands leadership to a server, or to the best one for null. @throws OperationalError when it cannot be. */
  transfer(to: string | null): Promise<void>;
}
