// Anti-entropy: the agent's own services, checks and node information go to the catalog, and what the catalog has of this
// node that the agent does not know goes away. `sync-schedule.ts` says when, `catalog-diff.ts` says what; this asks and
// sends, one request after the other.
import { MachineHost } from "../host/machine-host.ts";
import type { Timers } from "../host/timers.ts";
import type { Platform } from "../platform.ts";
import type { CatalogDeregister, CatalogRegister } from "../state/command.ts";
import { OperationalError } from "../types/error.ts";
import type { HealthCheck } from "../types/records.ts";
import type { Random } from "../util/random.ts";
import {
  type CatalogNode,
  compare,
  type NodeIdentity,
  pendingKeys,
  requestFor,
  type SyncKey,
  type SyncRequest,
  type SyncTokens,
} from "./catalog-diff.ts";
import type { LocalState } from "./local-state.ts";
import type { Logger } from "./logs.ts";
import { type SyncEffect, type SyncInput, SyncSchedule } from "./sync-schedule.ts";

/** The catalog, asked of the servers. Every method may throw an OperationalError; each must end, by a timeout at the latest. */
export interface CatalogClient {
  /** What the catalog has of the node; null when it does not know it. */
  nodeServices(node: string): Promise<CatalogNode | null>;
  nodeChecks(node: string): Promise<HealthCheck[]>;
  /** @param token the ACL token to do it with; "" is anonymous. */
  register(request: CatalogRegister, token: string): Promise<void>;
  deregister(request: CatalogDeregister, token: string): Promise<void>;
}

/** What it works with. */
export interface AntiEntropyOptions {
  local: LocalState;
  /** What the agent says of its node, read at each use. */
  identity(): NodeIdentity;
  catalog: CatalogClient;
  tokens: SyncTokens;
  platform: Pick<Platform, "now">;
  timers: Timers;
  random: Random;
  logger: Logger;
  /** Between two full synchronisations, before the stagger. */
  intervalMs?: number;
  /** The schedule broke: a bug. */
  failed(error: unknown): void;
}

/** Keeps the catalog in step with the local state, from `start` to `stop`. */
export class AntiEntropy {
  readonly #options: AntiEntropyOptions;
  readonly #host: MachineHost<SyncInput, SyncEffect>;
  readonly #unsubscribe: () => void;
  #nodeInSync = false;
  /** Another number after each change of the node's information. */
  #nodeVersion = 0;

