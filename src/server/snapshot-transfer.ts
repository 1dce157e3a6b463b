// Snapshots on their way from a leader to a server whose log is too short for entries to help (thesis §5): the blob of
// the newest snapshot in parts, one after the other. Each part names its place and has a checksum; the whole has the
// SHA-256 of codec/frame.ts. The receiver says what it wants next, so a transfer that was broken off goes on where it was.
import { decode, encode } from "../codec/value.ts";
import type { Timers } from "../host/timers.ts";
import type { BlobWriter, Blobs } from "../platform.ts";
import type { SnapshotPoint } from "../raft/types.ts";
import type { Peer, PeerClient } from "../rpc/peer-door.ts";
import type { StateStore } from "../state/store.ts";
import { OperationalError } from "../types/error.ts";
import { concat } from "../util/bytes.ts";
import { crc32c } from "../util/crc32c.ts";
import { newestSnapshot, placeOf, SnapshotDecoder } from "./snapshots.ts";

/** The path of the parts of snapshots. */
export const SNAPSHOT_PATH = "/raft/1/snapshot";

const PART_BYTES = 1024 * 1024;
const PART_TIMEOUT_MS = 30_000;
/** How often one part may fail before the transfer is given up. */
const FAILURES_MAX = 5;
const RETRY_MS = 200;

interface Part {
  /** The blob's name, which says index and term. */
  name: string;
  /** The sender's term, of which the machine told. */
  term: number;
  offset: number;
  isLast: boolean;
  checksum: number;
  data: Uint8Array;
}

/** What the receiver wants next. */
interface PartReply {
  offset: number;
}

export interface SnapshotSenderOptions {
  readonly client: PeerClient;
  readonly blobs: Blobs;
  readonly timers: Timers;
  /** Where a server takes calls; null when nobody knows. */
  address(id: string): string | null;
  /** Called once at the end of each `send`; `index` is the snapshot's. */
  sent(to: string, index: number, ok: boolean): void;
  log(level: "info" | "warn", message: string, fields: Record<string, unknown>): void;
}

/** The leader's side. */
export class SnapshotSender {
  readonly #options: SnapshotSenderOptions;
  #stopped = false;

  constructor(options: SnapshotSenderOptions) {
    this.#options = options;
  }

  /** Sends the newest snapshot to a server, in the name of `term`. */
  send(to: string, term: number): void {
    void this.#send(to, term);
  }

  stop(): void {
    this.#stopped = true;
  }

