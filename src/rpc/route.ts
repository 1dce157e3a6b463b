// The one door every request passes, whether it came by HTTP, by DNS or from the agent itself: it decides which
// datacenter and which server answers. Retries happen here and nowhere else.
import type { CommandEndpoint, QueryEndpoint } from "../endpoint/endpoint.ts";
import { OperationalError } from "../types/error.ts";
import type { Answer, Authority, QueryOptions, Topology } from "./authority.ts";

export class Route {
  readonly #authority: Authority;
  readonly #topology: Topology;
  readonly #holdMs: number;

  /** @param holdMs how long a request may wait for a leader (Consul: `rpc_hold_timeout`). */
  constructor(authority: Authority, topology: Topology, holdMs: number) {
    this.#authority = authority;
    this.#holdMs = holdMs;
    this.#topology = topology;
  }

  get topology(): Topology {
    return this.#topology;
  }

  /** True while a kept answer may be given again without asking anybody. */
  get readable(): boolean {
    return this.#authority.readable;
  }

  /** @param datacenter "" for this agent's own. @throws OperationalError `no-path-to-datacenter`, or the endpoint's own. */
  query<A, R>(endpoint: QueryEndpoint<A, R>, args: A, options: QueryOptions, datacenter: string): Answer<R> | Promise<Answer<R>> {
    this.#requireLocal(datacenter);
    if (options.consistency === "stale" || this.#authority.readable) return this.#authority.query(endpoint, args, options);
    return this.#held(() => this.#authority.query(endpoint, args, options));
  }

  command<A, R>(endpoint: CommandEndpoint<A, R>, args: A, datacenter: string): R | Promise<R> {
    this.#requireLocal(datacenter);
    if (this.#authority.readable) return this.#authority.command(endpoint, args);
    return this.#held(() => this.#authority.command(endpoint, args));
  }

  /** Holds a request while there is no leader, as long as `rpc_hold_timeout` allows. Nothing has been proposed yet. */
  async #held<T>(request: () => T | Promise<T>): Promise<T> {
    if (!(await this.#authority.untilReadable(this.#holdMs))) throw new OperationalError("no-leader", "No cluster leader");
    return request();
  }

  #requireLocal(datacenter: string): void {
    if (datacenter !== "" && datacenter !== this.#topology.datacenter)
      throw new OperationalError("no-path-to-datacenter", "No path to datacenter");
  }
}
