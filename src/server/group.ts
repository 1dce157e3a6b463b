// The Raft group as operators see it: its servers, how they are, and the changes that can be asked for.
import type { GroupHealth, ServerGroup } from "../endpoint/server-group.ts";
import type { ConfigurationChange, Server as RaftServer } from "../raft/types.ts";
import { Autopilot, type AutopilotHost } from "./autopilot.ts";
import type { Consensus } from "./consensus.ts";

export interface GroupHost extends Omit<AutopilotHost, "raft"> {
  /** @throws OperationalError `no-leader` before the server has started. */
  consensus(): Consensus;
  /** Proposes a change; resolves once it is applied. */
  change(change: ConfigurationChange): Promise<unknown>;
}

export class Group implements ServerGroup {
  readonly #host: GroupHost;
  readonly #autopilot: Autopilot;

  constructor(host: GroupHost) {
    this.#host = host;
    this.#autopilot = new Autopilot({
      timers: host.timers,
      get raft() {
        return host.consensus().raft;
      },
      now: () => host.now(),
      wall: () => host.wall(),
      thresholds: () => host.thresholds(),
      member: (id) => host.member(id),
    });
  }

  stop(): void {
    this.#autopilot.stop();
  }

  /** The group's configuration changed. */
  changed(): void {
    this.#autopilot.changed();
  }

  get servers(): readonly RaftServer[] {
    return this.#host.consensus().raft.configuration.servers;
  }

  get leader(): string | null {
    return this.#host.consensus().raft.leader;
  }

  get health(): GroupHealth {
    return this.#autopilot.health;
  }

  nameOf(id: string): string {
    return this.#host.member(id)?.name ?? "";
  }

  async change(change: ConfigurationChange): Promise<void> {
    await this.#host.change(change);
  }

  transfer(to: string | null): Promise<void> {
    return this.#host.consensus().transfer(to);
  }
}
