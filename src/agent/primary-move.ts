// Moving the primary to another datacenter, which Consul cannot: first a plan, which any agent can make, then the move as
// the plan says. The old primary steps down in its log; the new one hears of it, takes over what it had, and is the primary from then on.
// In between nobody is. Without the old primary only force makes a new one: its epoch is higher, so the old one gives way as
// soon as it hears of it, and what only the old one took meanwhile gives way too. docs/operating/replication.md
import { configEntryList } from "../endpoint/config-entry.ts";
import { federationStatus, type FederationStatus, primarySeize, primaryStepDown } from "../endpoint/federation.ts";
import type { Timers } from "../host/timers.ts";
import { differingEntries } from "../replicator/config-entries.ts";
import type { Platform } from "../platform.ts";
import type { Route } from "../rpc/route.ts";
import { isNewer } from "../state/federation.ts";
import { OperationalError } from "../types/error.ts";
import type { ConfigEntry, Primary } from "../types/records.ts";

/** A datacenter as it was seen for a plan. */
export interface SeenDatacenter {
  name: string;
  status: FederationStatus | null;
  /** Why it could not be asked. */
  error: string;
}

/** What a move would do. */
export interface PrimaryPlan {
  to: string;
  /** The newest word of all that were asked. */
  primary: Primary;
  seen: SeenDatacenter[];
  /** How many configuration entries of the primary the target has not, or has otherwise; null when that is not known. */
  behind: number | null;
  /** Why not, where force would do it all the same. */
  refusals: string[];
  /** Why not, whatever anybody wants. */
  impossible: string;
}

/** What a move came to. */
export interface PrimaryMoved {
  plan: PrimaryPlan;
  epoch: number;
  /** The target has taken over. When not, it does so as soon as it hears of it; until then nobody is the primary. */
  isTaken: boolean;
}

/** What a move needs of the agent that is asked for it. */
export interface MovingAgent {
  readonly route: Route;
  readonly timers: Timers;
  readonly platform: Pick<Platform, "now">;
  readonly calls: {
    /** All datacenters that the servers know, this one first. */
    datacenters(): Promise<readonly string[]>;
  };
}

/** How long to wait for the target to take over. */
const TAKEN_MS = 15_000;
const POLL_MS = 100;

/** Asks all known datacenters who they take for the primary. */
export async function seenDatacenters({ route, calls }: MovingAgent): Promise<SeenDatacenter[]> {
  const names = await calls.datacenters();
  return Promise.all(
    names.map(async (name) => {
      try {
        return { name, status: await route.command(federationStatus, null, name), error: "" };
      } catch (error) {
        if (!(error instanceof OperationalError)) throw error;
        return { name, status: null, error: error.message };
      }
    }),
  );
}

/** The newest word about the primary of the family that this agent's own datacenter is of. */
export function newestPrimary(seen: readonly SeenDatacenter[]): Primary {
  const own = seen[0]?.status;
  if (own === null || own === undefined) throw new OperationalError("no-leader", seen[0]?.error || "No cluster leader");
  let newest = own.primary;
  for (const { status } of seen)
    if (status !== null && status.primary.Family === newest.Family && isNewer(status.primary, newest))
      newest = status.primary;
  return newest;
}

/** What moving the primary to a datacenter would mean. Changes nothing. */
export async function planPrimaryMove(agent: MovingAgent, to: string): Promise<PrimaryPlan> {
  const { route } = agent;
  const seen = await seenDatacenters(agent);
  const primary = newestPrimary(seen);
  const plan: PrimaryPlan = { to, primary, seen, behind: null, refusals: [], impossible: "" };
  const target = seen.find(({ name }) => name === to);
  const source = seen.find(({ name }) => name === primary.Datacenter);
  if (target === undefined) plan.impossible = `no datacenter '${to}' is known here`;
  else if (target.status === null) plan.impossible = `${to} cannot be reached, so it cannot take over: ${target.error}`;
  else if (target.status.primary.Datacenter === to)
    plan.impossible =
      primary.Datacenter === to ? `${to} is the primary` : `${to} follows no other datacenter: it is its own primary`;
  if (plan.impossible !== "" || target?.status == null) return plan;
  if (primary.Datacenter === to) {
    plan.refusals.push(
      `the primary stepped down in favour of ${to} already, which has not taken over yet: it does once it reaches ${target.status.primary.Datacenter}`,
    );
    return plan;
  }
  if (target.status.primary.Datacenter !== primary.Datacenter)
    plan.refusals.push(`${to} still takes ${target.status.primary.Datacenter} for the primary: it is behind`);
  if (source === undefined || source.status === null) {
    const link = target.status.links.find(({ kind }) => kind === "config-entries");
    if (link?.state === "following" && route.topology.datacenter !== to)
      plan.impossible = `${primary.Datacenter} cannot be reached from here, but ${to} reaches it: ask an agent there`;
    plan.refusals.push(
      `${primary.Datacenter} cannot be reached: if it still runs, it takes writes until it hears of the move, and they are lost`,
    );
    return plan;
  }
  const [there, here] = await Promise.all([entriesOf(route, primary.Datacenter), entriesOf(route, to)]);
  plan.behind = differingEntries(there, here);
  if (plan.behind > 0) plan.refusals.push(`${to} is behind by ${plan.behind} configuration entries`);
  return plan;
}

async function entriesOf(route: Route, datacenter: string): Promise<readonly ConfigEntry[]> {
  const options = { consistency: "consistent", index: 0, waitMs: 0 } as const;
  return (await route.query(configEntryList, { kind: "", filter: "" }, options, datacenter)).shared.read.value;
}

/** Moves the primary. @throws OperationalError `conflict` when the plan says no. */
export async function movePrimary(agent: MovingAgent, to: string, isForced: boolean): Promise<PrimaryMoved> {
  const { route, timers, platform } = agent;
  const plan = await planPrimaryMove(agent, to);
  const { primary, seen, refusals, impossible } = plan;
  if (impossible !== "") throw new OperationalError("conflict", `The primary is not moved: ${impossible}`);
  if (refusals.length > 0 && !isForced)
    throw new OperationalError(
      "conflict",
      `The primary is not moved: ${refusals.join("; ")}. Force does it all the same`,
    );
  const source = seen.find(({ name }) => name === primary.Datacenter);
  const known = seen.find(({ name }) => name === to)?.status?.primary ?? primary;
  const canStepDown = source !== undefined && source.status !== null && primary.Datacenter !== to;
  const { Epoch: epoch } = canStepDown
    ? await route.command(primaryStepDown, { to, epoch: primary.Epoch }, primary.Datacenter)
    : await route.command(primarySeize, { to, epoch: known.Epoch, above: primary.Epoch }, to);
  const until = platform.now() + TAKEN_MS;
  let isTaken = false;
  while (!isTaken && platform.now() < until) {
    isTaken = await hasTaken(route, to, epoch);
    if (!isTaken) await new Promise<void>((resolve) => void timers.after(POLL_MS, resolve));
  }
  return { plan, epoch, isTaken };
}

async function hasTaken(route: Route, to: string, epoch: number): Promise<boolean> {
  try {
    const { primary } = await route.command(federationStatus, null, to);
    return primary.Datacenter === to && primary.Epoch >= epoch;
  } catch (error) {
    if (error instanceof OperationalError) return false;
    throw error;
  }
}
