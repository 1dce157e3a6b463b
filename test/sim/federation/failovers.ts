// Prepared queries that fail over between datacenters, while instances come, go and turn critical, and links are lost. An
// answer has instances whenever some datacenter that can be reached has one that fits, within four seconds; they are of the
// datacenter that it names, and of the own one as long as that has any; none was critical all the time since before the question.
import type { StateStore } from "../../../src/state/store.ts";
import type { Sim, SimReply } from "../types.ts";
import { Clients } from "../workload/clients.ts";
import type { World } from "../world.ts";
import type { Place } from "./place.ts";

const CLIENTS = 5;
const SERVICES = ["fo-a", "fo-b"];
/** What a question may take when all on its way is well, and how long that must have been so. */
const LIMIT_MS = 4500;
const WELL_MS = 15_000;
/** A stale answer may be of a state that was true so long ago. */
const STALE_MS = 15_000;
const REMEMBERED_MS = 120_000;
const TRIES = 200;

/** What a service was from a moment on. */
interface Version {
  readonly sinceMs: number;
  /** The status of each instance, by its node. */
  readonly instances: ReadonlyMap<string, string>;
}

interface Executed {
  Datacenter: string;
  Failovers: number;
  Nodes: { Node: { Node: string } }[];
}

/** A service of one datacenter through time. */
class Past {
  versions: Version[] = [{ sinceMs: 0, instances: new Map() }];

  seen(state: StateStore, service: string, nowMs: number): void {
    const rows = state.healthService(service).value;
    const instances = new Map(rows.map(({ Node, Checks }) => [Node.Node, worst(Checks.map(({ Status }) => Status))]));
    this.versions.push({ sinceMs: nowMs, instances });
    const old = this.versions.findLastIndex(({ sinceMs }) => sinceMs < nowMs - REMEMBERED_MS);
    if (old > 0) this.versions.splice(0, old);
  }

  /** What it was from one moment to another. */
  between(fromMs: number, toMs: number): readonly Version[] {
    return this.versions.filter(
      ({ sinceMs }, at) => sinceMs <= toMs && (this.versions[at + 1]?.sinceMs ?? Infinity) >= fromMs,
    );
  }
}

const worst = (statuses: readonly string[]): string =>
  statuses.includes("critical") ? "critical" : statuses.includes("warning") ? "warning" : "passing";

const isFit = (status: string | undefined, isPassingOnly: boolean): boolean =>
  status === "passing" || (status === "warning" && !isPassingOnly);

/** A query, as it is there in every datacenter. */
interface Query {
  readonly name: string;
  readonly service: string;
  readonly isPassingOnly: boolean;
  failover(datacenter: string, all: readonly string[]): object;
}

const QUERIES: readonly Query[] = [
  { name: "near", service: "fo-a", isPassingOnly: false, failover: () => ({ NearestN: 9 }) },
  {
    name: "listed",
    service: "fo-b",
    isPassingOnly: true,
    failover: (own, all) => ({ Datacenters: all.filter((name) => name !== own).reverse() }),
  },
];

export class Failovers extends Clients {
  readonly name = "failover";
  readonly #places: readonly Place[];
  readonly #past = new Map<string, Past>();
  /** Queries that are known to be there. */
  readonly #made = new Set<string>();
  #values = 0;
  /** Answers judged, those from elsewhere among them, and those that had to have instances. */
  readonly counts = { judged: 0, elsewhere: 0, due: 0 };

  constructor(places: readonly Place[], perSecond: number) {
    super(CLIENTS, (CLIENTS * 1000) / perSecond);
    this.#places = places;
    for (const { world, reference } of places)
      for (const service of SERVICES) {
        const past = new Past();
        this.#past.set(`${world.datacenter} ${service}`, past);
        reference.onCommitted(({ changes, atMs }) => {
          if (changes.some(({ table }) => table === "services" || table === "checks" || table === "nodes"))
            past.seen(reference.state, service, atMs);
        });
      }
  }

  override start(sim: Sim): void {
    super.start(sim);
    for (const { world } of this.#places) for (const query of QUERIES) this.run(() => this.#make(world, query));
  }

  async #make(world: World, query: Query): Promise<void> {
    const all = this.#places.map((place) => place.world.datacenter);
    const body = JSON.stringify({
      Name: query.name,
      Service: {
        Service: query.service,
        OnlyPassing: query.isPassingOnly,
        Failover: query.failover(world.datacenter, all),
      },
    });
    for (let i = 0; i < TRIES && !this.isStopped; i += 1) {
      await this.pause();
      const agent = this.pick(world.nodes);
      const made = await this.ask(agent, "POST", "/v1/query", body);
      if (made !== "undone" && made !== "unknown") break;
      // One that was made though nobody said so cannot be made again.
      const there = await this.ask(agent, "GET", `/v1/query/${query.name}/execute`);
      if (typeof there !== "string" && there.status === 200) break;
    }
    if (!this.isStopped) this.#made.add(`${world.datacenter} ${query.name}`);
  }

  protected override async turn(): Promise<void> {
    const choice = this.random.below(10);
    if (choice < 4) await this.#change();
    else await this.#execute();
  }

