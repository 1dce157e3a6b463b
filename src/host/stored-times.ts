// Times that outlast this agent, where the platform puts idle agents to sleep and starts them again: kept by the wall clock,
// since the monotonic one begins anew, and given by the monotonic one, which all else goes by.
import type { Platform, StoredTable } from "../platform.ts";

type Clocks = Pick<Platform, "now" | "wall" | "tables">;

/** Times by name. */
export class StoredTimes {
  readonly #platform: Clocks;
  readonly #table: StoredTable;

  private constructor(platform: Clocks, table: StoredTable) {
    this.#platform = platform;
    this.#table = table;
  }

  /** Those of one kind; null where nothing is kept, since an agent runs until it is stopped. */
  static of(platform: Clocks, kind: string): StoredTimes | null {
    return platform.tables === undefined ? null : new StoredTimes(platform, platform.tables.table(kind));
  }

  /** In monotonic milliseconds: before the start of the clock for what is long past. */
  get(name: string): number | null {
    const bytes = this.#table.get(name);
    return bytes === undefined ? null : this.#read(bytes);
  }

  set(name: string, at: number): void {
    const bytes = new Uint8Array(8);
    const { now, wall } = this.#clocks();
    new DataView(bytes.buffer).setFloat64(0, at - now + wall);
    this.#table.set(name, bytes, 0);
  }

  delete(name: string): void {
    this.#table.delete(name);
  }

  clear(): void {
    this.#table.clear();
  }

  get size(): number {
    return this.#table.size;
  }

  entries(): [string, number][] {
    return Array.from(this.#table.rows(null, null), ([name, bytes]) => [name, this.#read(bytes)]);
  }

  #read(bytes: Uint8Array): number {
    const { now, wall } = this.#clocks();
    return new DataView(bytes.buffer, bytes.byteOffset).getFloat64(0) - wall + now;
  }

  #clocks(): { now: number; wall: number } {
    return { now: this.#platform.now(), wall: this.#platform.wall() };
  }
}
