// What an agent remembers of a pool on disk, so that it finds back after a restart: the members it knew, its Lamport clocks,
// and whether it left. The form is that of Serf's snapshot, whole at every write: a line for each member and clock.
import { LAMPORT_TIME_MAX } from "../gossip/lamport.ts";
import type { Timer, Timers } from "../host/timers.ts";
import type { Blobs } from "../platform.ts";
import { text, utf8 } from "../util/bytes.ts";
import type { Logger } from "./logs.ts";

/** What is remembered. */
export interface PoolMemory {
  /** `alive` ones are asked before those that had failed. */
  members: { name: string; address: string; isAlive: boolean }[];
  memberTime: number;
  eventTime: number;
  hasLeft: boolean;
}

/** At most one write in so much time, so that a large pool's changes do not become as many writes. */
const WRITE_INTERVAL_MS = 1000;

/** The lines of a snapshot. */
export function formatMemory({ members, memberTime, eventTime, hasLeft }: PoolMemory): string {
  const lines = members.map(({ name, address, isAlive }) => `${isAlive ? "alive" : "failed"}: ${name} ${address}`);
  lines.push(`clock: ${memberTime}`, `event-clock: ${eventTime}`);
  if (hasLeft) lines.push("leave");
  return `${lines.join("\n")}\n`;
}

/** Reads a snapshot; lines that are none of its are passed over. */
export function parseMemory(written: string): PoolMemory {
  const memory: PoolMemory = { members: [], memberTime: 0, eventTime: 0, hasLeft: false };
  for (const line of written.split("\n")) {
    // A name may have spaces, an address has none.
    const member = /^(alive|failed): (.+) (\S+)$/.exec(line);
    const clock = /^(clock|event-clock): (\d+)$/.exec(line);
    if (member !== null) {
      const [, how, name, address] = member as unknown as [string, string, string, string];
      memory.members.push({ name, address, isAlive: how === "alive" });
    } else if (clock !== null) {
      const time = Math.min(Number(clock[2]), LAMPORT_TIME_MAX);
      if (clock[1] === "clock") memory.memberTime = time;
      else memory.eventTime = time;
    } else if (line === "leave") memory.hasLeft = true;
  }
  return memory;
}

/** What a snapshot keeper is made with. */
export interface PoolSnapshotOptions {
  readonly blobs: Pick<Blobs, "read" | "write">;
  readonly name: string;
  readonly timers: Timers;
  readonly log: Logger;
  /** What is to be remembered now. */
  memory(): PoolMemory;
}

/** Keeps one snapshot up to date. */
export class PoolSnapshot {
  readonly #options: PoolSnapshotOptions;
  #timer: Timer | null = null;
  #isStopped = false;
  #written = "";
  #writing: Promise<void> = Promise.resolve();

  constructor(options: PoolSnapshotOptions) {
    this.#options = options;
  }

  /** What the agent's former life remembered; null when there was none. @throws OperationalError when it cannot be read. */
  async load(): Promise<PoolMemory | null> {
    const bytes = await this.#options.blobs.read(this.#options.name);
    return bytes === null ? null : parseMemory(text(bytes));
  }

  /** Something may be different: it is written before long. */
  touch(): void {
    if (this.#isStopped || this.#timer?.pending === true) return;
    this.#timer = this.#options.timers.after(WRITE_INTERVAL_MS, () => void this.flush());
  }

  /** Writes now what has changed. A failure is logged: the agent works without. */
  flush(): Promise<void> {
    this.#options.timers.cancel(this.#timer);
    const { blobs, name, log, memory } = this.#options;
    this.#writing = this.#writing.then(async () => {
      const lines = formatMemory(memory());
      if (lines === this.#written) return;
      try {
        await blobs.write(name, utf8(lines));
        this.#written = lines;
      } catch (error) {
        log.error("failed to write the snapshot of members", { error });
      }
    });
    return this.#writing;
  }

  /** Nothing more is written by itself; what is being written is waited for. */
  stop(): Promise<void> {
    this.#isStopped = true;
    this.#options.timers.cancel(this.#timer);
    return this.#writing;
  }
}
