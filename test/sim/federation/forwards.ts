// Requests of one datacenter to another, and to its own. A write is carried out once, or reported: what was acknowledged is
// in the log once, of what "nothing was done" nothing ever is, and what nobody knows about is there at most once. And whoever needs
// no lost link, and no datacenter that is in trouble, is answered soon.
import { text } from "../../../src/util/bytes.ts";
import type { SimAgent } from "../sim-agent.ts";
import type { Weather } from "../weather.ts";
import { Clients } from "../workload/clients.ts";
import type { Place } from "./place.ts";

const CLIENTS = 6;
const KEYS = 8;
const PREFIX = "forward/";
/** After this long without trouble anywhere on its way a request is answered, and so soon: twice the way there, and back. */
const WELL_MS = 15_000;
const SOON_MS = 3000;
/** Values that are remembered: none is written later than this. */
const REMEMBERED = 4096;

interface Write {
  readonly value: string;
  /** How often it is in the log of the datacenter. */
  times: number;
  /** The client was told that nothing was done. */
  isDenied: boolean;
}

export class Forwards extends Clients {
  readonly name = "forward";
  readonly #places: readonly Place[];
  readonly #writes = new Map<string, Write>();
  #values = 0;
  /** Writes that were acknowledged, denied, and neither; requests that had to be answered. */
  readonly counts = { done: 0, denied: 0, unknown: 0, due: 0 };

  constructor(places: readonly Place[], perSecond: number) {
    super(CLIENTS, (CLIENTS * 1000) / perSecond);
    this.#places = places;
    for (const { world, reference } of places)
      reference.onCommitted(({ command }) => {
        if (command?.type !== "kv.set" || !command.key.startsWith(PREFIX)) return;
        const value = text(command.value);
        const write = this.#writes.get(value);
        if (write === undefined) return;
        write.times += 1;
        if (write.times > 1)
          world.fail("a write happens once", `${command.key}=${value} is in the log of ${world.datacenter} twice`);
        if (write.isDenied)
          world.fail("a denied write never happens", `${command.key}=${value} in ${world.datacenter}`);
      });
  }

  protected override async turn(): Promise<void> {
    const from = this.pick(this.#places).world;
    const to = this.pick(this.#places).world;
    const agent = this.pick(from.nodes);
    const key = `${PREFIX}${this.random.below(KEYS)}`;
    const query = from === to && this.random.below(2) === 0 ? "" : `dc=${to.datacenter}`;
    const choice = this.random.below(10);
    if (choice < 6) await this.#write(agent, `/v1/kv/${key}?${query}`, to.datacenter);
    else {
      const mode = this.pick(["", "&stale", "&consistent"]);
      await this.#timed(agent, "GET", `/v1/kv/${key}?${query}${mode}`, to.datacenter);
    }
  }

  async #write(agent: SimAgent, target: string, to: string): Promise<void> {
    this.#values += 1;
    const write: Write = { value: `w${this.#values}`, times: 0, isDenied: false };
    this.#writes.set(write.value, write);
    if (this.#writes.size > REMEMBERED)
      for (const old of [...this.#writes.keys()].slice(0, 512)) this.#writes.delete(old);
    const outcome = await this.#timed(agent, "PUT", target, to, write.value);
    const what = `${agent.name} wrote ${write.value}: PUT ${target}`;
    if (outcome === "unknown") this.counts.unknown += 1;
    else if (outcome === "undone") {
      this.counts.denied += 1;
      write.isDenied = true;
      if (write.times > 0) this.sim.fail("a denied write never happens", what);
    } else {
      this.counts.done += 1;
      if (write.times !== 1)
        this.sim.fail("acknowledged writes survive", `${what}: it is in the log ${write.times} times`);
    }
  }

  /** Asks, and sees to it that what can be answered is, and soon. */
  async #timed(agent: SimAgent, method: string, target: string, to: string, body?: string): ReturnType<Clients["ask"]> {
    const { sim } = this;
    const calledMs = sim.now;
    const outcome = await this.ask(agent, method, target, body);
    const wellMs = calledMs - this.#weather.wellSince([agent.datacenter, to]);
    if (wellMs < WELL_MS || !agent.up) return outcome;
    this.counts.due += 1;
    const tookMs = Math.round(sim.now - calledMs);
    if (typeof outcome === "string" || tookMs > SOON_MS)
      sim.fail(
        "only who needs it is hurt",
        `${agent.name} of ${agent.datacenter}: ${method} ${target} came to ${typeof outcome === "string" ? `${outcome} (${this.refusal})` : outcome.status} after ${tookMs} ms, and all on its way was well for ${Math.round(wellMs)} ms`,
      );
    return outcome;
  }

  get #weather(): Weather {
    return this.#places[0]!.world.weather;
  }

  override finish(): void {}
}
