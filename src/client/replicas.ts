// All that a client keeps in memory: how replicas are made of reads, and how they end with the client.
import type { Clock } from "./clock.ts";
import type { ReplicaOptions, ReplicaParts } from "./replica.ts";
import { Replica } from "./replica.ts";
import type { ClientStorage } from "./storage.ts";
import type { Query, ReadOptions, Transport } from "./transport.ts";
import type { WatchSource } from "./watch.ts";

/** What every replica of a client has. */
export interface ReplicasOptions {
  clock: Clock;
  source: WatchSource;
  storage?: ClientStorage;
  waitUntil?(promise: Promise<unknown>): void;
}

/** The replicas of one client. */
export class Replicas {
  readonly #transport: Transport;
  readonly #options: ReplicasOptions;
  readonly #open = new Set<{ close(): Promise<void> }>();

  constructor(transport: Transport, options: ReplicasOptions) {
    this.#transport = transport;
    this.#options = options;
  }

  /** A replica of a GET; `parts` says what its JSON means, and what a 404 is. */
  open<W, T>(
    path: string,
    query: Query,
    options: ReplicaOptions & ReadOptions,
    parts: Pick<ReplicaParts<W, T>, "decode" | "empty"> & { missing?: { value: W }; closed?(): void },
  ): Replica<W, T> {
    const { datacenter, token, consistency = "stale", filter, near, nodeMeta } = options;
    const reads: ReadOptions = { datacenter, token, consistency, filter, near, nodeMeta };
    const { place, token: secret } = this.#transport.identity(reads);
    const replica = new Replica<W, T>(
      {
        ...this.#options,
        ...parts,
        target: {
          path,
          read: (given) => this.#transport.read<W>(path, { ...reads, ...given }, query, parts.missing),
        },
        question: `${place} ${path} ${JSON.stringify([query, filter, near, nodeMeta])}`,
        secret,
        closed: () => {
          this.#open.delete(replica);
          parts.closed?.();
        },
      },
      options,
    );
    this.#open.add(replica);
    return replica;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#open].map((replica) => replica.close()));
  }
}