  constructor(options: AntiEntropyOptions) {
    this.#options = options;
    this.#host = new MachineHost<SyncInput, SyncEffect>({
      machine: new SyncSchedule(options.random, options.intervalMs),
      platform: options.platform,
      timers: options.timers,
      timeout: { type: "timeout" },
      perform: ({ full }) => void this.#sync(full),
      failed: options.failed,
    });
    this.#unsubscribe = options.local.subscribe((change) => {
      if (change.type !== "check-status" || change.sync === "now") this.#host.dispatch({ type: "changed" });
    });
  }

  /** Begins with a full synchronisation. */
  start(): void {
    this.#host.dispatch({ type: "start" });
  }

  stop(): void {
    this.#unsubscribe();
    this.#host.stop();
  }

  /** Address or metadata of the node have changed. */
  nodeChanged(): void {
    this.#nodeInSync = false;
    this.#nodeVersion += 1;
    this.#host.dispatch({ type: "changed" });
  }

  serverUp(): void {
    this.#host.dispatch({ type: "server-up" });
  }

  /** @param nodes how many members the datacenter has. */
  setClusterSize(nodes: number): void {
    this.#host.dispatch({ type: "cluster-size", nodes });
  }

  /** Holds synchronisations back while `change` runs, as a reload wants it. */
  paused<T>(change: () => T): T {
    this.#host.dispatch({ type: "pause" });
    try {
      return change();
    } finally {
      this.#host.dispatch({ type: "resume" });
    }
  }

  async #sync(full: boolean): Promise<void> {
    // What makes several changes at once has made them all before the first of them is sent.
    await Promise.resolve();
    let ok = false;
    try {
      if (full) await this.#compare();
      ok = await this.#send();
    } catch (error) {
      if (!(error instanceof OperationalError)) {
        // A bug in here or in the client: said, and the rest of the agent goes on.
        this.#options.failed(error);
      }
      this.#options.logger.error("failed to sync remote state", { error });
    }
    this.#host.dispatch({ type: "done", ok });
  }

  /** Asks the catalog, and marks what is in sync and what is to go. */
  async #compare(): Promise<void> {
    const { local, catalog, identity } = this.#options;
    const remote = await catalog.nodeServices(local.nodeName);
    const remoteChecks = await catalog.nodeChecks(local.nodeName);
    // Held against what is here now: what changed while we asked differs from the answers, and is sent.
    const found = compare(local, identity(), remote, remoteChecks);
    this.#nodeInSync = found.nodeInSync;
    for (const [id, record] of local.services) record.inSync = found.services.has(id);
    for (const [id, record] of local.checks) record.inSync = found.checks.has(id);
    for (const [id, changes] of found.adopted) local.adopt(id, changes);
    for (const id of found.extraServices) local.removedServices.add(id);
    for (const id of found.extraChecks) local.removedChecks.add(id);
  }

  /** Sends all that is not in sync. False when some of it failed; the rest was sent all the same. */
  async #send(): Promise<boolean> {
    const { local, identity, tokens } = this.#options;
    let ok = true;
    for (const key of pendingKeys(local, this.#nodeInSync)) {
      if (this.#host.stopped) return ok;
      const request = requestFor(key, local, identity(), this.#nodeInSync && key.kind !== "node", tokens);
      if (request === null) continue;
      const sent = await this.#sendOne(key, request);
      if (sent) continue;
      ok = false;
      // Nothing of a node can be registered when the node cannot.
      if (key.kind === "node") return false;
    }
    return ok;
  }

  async #sendOne(key: SyncKey, { request, token, services, checks }: SyncRequest): Promise<boolean> {
    const { local, catalog, logger } = this.#options;
    const isRemoval = request.type === "catalog.deregister";
    const what = key.kind === "node" ? "Node info" : key.kind === "service" ? "Service" : "Check";
    const fields = key.kind === "node" ? undefined : { [key.kind]: key.id };
    const nodeVersion = this.#nodeVersion;
    let blocked = false;
    try {
      if (isRemoval) await catalog.deregister(request, token);
      else await catalog.register(request, token);
    } catch (error) {
      if (!(error instanceof OperationalError)) throw error;
      blocked = error.code === "permission-denied";
      if (!blocked) {
        const doing = isRemoval ? `Deregistering ${what.toLowerCase()}` : `Syncing ${what.toLowerCase()}`;
        logger.warn(`${doing} failed.`, { ...fields, error });
        return false;
      }
      const which = key.kind === "node" ? "update" : isRemoval ? "deregistration" : "registration";
      logger.warn(`${what} ${which} blocked by ACLs`, fields);
    }
    // What an ACL forbids is not tried again before the next comparison finds it.
    if (isRemoval) {
      const removals = key.kind === "service" ? local.removedServices : local.removedChecks;
      removals.delete(request.serviceId || request.checkId);
    } else {
      const told = key.kind === "node" || (!blocked && !request.skipNodeUpdate);
      if (told && nodeVersion === this.#nodeVersion) this.#nodeInSync = true;
      settle(local.services, services);
      settle(local.checks, checks);
    }
    if (!blocked)
      logger.info(isRemoval ? `Deregistered ${what.toLowerCase()}` : `Synced ${what.toLowerCase()}`, fields);
    return true;
  }
}

/** In sync is what was sent and has not changed since. */
function settle(records: ReadonlyMap<string, { version: number; inSync: boolean }>, sent: Map<string, number>): void {
  for (const [id, version] of sent) {
    const record = records.get(id);
    if (record?.version === version) record.inSync = true;
  }
}
