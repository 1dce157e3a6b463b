// What a server's consensus needs of the network: messages and snapshots to other servers, and theirs to this one.
import { decodeBatch, encodeBatch, encodeMessage } from "../codec/raft-message.ts";
import type { Timers } from "../host/timers.ts";
import type { Platform } from "../platform.ts";
import type { Message } from "../raft/types.ts";
import { MESSAGE_PATH, MessageSender } from "../rpc/message-sender.ts";
import type { Peer, PeerClient, PeerDoor } from "../rpc/peer-door.ts";
import type { StateStore } from "../state/store.ts";
import { OperationalError } from "../types/error.ts";
import type { Consensus } from "./consensus.ts";
import { deleteSnapshot, pruneSnapshots } from "./snapshots.ts";
import { SNAPSHOT_PATH, SnapshotReceiver, SnapshotSender } from "./snapshot-transfer.ts";

export interface ReplicationOptions {
  readonly platform: Pick<Platform, "blobs" | "now">;
  readonly timers: Timers;
  readonly client: PeerClient;
  readonly electionTimeoutMs: number;
  /** Null before the start. */
  consensus(): Consensus | null;
  address(id: string): string | null;
  /** @throws OperationalError when the server that calls is not to be listened to. */
  guard(from: Peer): void;
  log(level: "info" | "warn" | "error", message: string, fields: Record<string, unknown>): void;
}

/** A call that hangs holds up what comes after it: it is given up before the followers give up the leader. */
const SMALL_TIMEOUT_MIN_MS = 250;
const ENTRIES_TIMEOUT_MIN_MS = 2000;
const CALLERS_MAX = 256;

/** This server's ends of the wires to the others. */
export class Replication {
  readonly #options: ReplicationOptions;
  readonly #sender: MessageSender;
  readonly #snapshotSender: SnapshotSender;
  readonly #snapshotReceiver: SnapshotReceiver;
  readonly #callers = new Map<string, string>();
  /** Stores of received snapshots that the machine has not decided about, by index. */
  readonly #stores = new Map<number, StateStore>();

  constructor(options: ReplicationOptions) {
    const { platform, timers, client, electionTimeoutMs, address, log } = options;
    this.#options = options;
    this.#sender = new MessageSender({
      client,
      address,
      unreachable: (id) => options.consensus()?.unreachable(id),
      received: (from, messages) => {
        // What came in a reply has no reply.
        void Promise.resolve(this.#received(from, messages)).then((answers) => {
          for (const message of answers) this.#sender.send(from, message);
        });
      },
      now: () => platform.now(),
      small: { timeoutMs: Math.max(SMALL_TIMEOUT_MIN_MS, electionTimeoutMs / 2), hangsMs: electionTimeoutMs / 8 },
      entries: { timeoutMs: Math.max(ENTRIES_TIMEOUT_MIN_MS, electionTimeoutMs), hangsMs: electionTimeoutMs / 2 },
    });
    this.#snapshotSender = new SnapshotSender({
      client,
      blobs: platform.blobs,
      timers,
      address,
      sent: (to, index, ok) => options.consensus()?.snapshotSent(to, index, ok),
      log,
    });
    this.#snapshotReceiver = new SnapshotReceiver({
      blobs: platform.blobs,
      received: (from, term, point, store) => {
        this.#stores.set(point.index, store);
        options.consensus()?.snapshotReceived(from, term, point);
      },
    });
  }

  /** Takes the others' calls. */
  serve(door: PeerDoor): void {
    door.serve(MESSAGE_PATH, (from, body) => {
      const messages = decodeBatch(body);
      if (messages === null) throw new OperationalError("invalid-request", "a batch of Raft messages is malformed");
      this.#options.guard(from);
      this.#heard(from);
      const answers = this.#received(from.id, messages);
      if (!(answers instanceof Promise)) return encodeBatch(answers.map(encodeMessage));
      return answers.then((late) => encodeBatch(late.map(encodeMessage)));
    });
    door.serve(SNAPSHOT_PATH, (from, body) => {
      this.#options.guard(from);
      this.#heard(from);
      return this.#snapshotReceiver.handle(from.id, body);
    });
  }

  /** Where a server said it takes calls when it called this one: a new server knows its group from nothing else. */
  callerAddress(id: string): string | null {
    return this.#callers.get(id) ?? null;
  }

  #heard({ id, address }: Peer): void {
    if (this.#callers.get(id) === address) return;
    if (this.#callers.size >= CALLERS_MAX) this.#callers.clear();
    this.#callers.set(id, address);
  }

  send(to: string, message: Message): void {
    this.#sender.send(to, message);
  }

  /** Sends the newest snapshot. */
  sendSnapshot(to: string, term: number): void {
    this.#snapshotSender.send(to, term);
  }

  /** The store of a received snapshot that the machine wants installed; null when it was taken before. */
  take(index: number): StateStore | null {
    const store = this.#stores.get(index) ?? null;
    // Whatever came before it is of no use any more.
    for (const each of this.#stores.keys()) if (each <= index) this.#stores.delete(each);
    void this.#tidy(() => pruneSnapshots(this.#options.platform.blobs));
    return store;
  }

  /** The machine has no use for a received snapshot. */
  refused(index: number): void {
    this.#stores.delete(index);
    // The newest one of this server's own may be the same: it stays.
    if (index === this.#options.consensus()?.raft.snapshotIndex) return;
    void this.#tidy(() => deleteSnapshot(this.#options.platform.blobs, index));
  }

  /** The group's configuration changed. */
  changed(): void {
    const servers = this.#options.consensus()?.raft.configuration.servers ?? [];
    this.#sender.keep(servers.map(({ id }) => id));
  }

  stop(): void {
    this.#sender.stop();
    this.#snapshotSender.stop();
    void this.#snapshotReceiver.stop();
  }

  #received(from: string, messages: readonly Message[]): readonly Message[] | Promise<readonly Message[]> {
    const consensus = this.#options.consensus();
    if (consensus === null) throw new OperationalError("unreachable", "this server has not started yet");
    return consensus.received(from, messages);
  }

  async #tidy(tidy: () => Promise<void>): Promise<void> {
    try {
      await tidy();
    } catch (error) {
      this.#options.log("warn", "failed to delete old snapshots", { error });
    }
  }
}
