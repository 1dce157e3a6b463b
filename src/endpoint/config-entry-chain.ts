// What entries that route a service's traffic say together: https://developer.hashicorp.com/consul/docs/manage-traffic/discovery-chain.
// An entry is refused when with it a chain of router, splitter and resolver would need another protocol than its services
// have, would name a subset that is not there, or would lead in a circle.
import type { ConfigEntryInput } from "../state/command.ts";
import type { StateStore } from "../state/store.ts";
import type { UserMap } from "../types/records.ts";
import { quote } from "../util/quote.ts";

/** The kinds that decide about chains. */
const CHAIN_KINDS: ReadonlySet<string> = new Set([
  "proxy-defaults",
  "service-defaults",
  "service-router",
  "service-splitter",
  "service-resolver",
]);
/** The kinds that make a chain more than one service. */
const ROUTING_KINDS = ["service-router", "service-splitter", "service-resolver"] as const;
/** Protocols with requests to route by. */
const LAYER_7: ReadonlySet<string> = new Set(["http", "http2", "grpc"]);

/**
 * Checks the chains that a change has a part in.
 * @param after the entry as it will be, or null when it goes.
 * @throws Error in Consul's words.
 */
export function checkChains(state: StateStore, kind: string, name: string, after: ConfigEntryInput | null): void {
  if (!CHAIN_KINDS.has(kind)) return;
  const view: View = (wantedKind, wantedName) =>
    wantedKind === kind && wantedName === name ? after : state.configEntry(wantedKind, wantedName).value;
  const roots = new Set<string>(
    ROUTING_KINDS.flatMap((each) => state.configEntries(each).value.map((entry) => entry.Name)),
  );
  if (kind !== "proxy-defaults") roots.add(name);
  for (const root of roots) {
    const chain = new Chain(view, root);
    const fault = chain.fault();
    // A chain that this change is no part of was judged when it was made.
    if (fault !== null && (kind === "proxy-defaults" || chain.services.has(name))) throw new Error(fault);
  }
}

type View = (kind: string, name: string) => ConfigEntryInput | null;

interface Target {
  Service?: string;
  ServiceSubset?: string;
  Datacenter?: string;
  Datacenters?: string[];
  Peer?: string;
  Targets?: Target[];
}

class Fault extends Error {}

class Chain {
  readonly #view: View;
  readonly #root: string;
  readonly #protocol: string;
  /** The services that the chain has to do with. */
  readonly services: Set<string> = new Set();

  constructor(view: View, root: string) {
    this.#view = view;
    this.#root = root;
    this.#protocol = this.#protocolOf(root);
  }

  /** Why the chain cannot be, or null. */
  fault(): string | null {
    try {
      this.#walk();
      return null;
    } catch (error) {
      if (error instanceof Fault) return error.message;
      throw error;
    }
  }

  #walk(): void {
    const router = this.#view("service-router", this.#root);
    if ((router !== null || this.#view("service-splitter", this.#root) !== null) && !LAYER_7.has(this.#protocol)) {
      this.services.add(this.#root);
      throw new Fault(
        `discovery chain ${quote(this.#root)} uses a protocol ${quote(this.#protocol)} that does not permit advanced routing or splitting behavior`,
      );
    }
    for (const { Destination } of (router?.["Routes"] ?? []) as { Destination?: Target }[])
      this.#split(Destination?.Service ?? this.#root, Destination?.ServiceSubset ?? "", []);
    this.#split(this.#root, "", []);
  }

  #split(service: string, subset: string, path: readonly string[]): void {
    const splitter = subset === "" ? this.#view("service-splitter", service) : null;
    if (splitter === null) {
      this.#resolve(service, subset, path);
      return;
    }
    this.#visit(service);
    const further = this.#further(path, `splitter ${service}`);
    for (const { Service = service, ServiceSubset = "" } of splitter["Splits"] as Target[])
      if (Service === service) this.#resolve(service, ServiceSubset, further);
      else this.#split(Service, ServiceSubset, further);
  }

  #resolve(service: string, wanted: string, path: readonly string[]): void {
    this.#visit(service);
    const resolver = this.#view("service-resolver", service);
    const redirect = resolver?.["Redirect"] as Target | undefined;
    if (redirect !== undefined) {
      // Another datacenter or a peer has entries of its own.
      if (redirect.Datacenter !== undefined || redirect.Peer !== undefined) return;
      const { Service = service, ServiceSubset = "" } = redirect;
      this.#resolve(Service, ServiceSubset, this.#further(path, `resolver ${service}`));
      return;
    }
    const subset = wanted === "" ? ((resolver?.["DefaultSubset"] ?? "") as string) : wanted;
    this.#requireSubset(service, subset);
    const failover = (resolver?.["Failover"] ?? {}) as UserMap<Target>;
    for (const each of [failover[subset], failover["*"]]) if (each !== undefined) this.#fail(service, each);
  }

  #fail(service: string, { Service = service, ServiceSubset = "", Datacenters = [], Targets }: Target): void {
    const targets = Targets ?? (Datacenters.length > 0 ? [] : [{ Service, ServiceSubset }]);
    for (const target of targets) {
      if (target.Datacenter !== undefined || target.Peer !== undefined) continue;
      const name = target.Service ?? service;
      this.#visit(name);
      this.#requireSubset(name, target.ServiceSubset ?? "");
    }
  }

  #further(path: readonly string[], step: string): readonly string[] {
    if (path.includes(step))
      throw new Fault(
        `detected circular reference in discovery chain ${quote(this.#root)}: ${[...path, step].join(" -> ")}`,
      );
    return [...path, step];
  }

  #requireSubset(service: string, subset: string): void {
    if (subset === "") return;
    const subsets = (this.#view("service-resolver", service)?.["Subsets"] ?? {}) as UserMap<unknown>;
    if (!Object.hasOwn(subsets, subset))
      throw new Fault(`service ${quote(service)} does not have a subset named ${quote(subset)}`);
  }

  #visit(service: string): void {
    this.services.add(service);
    const protocol = this.#protocolOf(service);
    if (protocol === this.#protocol) return;
    throw new Fault(
      `discovery chain ${quote(this.#root)} uses inconsistent protocols; service ${quote(service)} has ${quote(protocol)} which is not ${quote(this.#protocol)}`,
    );
  }

  #protocolOf(service: string): string {
    const own = (this.#view("service-defaults", service)?.["Protocol"] ?? "") as string;
    if (own !== "") return own;
    const config = this.#view("proxy-defaults", "global")?.["Config"] as UserMap<unknown> | null | undefined;
    const common = config?.["protocol"];
    return typeof common === "string" && common !== "" ? common : "tcp";
  }
}
