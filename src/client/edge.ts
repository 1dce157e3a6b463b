// The client that applications use, small enough for the edge: nothing but `fetch`, so that it runs wherever JavaScript does.
// It speaks to Consul and to Proconsul alike. Every uint64 (flags, indexes) is exact: a number up to 2^53, a bigint above.
import type { Instance } from "./instance.ts";
import { instanceOf } from "./instance.ts";
import type { AgentArea } from "./agent.ts";
import { agentArea } from "./agent.ts";
import type { CatalogArea } from "./catalog.ts";
import { catalogArea } from "./catalog.ts";
import type { Clock } from "./clock.ts";
import { asyncDispose, systemClock } from "./clock.ts";
import type { DiscoverOptions } from "./discovery.ts";
import { Discovery } from "./discovery.ts";
import type { HealthArea } from "./health.ts";
import { healthArea } from "./health.ts";
import type { KvArea } from "./kv.ts";
import { kvArea } from "./kv.ts";
import type { Lock, LockOptions } from "./lock.ts";
import { acquireLock } from "./lock.ts";
import type { QueryArea } from "./query.ts";
import { queryArea } from "./query.ts";
import type { RegisteredService, RegisterOptions, Registration } from "./registration.ts";
import { register } from "./registration.ts";
import { Replicas } from "./replicas.ts";
import type { SessionArea } from "./session.ts";
import { sessionArea } from "./session.ts";
import type { StatusArea } from "./status.ts";
import { statusArea } from "./status.ts";
import type { ClientStorage } from "./storage.ts";
import type { TransportOptions } from "./transport.ts";
import { segment, Transport } from "./transport.ts";
import type { Txn } from "./txn.ts";
import { txnCall } from "./txn.ts";
import type { ServiceEntry } from "./types.ts";
import type { WatchSource } from "./watch.ts";
import { longPolls } from "./watch.ts";

/** Where the client sends its requests, and what it may use besides. */
export interface ClientOptions extends TransportOptions {
  /** The second level behind what `discover` and `kv.follow` keep in memory. */
  storage?: ClientStorage;
  /** Keeps work alive after a response, where nothing else does; a look-up may also be given the one of its request. */
  waitUntil?(promise: Promise<unknown>): void;
  /** How changes come: long polls when not given. */
  watchSource?: WatchSource;
  /** Time and chance; the runtime's own when not given. */
  clock?: Partial<Clock>;
}

/**
 * One member per area of the API. A read gives a `Read`, its value beside what the headers say, or the bare value where
 * the endpoint has no such headers. All methods reject with `ClientError`, or with the signal's reason when aborted.
 */
export interface Client extends AsyncDisposable {
  /** The service's healthy instances, kept in memory from now on. The same question gives the same object. */
  discover(service: string, options?: DiscoverOptions): Discovery;
  /**
   * Waits for the lock at `key`; null when `tryForMs` passed or the signal was aborted before.
   * @throws LockConflict, ClientError
   */
  lock(key: string, options?: LockOptions): Promise<Lock | null>;
  /** Registers this program as an instance of a service, and keeps it passing. @throws ClientError */
  register(service: RegisteredService, options?: RegisterOptions): Promise<Registration>;
  /** Ends what runs in the background: watches, registrations. Locks are their holders' to release. */
  close(): Promise<void>;
  readonly kv: KvArea;
  readonly catalog: CatalogArea;
  readonly health: HealthArea;
  readonly agent: AgentArea;
  readonly session: SessionArea;
  readonly txn: Txn;
  readonly query: QueryArea;
  readonly status: StatusArea;
  /** For endpoints that no area has. */
  readonly transport: Transport;
}

/** Makes a client; nothing is sent yet, and nothing runs. */
export function createClient(options: ClientOptions = {}): Client {
  const transport = new Transport(options);
  const clock: Clock = { ...systemClock, ...options.clock };
  const { storage, waitUntil, watchSource = longPolls } = options;
  const replicas = new Replicas(transport, { clock, source: watchSource, storage, waitUntil });
  const discoveries = new Map<string, Discovery>();
  const registrations = new Set<Registration>();
  const close = async (): Promise<void> => {
    await Promise.all([replicas.close(), ...[...registrations].map((registration) => registration.close())]);
  };
  const client: Client = {
    discover(service, given = {}) {
      const question = JSON.stringify([service, given]);
      const known = discoveries.get(question);
      if (known !== undefined) return known;
      const { tag, passing = true } = given;
      const replica = replicas.open(`health/service/${segment(service)}`, { passing, tag }, given, {
        empty: [] as readonly Instance[],
        decode: (entries: ServiceEntry[]): readonly Instance[] => entries.map((entry) => instanceOf(entry, given)),
        closed: () => discoveries.delete(question),
      });
      const discovery = new Discovery(service, replica, clock, given);
      discoveries.set(question, discovery);
      return discovery;
    },
    lock: (key, given) => acquireLock(client, key, { ...clock, ...given }),
    async register(service, given) {
      const registration = await register(client, clock, service, given);
      registrations.add(registration);
      return registration;
    },
    close,
    [asyncDispose]: close,
    kv: kvArea(transport, replicas),
    catalog: catalogArea(transport),
    health: healthArea(transport),
    agent: agentArea(transport),
    session: sessionArea(transport),
    txn: txnCall(transport),
    query: queryArea(transport),
    status: statusArea(transport),
    transport,
  };
  return client;
}
