// The Raft group as operators see it: its servers, how they are, and the changes that can be asked for.
import type { GroupHealth, ServerGroup } from "../endpoint/server-group.ts";
import type { ConfigurationChange, Server as RaftServer } from "../raft/types.ts";
import { Autopilot, type AutopilotHost } from "./autopilot.ts";
import { type CareSettings, nextChange } from "./caretaker.ts";
import type { Consensus } from "./consensus.ts";
import { Recovery, type RecoveryHost } from "./recovery.ts";
import { StateCheck } from "./state-check.ts";

/** What the group needs of the server and of what it was made with. */
export interface GroupHost
  extends Omit<RecoveryHost, "nameOf" | "change">, Pick<AutopilotHost, "timers" | "thresholds" | "member"> {
  /** @throws OperationalError `no-leader` before the server has started. */
  consensus(): Consensus;
  care(): CareSettings;
  /** Proposes a change; resolves once it is applied. */
  change(change: ConfigurationChange): Promise<unknown>;
}

export class Group implements ServerGroup {
  readonly #host: GroupHost;
  readonly #autopilot: Autopilot;
  readonly recovery: Recovery;
  readonly stateCheck: StateCheck;
  /** A change of autopilot's is under way. */
  #caring = false;

  constructor(host: GroupHost) {
    this.#host = host;
    this.#autopilot = new Autopilot({
      timers: host.timers,
      get raft() {
        return host.consensus().raft;
      },
      now: () => host.platform.now(),
      wall: () => host.platform.wall(),
      thresholds: () => host.thresholds(),
      member: (id) => host.member(id),
      diverged: (id) => this.stateCheck.diverged.has(id),
      sleeps: () => host.platform.alarmAt !== undefined,
      looked: (health) => void this.#care(health),
    });
    this.stateCheck = new StateCheck({ ...host, servers: () => this.servers });
    this.recovery = new Recovery({
      ...host,
      nameOf: (id) => this.nameOf(id),
      change: (change) => this.change(change),
    });
  }

  /** The leader makes the one change that is due; what fails is tried again after the next look. */
  async #care(health: GroupHealth): Promise<void> {
    const { server: self, care, log } = this.#host;
    if (this.#caring || !self.leading) return;
    const change = nextChange(health, care());
    if (change === null) return;
    const server = health.servers.find(({ id }) => id === change.id);
    const fields = { id: change.id, name: server?.name ?? "", address: server?.address ?? "" };
    this.#caring = true;
    try {
      log(
        "info",
        change.kind === "promote" ? "autopilot: promoting server" : "autopilot: removing dead server",
        fields,
      );
      await this.change(change);
    } catch (error) {
      log("warn", "autopilot: failed to change the group", { ...fields, error });
    } finally {
      this.#caring = false;
    }
  }

  stop(): void {
    this.recovery.stop();
    this.stateCheck.stop();
    this.#autopilot.stop();
  }

  /** The group's configuration changed. */
  changed(): void {
    this.#autopilot.changed();
  }

  /** This server leads from now on. */
  led(): void {
    this.#autopilot.led();
    this.stateCheck.start();
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
