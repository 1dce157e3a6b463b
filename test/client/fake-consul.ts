// Consul as a discovery client sees it: healthy instances and keys, blocking queries that are held on a test's clock, and
// the ways in which it can be gone.
import type { ServiceEntry } from "../../src/client/index.ts";
import type { FakeClock } from "./fake-clock.ts";
import type { Answer, Asked } from "./fake-agent.ts";
import { FakeAgent, never } from "./fake-agent.ts";

export interface FakeInstance {
  id: string;
  address?: string;
  port?: number;
  zone?: string;
  weight?: number;
  meta?: Record<string, string>;
}

/** An entry of `/v1/health/service/:name`. */
export function entryOf(instance: FakeInstance): ServiceEntry {
  const { id, address = "10.0.0.1", port = 80, zone, weight = 1, meta = {} } = instance;
  const node = { ID: "", Node: `node-${id}`, Address: "10.9.9.9", Datacenter: "dc1", TaggedAddresses: {}, Meta: {} };
  return {
    Node: { ...node, CreateIndex: 1, ModifyIndex: 1 } as ServiceEntry["Node"],
    Service: {
      ID: id,
      Service: "web",
      Tags: [],
      Meta: { ...meta, ...(zone === undefined ? {} : { zone }) },
      Address: address,
      Port: port,
      Weights: { Passing: weight, Warning: 1 },
      EnableTagOverride: false,
    },
    Checks: [],
  };
}

export class FakeConsul {
  readonly clock: FakeClock;
  index = 10;
  lastContactMs = 0;
  /** Of any service that is asked for. */
  instances: FakeInstance[] = [];
  keys: Map<string, string> = new Map();
  /** "refused": no connection; "silent": a connection without an answer; a number: that status. */
  gone: "refused" | "silent" | number | null = null;
  /** An index that was not changed is answered at once, too. */
  isImpatient = false;
  readonly #waiters = new Set<() => void>();
  readonly agent: { readonly asked: (Asked & { atMs: number })[]; lines: string[]; fetch: FakeAgent["fetch"] };

  constructor(clock: FakeClock) {
    this.clock = clock;
    this.agent = new FakeAgent((asked) => {
      Object.assign(asked, { atMs: clock.now() });
      return this.#answer(asked);
    }) as unknown as FakeConsul["agent"];
  }
  get fetch(): FakeAgent["fetch"] {
    return this.agent.fetch;
  }
  get requests(): number {
    return this.agent.asked.length;
  }
  /** Queries that are held. */
  get held(): number {
    return this.#waiters.size;
  }

  /** A change, which ends what is held. */
  change(change: () => void, index: number = this.index + 1): void {
    change();
    this.index = index;
    this.#wake();
  }
  /** From now on nobody is there; held queries end as they would. */
  go(gone: FakeConsul["gone"]): void {
    this.gone = gone;
    this.#wake();
  }
  #wake(): void {
    for (const wake of this.#waiters) wake();
  }

  async #answer(asked: Asked): Promise<Answer | Response> {
    const { searchParams, pathname } = asked.url;
    const index = Number(searchParams.get("index") ?? 0);
    if (this.gone === null && index >= this.index && !this.isImpatient)
      await this.#hold(asked, Number.parseInt(searchParams.get("wait") ?? "300000", 10));
    if (this.gone === "silent") return never(asked);
    if (this.gone === "refused") throw new TypeError("fetch failed", { cause: new Error("connect ECONNREFUSED") });
    const headers = {
      "X-Consul-Index": String(this.index),
      "X-Consul-KnownLeader": "true",
      "X-Consul-LastContact": String(this.lastContactMs),
    };
    if (this.gone !== null) return { status: this.gone, headers, body: "No cluster leader" };
    if (!pathname.startsWith("/v1/kv/")) return { headers, body: this.instances.map(entryOf) };
    const key = decodeURIComponent(pathname.slice("/v1/kv/".length));
    const found = [...this.keys].filter(([name]) =>
      searchParams.has("recurse") ? name.startsWith(key) : name === key,
    );
    const body = found.map(([Key, value]) => ({ Key, Value: btoa(value), Flags: 0, LockIndex: 0, ModifyIndex: 7 }));
    return found.length === 0 ? { status: 404, headers } : { headers, body };
  }

  async #hold({ signal }: Asked, waitMs: number): Promise<void> {
    const over = new AbortController();
    await new Promise<void>((resolve, reject) => {
      const wake = (): void => {
        this.#waiters.delete(wake);
        over.abort();
        resolve();
      };
      this.#waiters.add(wake);
      void this.clock.sleep(waitMs, over.signal).then(wake);
      signal?.addEventListener("abort", () => {
        wake();
        reject(signal.reason as Error);
      });
    });
  }
}
