// A client that writes one small thing after the other at one server and notes when each was acknowledged: what a failure
// of another server means to somebody who uses the cluster.
import { setTimeout as sleep } from "node:timers/promises";
import type { ServerProcess } from "./group.ts";
import { HttpConnection } from "./http-connection.ts";

const PAUSE_MS = 5;
/** Keys are used again, so that a long run does not fill the store. */
const KEYS = 200;

export class SteadyWriter {
  readonly server: ServerProcess;
  /** When each write was acknowledged, by `performance.now()`. */
  readonly acknowledgedMs: number[] = [];
  /** Answers other than success, and answers that never came. */
  errors = 0;
  readonly #connection: HttpConnection;
  readonly #name: string;
  #isOver = false;
  #ended: Promise<void> = Promise.resolve();

  constructor(name: string, server: ServerProcess) {
    this.#name = name;
    this.server = server;
    this.#connection = new HttpConnection(server.httpPort, server.host);
  }

  start(): this {
    this.#ended = this.#run();
    return this;
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    this.#connection.close();
    await this.#ended;
  }

  async #run(): Promise<void> {
    for (let i = 0; !this.#isOver; i += 1) {
      try {
        const { status } = await this.#connection.send("PUT", `/v1/kv/steady/${this.#name}/${i % KEYS}`, String(i));
        if (status === 200) this.acknowledgedMs.push(performance.now());
        else this.errors += 1;
      } catch {
        if (!this.#isOver) this.errors += 1;
      }
      await sleep(PAUSE_MS);
    }
  }
}

/** A time without an acknowledged write. */
export interface Gap {
  readonly fromMs: number;
  readonly toMs: number;
}

export const lengthOf = ({ fromMs, toMs }: Gap): number => toMs - fromMs;

/** The longest time without an acknowledged write of any of these writers that ends after `sinceMs`. */
export function longestGap(writers: readonly SteadyWriter[], sinceMs: number): Gap {
  const all = writers.flatMap(({ acknowledgedMs }) => acknowledgedMs.slice(indexBefore(acknowledgedMs, sinceMs)));
  all.sort((a, b) => a - b);
  let longest: Gap = { fromMs: sinceMs, toMs: sinceMs };
  for (let i = 1; i < all.length; i += 1) {
    const gap = { fromMs: all[i - 1] as number, toMs: all[i] as number };
    if (gap.toMs > sinceMs && lengthOf(gap) > lengthOf(longest)) longest = gap;
  }
  return longest;
}

/** Where to begin, so that the last acknowledgement before `sinceMs` is among those looked at. */
function indexBefore(sorted: readonly number[], sinceMs: number): number {
  let at = sorted.length;
  while (at > 0 && (sorted[at - 1] as number) > sinceMs) at -= 1;
  return Math.max(0, at - 1);
}