  async #send(to: string, term: number): Promise<void> {
    const { blobs, log, sent } = this.#options;
    let index = 0;
    try {
      const name = await newestSnapshot(blobs);
      if (name === null) throw new OperationalError("not-found", "there is no snapshot to send");
      ({ index } = placeOf(name));
      log("info", "sending snapshot", { peer: to, index });
      await this.#transfer(to, term, name);
      log("info", "snapshot sent", { peer: to, index });
      if (!this.#stopped) sent(to, index, true);
    } catch (error) {
      if (this.#stopped) return;
      log("warn", "failed to send snapshot", { peer: to, index, error });
      sent(to, index, false);
    }
  }

  async #transfer(to: string, term: number, name: string): Promise<void> {
    let offset = 0;
    let failures = 0;
    for (;;) {
      for await (const { data, isLast } of parts(this.#options.blobs, name, offset)) {
        if (this.#stopped) throw new OperationalError("shutting-down", "The agent is shutting down");
        const part: Part = { name, term, offset, isLast, checksum: crc32c(data), data };
        let wanted: number | null = null;
        while (wanted === null) {
          try {
            wanted = await this.#call(to, part);
          } catch (error) {
            failures += 1;
            if (failures >= FAILURES_MAX || this.#stopped) throw error;
            await this.#pause();
          }
        }
        const next = offset + data.length;
        if (wanted === next) {
          if (isLast) return;
          offset = next;
          failures = 0;
          continue;
        }
        offset = wanted;
        failures += 1;
        if (failures >= FAILURES_MAX)
          throw new OperationalError("refused", "the receiver does not take the snapshot's parts in order");
        break;
      }
    }
  }

  async #call(to: string, part: Part): Promise<number> {
    const { client, address } = this.#options;
    const at = address(to);
    if (at === null) throw new OperationalError("unreachable", `nobody knows where ${to} is`);
    const peer: Peer = { id: to, address: at };
    const { offset } = decode(await client.call(peer, SNAPSHOT_PATH, encode(part), PART_TIMEOUT_MS)) as PartReply;
    if (!Number.isSafeInteger(offset) || offset < 0)
      throw new OperationalError("invalid-request", "a snapshot's receiver answered nonsense");
    return offset;
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => this.#options.timers.after(RETRY_MS, resolve));
  }
}

/** The bytes of a blob from `offset` on, in parts. */
async function* parts(
  blobs: Blobs,
  name: string,
  offset: number,
): AsyncGenerator<{ data: Uint8Array; isLast: boolean }> {
  const chunks = await blobs.open(name);
  if (chunks === null) throw new OperationalError("not-found", `snapshot ${name} is gone`);
  let skip = offset;
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  for await (const chunk of chunks) {
    let rest = chunk;
    if (skip > 0) {
      rest = chunk.subarray(Math.min(skip, chunk.length));
      skip -= chunk.length - rest.length;
    }
    while (rest.length > 0) {
      // A part is given away when there is more after it: only then is it known not to be the last.
      if (heldBytes === PART_BYTES) {
        yield { data: concat(held), isLast: false };
        held = [];
        heldBytes = 0;
      }
      const taken = rest.subarray(0, PART_BYTES - heldBytes);
      held.push(taken.slice());
      heldBytes += taken.length;
      rest = rest.subarray(taken.length);
    }
  }
  yield { data: concat(held), isLast: true };
}

export interface SnapshotReceiverOptions {
  readonly blobs: Blobs;
  /** A snapshot is whole, checked and durable; `term` is its sender's. */
  received(from: string, term: number, point: SnapshotPoint, store: StateStore): void;
}

interface Transfer {
  readonly name: string;
  readonly writer: BlobWriter;
  readonly decoder: SnapshotDecoder;
  /** Bytes taken. */
  offset: number;
}

/** Senders that are heard at a time: a group has one leader, and now and then another one. */
const TRANSFERS_MAX = 8;
const ENDED_MAX = 64;

/** @throws OperationalError when it is no part. */
function readPart(bytes: Uint8Array): Part {
  const value = decode(bytes, { views: true });
  const part = (typeof value === "object" && value !== null ? value : {}) as Partial<Part>;
  const { name, term, offset, isLast, data } = part;
  const isPart =
    typeof name === "string" &&
    Number.isSafeInteger(term) &&
    Number.isSafeInteger(offset) &&
    typeof isLast === "boolean" &&
    data instanceof Uint8Array;
  if (!isPart) throw new OperationalError("invalid-request", "a part of a snapshot is malformed");
  return part as Part;
}

/** The other side. */
export class SnapshotReceiver {
  readonly #options: SnapshotReceiverOptions;
  /** At most one from each sender. */
  readonly #transfers = new Map<string, Transfer>();
  /** The last one that each sender ended: its last part may come again. */
  readonly #ended = new Map<string, { name: string; offset: number }>();
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: SnapshotReceiverOptions) {
    this.#options = options;
  }

  /** Takes a part; gives back what is wanted next. @throws OperationalError when the part, or the whole, is damaged. */
  handle(from: string, bytes: Uint8Array): Promise<Uint8Array> {
    const turn = this.#turn.then(async () => encode({ offset: await this.#take(from, bytes) }));
    this.#turn = turn.catch(() => {});
    return turn;
  }

  async stop(): Promise<void> {
    await this.#turn;
    for (const from of this.#transfers.keys()) await this.#drop(from);
  }

  async #take(from: string, bytes: Uint8Array): Promise<number> {
    const { name, term, offset, isLast, checksum, data } = readPart(bytes);
    const { index } = placeOf(name);
    if (crc32c(data) !== checksum)
      throw new OperationalError("invalid-request", `a part of snapshot ${index} is damaged`);
    const ended = this.#ended.get(from);
    if (ended?.name === name && offset > 0 && offset + data.length === ended.offset) return ended.offset;
    let transfer = this.#transfers.get(from);
    if (transfer?.name !== name) {
      await this.#drop(from);
      if (offset !== 0) return 0;
      // The oldest is begun anew if its sender is still there.
      for (const oldest of this.#transfers.keys()) if (this.#transfers.size >= TRANSFERS_MAX) await this.#drop(oldest);
      transfer = { name, writer: await this.#options.blobs.create(name), decoder: new SnapshotDecoder(), offset: 0 };
      this.#transfers.set(from, transfer);
    }
    if (offset !== transfer.offset) return transfer.offset;
    try {
      // Frames that are still open keep views of what was given.
      const own = data.slice();
      transfer.decoder.push(own);
      await transfer.writer.write(own);
      transfer.offset += data.length;
      if (isLast) await this.#end(from, term, transfer);
    } catch (error) {
      await this.#drop(from);
      throw error;
    }
    return transfer.offset;
  }

  async #end(from: string, term: number, { name, writer, decoder, offset }: Transfer): Promise<void> {
    const { point, store } = decoder.finish();
    const place = placeOf(name);
    if (point.index !== place.index || point.term !== place.term)
      throw new OperationalError("invalid-request", "a snapshot is not what its name says");
    await writer.commit();
    this.#transfers.delete(from);
    if (this.#ended.size >= ENDED_MAX) this.#ended.clear();
    this.#ended.set(from, { name, offset });
    this.#options.received(from, term, point, store);
  }

  async #drop(from: string): Promise<void> {
    const transfer = this.#transfers.get(from);
    this.#transfers.delete(from);
    await transfer?.writer.abort();
  }
}
