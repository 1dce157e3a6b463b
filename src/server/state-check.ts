// Servers compare the hash of their state at equal index, so that a store that went wrong (memory, a bug) is found out and
// not read from for months. The leader keeps (index, hash) of its own store every few seconds and asks the others what
// theirs was at that index, which each keeps of its last entries. Who differs from the majority stops, loudly: to give it the
// leader's snapshot instead would hide what happened, and would spread the leader's store if that is the wrong one.
import { decode, encode } from "../codec/value.ts";
import type { Timer, Timers } from "../host/timers.ts";
import type { PeerClient, PeerDoor } from "../rpc/peer-door.ts";
import { OperationalError } from "../types/error.ts";

const PATH = "/raft/1/state-hash";
const INTERVAL_MS = 5000;
const TIMEOUT_MS = 2000;
/** Hashes that a server keeps: of so many entries a follower may be ahead or behind when it is asked. */
const KEPT = 4096;

interface Question {
  index: number;
  /** Sent in the end to who differs: what most of the others hold. */
  wanted: string | null;
}

/** What it needs of the server. */
export interface StateCheckHost {
  readonly id: string;
  readonly timers: Timers;
  readonly client: PeerClient;
  readonly server: { readonly leading: boolean; readonly appliedIndex: number };
  servers(): readonly { readonly id: string; readonly address: string }[];
  log(level: "info" | "warn" | "error", message: string, fields?: Record<string, unknown>): void;
  /** This server must not go on. */
  failed(error: OperationalError): void;
}

/** The comparison, both sides of it. */
export class StateCheck {
  readonly #host: StateCheckHost;
  readonly #indexes = new Float64Array(KEPT);
  readonly #hashes: string[] = Array.from({ length: KEPT }, () => "");
  /** Servers that were found to differ. */
  readonly diverged: Set<string> = new Set();
  #timer: Timer | null = null;

  constructor(host: StateCheckHost) {
    this.#host = host;
  }

  /** Only while this server leads. */
  start(): void {
    this.stop();
    this.#timer = this.#host.timers.after(INTERVAL_MS, () => {
      void this.#round().finally(() => {
        if (this.#host.server.leading) this.start();
      });
    });
  }

  stop(): void {
    this.#host.timers.cancel(this.#timer);
    this.#timer = null;
  }

  /** The store's hash after the entry at `index`. */
  note(index: number, hash: string): void {
    this.#indexes[index % KEPT] = index;
    this.#hashes[index % KEPT] = hash;
  }

  serve(door: PeerDoor): void {
    door.serve(PATH, (from, body) => {
      const { index, wanted } = decode(body) as Question;
      const own = this.#at(index);
      // Only a server of the group, and only what is true: this server's hash at that index is another.
      const isFellow = this.#host.servers().some(({ id }) => id === from.id);
      if (typeof wanted === "string" && own !== null && own !== wanted && isFellow) this.#stop(index, own, wanted);
      return encode(own);
    });
  }

  #at(index: number): string | null {
    return Number.isSafeInteger(index) && index > 0 && this.#indexes[index % KEPT] === index
      ? (this.#hashes[index % KEPT] as string)
      : null;
  }

  async #round(): Promise<void> {
    const { id, server, log } = this.#host;
    const index = server.appliedIndex;
    const own = this.#at(index);
    if (!server.leading || own === null) return;
    const others = this.#host.servers().filter((other) => other.id !== id);
    const answers = await Promise.all(others.map(async (other) => ({ other, hash: await this.#ask(other, index) })));
    const known = answers.filter(({ hash }) => hash !== null);
    for (const { other, hash } of known) if (hash === own) this.diverged.delete(other.id);
    const differing = known.filter(({ hash }) => hash !== own);
    if (differing.length === 0) return;
    // Nobody is judged but by a majority of the whole group: who lags behind has no hash for this index yet.
    const hashes = [own, ...known.map(({ hash }) => hash)];
    const right = hashes.find((hash) => hashes.filter((one) => one === hash).length * 2 > others.length + 1);
    if (typeof right === "string" && right !== own) {
      this.#stop(index, own, right);
      return;
    }
    for (const { other, hash } of differing) {
      this.diverged.add(other.id);
      log("error", "the state of a server differs from the leader's at the same index", {
        id: other.id,
        address: other.address,
        index,
        state: hash,
        leader: own,
      });
      if (right === own) void this.#ask(other, index, own);
    }
  }

  async #ask(
    peer: { id: string; address: string },
    index: number,
    wanted: string | null = null,
  ): Promise<string | null> {
    try {
      const question: Question = { index, wanted };
      const hash = decode(await this.#host.client.call(peer, PATH, encode(question), TIMEOUT_MS));
      return typeof hash === "string" ? hash : null;
    } catch {
      return null;
    }
  }

  #stop(index: number, own: string, wanted: string): void {
    this.#host.failed(
      new OperationalError(
        "storage-failed",
        `the state of this server differs from that of the others: ${own} instead of ${wanted} at index ${index}. ` +
          "It stops, so that nobody reads what may be wrong. Start it again: if its memory was at fault, the log makes it right. " +
          "If it stops again, keep a copy of its data directory, and let it join anew with an empty one",
      ),
    );
  }
}
