// Which cluster a server belongs to, so that two of them that call themselves by one datacenter name do not take each other for
// one: the id of one of the servers that formed its Raft group, kept in the data directory and told in a tag. A server that
// knows none yet takes that of its group; clusters of before there were such ids get one when they have a leader.
import type { Configuration } from "../raft/types.ts";
import type { Blobs } from "../platform.ts";
import { text, utf8 } from "../util/bytes.ts";

/** The tag of members that says it. */
export const CLUSTER_TAG = "cluster";

const BLOB = "cluster-id";

/** What it works with. */
export interface ClusterIdOptions {
  readonly blobs: Blobs;
  /** There is one, or another. */
  changed(): void;
  /** It cannot be kept. */
  failed(error: unknown): void;
}

/** The one of this server's group. */
export class ClusterId {
  readonly #options: ClusterIdOptions;
  #value = "";

  constructor(options: ClusterIdOptions) {
    this.#options = options;
  }

  /** "" while it is not known. */
  get value(): string {
    return this.#value;
  }

  /** Reads what is kept. */
  async load(): Promise<void> {
    const kept = await this.#options.blobs.read(BLOB);
    if (kept !== null) this.#value = text(kept).trim();
  }

  /** This server leads a group: one that has no id gets the least of its servers'. */
  leading({ servers }: Configuration): void {
    const [first] = servers.map(({ id }) => id).sort();
    if (this.#value === "" && first !== undefined) this.#set(first);
  }

  /** Another server of the same group says so. Should two say different things, the lesser one counts. */
  heard(value: string): void {
    if (value !== "" && (this.#value === "" || value < this.#value)) this.#set(value);
  }

  #set(value: string): void {
    this.#value = value;
    this.#options.blobs.write(BLOB, utf8(value)).catch((error: unknown) => this.#options.failed(error));
    this.#options.changed();
  }
}