  /** An instance comes, goes, or is in another state: more often than not in a bad one, so that there is something to do. */
  async #change(): Promise<void> {
    const to = this.pick(this.#places).world.datacenter;
    const { world } = this.pick(this.#places);
    const service = this.pick(SERVICES);
    const node = `${to}-${service}-${this.random.below(2)}`;
    const query = world.datacenter === to ? "" : `?dc=${to}`;
    const agent = this.pick(world.nodes);
    this.#values += 1;
    if (this.random.below(8) === 0) {
      await this.ask(agent, "PUT", `/v1/catalog/deregister${query}`, JSON.stringify({ Node: node }));
      return;
    }
    const status = this.pick(["passing", "warning", "critical", "critical"]);
    const body = {
      Node: node,
      Address: "10.8.8.8",
      Service: { ID: service, Service: service, Port: 1000 + (this.#values % 7) },
      Check: { CheckID: service, ServiceID: service, Name: service, Status: status },
    };
    await this.ask(agent, "PUT", `/v1/catalog/register${query}`, JSON.stringify(body));
  }

  async #execute(): Promise<void> {
    const { sim } = this;
    const asker = this.pick(this.#places).world;
    const own = this.random.below(4) === 0 ? this.pick(this.#places).world : asker;
    const query = this.pick(QUERIES);
    const isStale = this.random.below(3) === 0;
    const agent = this.pick(asker.nodes);
    const isMade = this.#made.has(`${own.datacenter} ${query.name}`);
    const calledMs = sim.now;
    const target = `/v1/query/${query.name}/execute?${own === asker ? "" : `dc=${own.datacenter}`}${isStale ? "&stale" : ""}`;
    const outcome = await this.ask(agent, "GET", target);
    if (!isMade) return;
    const what = `${agent.name} of ${asker.datacenter} at ${Math.round(calledMs)}: GET ${target}`;
    const isWell = agent.up && this.#wellMs(calledMs, [asker.datacenter, own.datacenter]) >= WELL_MS;
    const tookMs = sim.now - calledMs;
    if (typeof outcome === "string" || outcome.status !== 200) {
      // A stale answer may be of a time before the query was there.
      if (isWell && (typeof outcome === "string" || !isStale))
        sim.fail(
          "a query is answered",
          `${what}: ${typeof outcome === "string" ? `${outcome} (${this.refusal})` : outcome.body}`,
        );
      return;
    }
    if (isWell && tookMs > LIMIT_MS) sim.fail("a query is answered in time", `${what}: after ${Math.round(tookMs)} ms`);
    this.#judge({ query, own: own.datacenter, isStale, calledMs, isWell, what }, outcome);
  }

  #wellMs(atMs: number, datacenters: readonly string[]): number {
    return atMs - this.#places[0]!.world.weather.wellSince(datacenters);
  }

  #judge(asked: Asked, reply: SimReply): void {
    const { sim } = this;
    const { query, own, isStale, calledMs, isWell, what } = asked;
    const { Datacenter, Nodes } = JSON.parse(reply.body) as Executed;
    const names = Nodes.map(({ Node }) => Node.Node);
    const said = `${what}: ${Datacenter || own} has ${names.join() || "nothing"}`;
    this.counts.judged += 1;
    const of = Datacenter || own;
    if (of !== own) this.counts.elsewhere += 1;
    const past = this.#past.get(`${of} ${query.service}`);
    if (past === undefined) return sim.fail("the datacenter of a query", `${said}, which is no datacenter`);
    for (const name of names) {
      if (!name.startsWith(`${of}-`)) sim.fail("the datacenter of a query", `${said}, and ${name} is of another one`);
      if (isStale && this.#wellMs(calledMs, [of]) < STALE_MS) continue;
      const versions = past.between(isStale ? calledMs - STALE_MS : calledMs, sim.now);
      if (!versions.some(({ instances }) => isFit(instances.get(name), query.isPassingOnly)))
        sim.fail("instances that fit", `${said}; ${name} was ${versions.at(-1)?.instances.get(name) ?? "not there"}`);
    }
    if (of !== own && !isStale && this.#hadAlways(own, query, calledMs))
      sim.fail("its own datacenter first", `${said}, though ${own} had an instance all the time`);
    if (names.length > 0 || !isWell) return;
    for (const { world } of this.#places) {
      const { datacenter } = world;
      if (this.#wellMs(calledMs, [own, datacenter]) < WELL_MS) continue;
      this.counts.due += 1;
      if (this.#hadAlways(datacenter, query, calledMs - (isStale ? STALE_MS : 0)))
        sim.fail("failover", `${said}, though ${datacenter} can be reached and has an instance`);
    }
  }

  /** Some instance was fit from a moment until now: the same one, since nobody sees two at once. */
  #hadAlways(datacenter: string, { service, isPassingOnly }: Query, sinceMs: number): boolean {
    const versions = this.#past.get(`${datacenter} ${service}`)!.between(sinceMs, this.sim.now);
    return versions.every(({ instances }) => [...instances.values()].some((status) => isFit(status, isPassingOnly)));
  }

  override finish(): void {}
}

interface Asked {
  readonly query: Query;
  /** Where the query is run. */
  readonly own: string;
  readonly isStale: boolean;
  readonly calledMs: number;
  readonly isWell: boolean;
  readonly what: string;
}
