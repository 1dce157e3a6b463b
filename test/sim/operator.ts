// The person who looks after the simulated cluster, through the API like any other: servers that lost their disk are
// taken out of the group and come back empty under a new id; servers that are to go are removed; faults that would break
// more than the protocol promises to survive are not allowed to happen.
import type { SimAgent } from "./sim-agent.ts";
import { pick } from "./streams.ts";
import type { World } from "./world.ts";

const LOOK_MS = 500;
const PATIENCE_MS = 5000;

export class Operator {
  readonly #world: World;
  /** To be taken out of the group, and whether another is to take their place. */
  readonly #leaving = new Map<SimAgent, { replaced: boolean; asking: boolean }>();
  #sweeping = false;

  constructor(world: World) {
    this.#world = world;
  }

  begin(): void {
    const look = (): void => {
      for (const agent of this.#leaving.keys()) this.#remove(agent);
      if (this.isIdle) this.#sweep();
      this.#world.events.after(LOOK_MS, look);
    };
    look();
  }

  /** Nothing is left to do. */
  get isIdle(): boolean {
    return this.#leaving.size === 0;
  }

  /**
   * True when another voter may lose what it stores, or leave: a majority is whole, and stays so. While the group is changed,
   * or a voter is away and may be taken out for it, nobody can tell.
   */
  get maySpare(): boolean {
    const voters = this.#world.group.servers.filter(({ voter }) => voter);
    const agents = voters.map(({ id }) => this.#world.agentOf(id));
    if (!agents.every((agent) => agent !== undefined && agent.up && !agent.departing)) return false;
    const whole = agents.filter((agent) => agent !== undefined && !agent.disk.isLost && !agent.retired).length;
    return this.isIdle && this.#isSettled && whole - 1 > voters.length / 2;
  }

  /** Every server that runs has the same group, and its leader knows that it is committed. */
  get #isSettled(): boolean {
    const { leader, nodes } = this.#world;
    const led = leader?.server?.raft;
    if (led === undefined || led.configurationIndex > led.commitIndex) return false;
    return nodes.every(({ server }) => server === null || server.raft.configurationIndex === led.configurationIndex);
  }

  /** Its disk is lost: it leaves, and a new server comes. */
  replace(agent: SimAgent): void {
    if (this.#leaving.has(agent) || !this.#world.nodes.includes(agent)) return;
    agent.retired = true;
    agent.crash();
    this.#leaving.set(agent, { replaced: true, asking: false });
    this.#world.trace(`the operator replaces ${agent.name}`);
  }

  /** It is to leave the group for good; it runs until it is out. */
  retire(agent: SimAgent): void {
    if (this.#leaving.has(agent)) return;
    agent.retired = true;
    this.#leaving.set(agent, { replaced: false, asking: false });
    this.#world.trace(`the operator retires ${agent.name}`);
  }

  /** A removal that its leader knew of was taken back with the leader's log: what is gone for good is removed again. */
  #sweep(): void {
    const world = this.#world;
    const ghost = world.group.servers.find(({ id }) => world.agentOf(id) === undefined);
    const asked = world.leader;
    if (ghost === undefined || asked === null || this.#sweeping) return;
    this.#sweeping = true;
    void ask(world, asked, "DELETE", `/v1/operator/raft/peer?id=${ghost.id}`).then(() => (this.#sweeping = false));
  }

  #remove(agent: SimAgent): void {
    const world = this.#world;
    const task = this.#leaving.get(agent);
    if (task === undefined || task.asking) return;
    const others = world.running.filter((other) => other !== agent);
    if (others.length === 0) return;
    task.asking = true;
    const asked = pick(world.random("operator"), others);
    void ask(world, asked, "DELETE", `/v1/operator/raft/peer?id=${agent.id}`).then((reply) => {
      task.asking = false;
      world.trace(`the operator asked ${asked.name} to remove ${agent.name}: ${reply?.status} ${reply?.body ?? ""}`);
      if (reply === null || (reply.status !== 200 && !reply.body.includes("was not found"))) return;
      if (this.#leaving.get(agent) !== task) return;
      this.#leaving.delete(agent);
      world.remove(agent);
      if (!task.replaced) return;
      const fresh = world.add("server");
      world.trace(`${fresh.name} takes the place of ${agent.name}`);
      world.start(fresh);
    });
  }
}

/** Asks an agent; null when no answer comes in time. */
export function ask(
  world: World,
  agent: SimAgent,
  method: string,
  target: string,
  body?: string,
): Promise<{ status: number; body: string } | null> {
  return Promise.race([
    agent.request(method, target, body).catch(() => null),
    world.sleep(PATIENCE_MS).then(() => null),
  ]);
}
