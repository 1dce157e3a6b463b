// What autopilot changes in the group, one server at a time and only on the leader
// (https://developer.hashicorp.com/consul/docs/manage/scale/autopilot): a server without a vote gets one when it has been
// healthy for the stabilization time; a server that left, or that failed for good, is removed. Never more voters count as
// dead than a minority, or nothing is removed; never fewer than `MinQuorum` are left. A server whose address another one has
// now is gone, whatever the settings: its data directory was new, so it came back under another id. Pure: the same health gives the same change.
import type { GroupHealth, ServerHealth } from "../endpoint/server-group.ts";
import type { ConfigurationChange } from "../raft/types.ts";

/** A server that no member has the id of is dead once nothing was heard of it for so long. */
const UNKNOWN_MS = 60_000;

/**
 * A failed voter stays until so many are left without it. Two voters stand the loss of no more servers than three of which
 * one is dead, but the dead one of three may come back; and whoever takes its place gets a vote first.
 */
const VOTERS_MIN = 3;

/** The part of the autopilot configuration that says what is changed. */
export interface CareSettings {
  cleanupDeadServers: boolean;
  minQuorum: number;
  stabilizationMs: number;
}

/** The next change, or null when all is as it should be. */
export function nextChange(health: GroupHealth, settings: CareSettings): ConfigurationChange | null {
  const { servers } = health;
  const stable = servers.find(
    ({ voter, healthy, stableMs }) => !voter && healthy && stableMs >= settings.stabilizationMs,
  );
  if (stable !== undefined) return { kind: "promote", id: stable.id };
  const dead = servers.filter((server) => isDead(server, settings) || isReplaced(server, servers));
  const learner = dead.find(({ voter }) => !voter);
  if (learner !== undefined) return { kind: "remove", id: learner.id };
  const voters = servers.filter(({ voter }) => voter).length;
  const deadVoters = dead.length;
  const [first] = dead;
  if (first === undefined || deadVoters > Math.floor((voters - 1) / 2)) return null;
  // Who left said so, and who was replaced has a successor: they are not held by a minimum.
  const isFree = (server: ServerHealth): boolean => server.memberStatus === "left" || isReplaced(server, servers);
  const least = Math.max(settings.minQuorum, VOTERS_MIN);
  const chosen = voters - 1 >= least ? first : dead.find(isFree);
  return chosen === undefined ? null : { kind: "remove", id: chosen.id };
}

const isReplaced = ({ id, address, memberStatus, leader }: ServerHealth, servers: readonly ServerHealth[]): boolean =>
  memberStatus === "none" &&
  !leader &&
  servers.some((other) => other.id !== id && other.address === address && other.memberStatus === "alive");

function isDead(
  { leader, memberStatus, lastContactMs, healthy, stableMs }: ServerHealth,
  settings: CareSettings,
): boolean {
  if (leader) return false;
  if (memberStatus === "left") return true;
  if (!settings.cleanupDeadServers) return false;
  // A restart is no death.
  if (memberStatus === "failed") return !healthy && stableMs >= settings.stabilizationMs;
  return memberStatus === "none" && !healthy && lastContactMs >= UNKNOWN_MS && stableMs >= UNKNOWN_MS;
}
