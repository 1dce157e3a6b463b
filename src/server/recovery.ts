// Going on after the quorum is lost for good (raft/DESIGN.md, "Recovery by hand"): `operator raft recover`, and peers.json.
// Any survivor asks the others what they hold and makes the plan. The one with the newest log takes a configuration in
// which it is alone, and so leads at once; it then has each of the others turn away the servers that were left out, and adds
// it again. Who was left out is told so when it comes back, and stops for good. What has begun is kept on disk and goes
// on after a restart.
import { decode, encode } from "../codec/value.ts";
import type { Timer, Timers } from "../host/timers.ts";
import type { Blobs, Platform } from "../platform.ts";
import type { Raft } from "../raft/raft.ts";
import type { ConfigurationChange, Server } from "../raft/types.ts";
import type { Peer, PeerClient, PeerDoor } from "../rpc/peer-door.ts";
import { OperationalError } from "../types/error.ts";
import { utf8 } from "../util/bytes.ts";
import type { Consensus } from "./consensus.ts";
import { parsePeers, PEERS_FILE, PEERS_INFO, PEERS_INFO_FILE } from "./peers-file.ts";
import { newestOf, planRecovery, type RecoveryPlan, type RecoveryStatus } from "./recovery-plan.ts";

const PATH = "/raft/1/recovery";
const BLOB = "recovery";
const TIMEOUT_MS = 2000;
/** How often it is looked whether something is left to do. */
const POLL_MS = 1000;
/** Who was left out is told at most so often. */
const TELL_MS = 1000;

/** What is kept of recoveries. */
interface Record {
  /** Since when this server is left out of its group, RFC 3339, and by whom; "": it is not. */
  droppedAt: string;
  droppedBy: string;
  /** Servers that were left out: what they send is refused. */
  dropped: readonly Server[];
  /** Survivors that are to be in the group again. */
  readmit: readonly Server[];
}

const NOTHING: Record = { droppedAt: "", droppedBy: "", dropped: [], readmit: [] };

type Order =
  | { type: "status" }
  /** Lead, alone, and take in `followers` again. */
  | { type: "lead"; lastIndex: number; term: number; followers: readonly Server[]; dropped: readonly Server[] }
  /** Turn away who was left out. */
  | { type: "follow"; dropped: readonly Server[] }
  /** The receiver was left out. */
  | { type: "dropped"; at: string };

/** What it needs of the server. */
export interface RecoveryHost {
  readonly platform: Pick<Platform, "blobs" | "raftFiles" | "now" | "wall" | "alarmAt">;
  readonly timers: Timers;
  readonly client: PeerClient;
  readonly id: string;
  readonly address: string;
  readonly server: { readonly raft: Omit<Raft, "step">; readonly leading: boolean; readonly appliedIndex: number };
  consensus(): Consensus;
  nameOf(id: string): string;
  addressOf(id: string): string | null;
  change(change: ConfigurationChange): Promise<void>;
  log(level: "info" | "warn" | "error", message: string, fields?: { [name: string]: unknown }): void;
  /** This server must not go on. */
  failed(error: OperationalError): void;
}

/** Recoveries, as this server takes part in them. */
export class Recovery {
  readonly #host: RecoveryHost;
  readonly #told = new Map<string, number>();
  /** Who was left out and knows it. */
  readonly #aware = new Set<string>();
  /** Survivors that turn away who was left out. */
  readonly #guarded = new Set<string>();
  #record: Record = NOTHING;
  /** What peers.json lists, until the group works. */
  #peers: readonly Server[] | null = null;
  #timer: Timer | null = null;
  #busy = false;
  #stopped = false;
  #waitsFor = "";

  constructor(host: RecoveryHost) {
    this.#host = host;
  }

  get #blobs(): Blobs {
    return this.#host.platform.blobs;
  }

  /** Before the log is read. @throws OperationalError when this server was left out, or peers.json is faulty. */
  async load(): Promise<void> {
    const { platform, id } = this.#host;
    const kept = await this.#blobs.read(BLOB);
    this.#record = kept === null ? NOTHING : (decode(kept) as Record);
    if (this.#record.droppedAt !== "") throw leftOut(this.#record);
    const files = platform.raftFiles;
    if (files === undefined) return;
    const found = await files.read(PEERS_FILE);
    if (found !== null) this.#peers = parsePeers(found, id);
    await files.write(PEERS_INFO_FILE, utf8(PEERS_INFO));
  }

  /** Once consensus has started: begins what peers.json says, goes on with what was begun. */
  start(): void {
    const peers = this.#peers;
    const { id } = this.#host;
    const { raft } = this.#host.server;
    if (peers !== null) {
      this.#host.log("warn", "found raft/peers.json, recovering the Raft configuration", {
        peers: peers.map(({ address }) => address).join(),
      });
      if (raft.lastIndex === 0)
        throw new OperationalError(
          "invalid-request",
          `raft/${PEERS_FILE}: this server holds no log, so there is nothing to recover. Delete the file: it joins as a new server`,
        );
      const voters = peers.filter(({ voter }) => voter);
      if (voters.length === 1 && voters[0]!.id === id) void this.#try(() => this.#leadBy(peers, raft.term));
    }
    this.#later();
  }

  stop(): void {
    this.#stopped = true;
    this.#host.timers.cancel(this.#timer);
  }

  serve(door: PeerDoor): void {
    door.serve(PATH, async (from, body) => encode(await this.#obey(from, decode(body) as Order)));
  }

  /** What it sends is refused, and it gets nothing. */
  isDropped(id: string): boolean {
    return this.#record.dropped.some((server) => server.id === id);
  }

  /** @throws OperationalError when the server that calls was left out; it is told. */
  guard({ id, address }: Peer): void {
    if (!this.isDropped(id)) return;
    this.#tell({ id, address });
    throw new OperationalError("refused", "this server was left out of the group by a recovery");
  }

  /** What a recovery would do now. */
  async plan(): Promise<RecoveryPlan> {
    const known = new Map<string, RecoveryStatus>();
    const asked = new Set<string>();
    const own = this.#status();
    known.set(own.id, own);
    // Who answers may know of servers that this one does not.
    for (let servers = own.servers; servers.length > 0;) {
      const more = servers.filter(({ id }) => !known.has(id) && !asked.has(id) && !this.isDropped(id));
      for (const { id } of more) asked.add(id);
      const found = await this.#ask(more);
      for (const status of found) known.set(status.id, status);
      servers = found.flatMap((status) => status.servers);
    }
    return planRecovery([...known.values()]);
  }

  /**
   * Does it, if the plan still is what the operator saw: who leads, and with which log. Resolves once the leader works.
   * @throws OperationalError when nothing was done, and why.
   */
  async recover(lead: string, lastIndex: number): Promise<RecoveryPlan> {
    const plan = await this.plan();
    if (plan.refusal !== "") throw new OperationalError("refused", plan.refusal);
    if (plan.lead === null || plan.lead.id !== lead || plan.lead.lastIndex !== lastIndex)
      throw new OperationalError(
        "conflict",
        "the servers are no longer as they were when the plan was made: look again",
      );
    const order: Order = {
      type: "lead",
      lastIndex,
      term: Math.max(...plan.servers.map(({ status }) => status?.term ?? 0)),
      followers: plan.followers.map(plain),
      dropped: plan.dropped.map(plain),
    };
    const { id, address } = plan.lead;
    if (id === this.#host.id) await this.#obey({ id, address }, order);
    else await this.#send({ id, address }, order);
    return plan;
  }

  // ------------------------------------------------------------------------------------------------------- orders

  async #obey(from: Peer, order: Order): Promise<unknown> {
    switch (order.type) {
      case "status":
        return this.#status();
      case "lead":
        await this.#lead(order);
        return true;
      case "follow":
        await this.#keep({ ...this.#record, dropped: merged(this.#record.dropped, order.dropped), readmit: [] });
        await this.#peersDone();
        return true;
      case "dropped":
        await this.#leave(from, order.at);
        return true;
      default:
        throw new OperationalError("unsupported", "servers of this version know no such step of a recovery");
    }
  }

  async #lead({ lastIndex, term, followers, dropped }: Extract<Order, { type: "lead" }>): Promise<void> {
    const { id, address, server, log } = this.#host;
    const { raft } = server;
    if (raft.leader !== null && raft.leader !== id)
      throw new OperationalError("refused", "the group has a leader: nothing was changed");
    if (raft.lastIndex !== lastIndex)
      throw new OperationalError("conflict", "the log has grown since the plan was made: look again");
    // A server that is in the group again is not to be turned away.
    const kept = this.#record.dropped.filter((gone) => !followers.some((other) => other.id === gone.id));
    await this.#keep({ ...this.#record, dropped: merged(kept, dropped), readmit: followers });
    log("warn", "recovering the group: this server goes on alone, and takes the other survivors in again", {
      lastIndex,
      survivors: followers.map((follower) => follower.address).join(),
      leftOut: dropped.map((gone) => gone.address).join(),
    });
    this.#host.consensus().recover({ servers: [{ id, address, voter: true }] }, term);
    this.#later();
  }

  /** This server was left out: it takes no part any more, now and after a restart. */
  async #leave(from: Peer, at: string): Promise<void> {
    // Only a server of its own group can say so.
    const { id } = this.#host;
    const { raft } = this.#host.server;
    const isFellow = raft.configuration.servers.some((server) => server.id === from.id) && from.id !== id;
    if (!isFellow || this.isDropped(from.id) || typeof at !== "string")
      throw new OperationalError("refused", "not a server of this group");
    await this.#keep({ ...this.#record, droppedAt: at, droppedBy: from.address });
    this.#host.failed(leftOut(this.#record));
  }

  // --------------------------------------------------------------------------------------------------- what is left

  #later(): void {
    if (this.#stopped || this.#timer?.pending === true) return;
    const { dropped, readmit } = this.#record;
    if (this.#peers === null && readmit.length === 0 && dropped.every(({ id }) => this.#aware.has(id))) return;
    this.#timer = this.#host.timers.after(POLL_MS, () => {
      void this.#try(() => this.#proceed()).then(() => this.#later());
    });
  }

  async #try(work: () => Promise<void>): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    try {
      await work();
    } catch (error) {
      this.#host.log("warn", "a step of the recovery failed, and is tried again", { error });
    } finally {
      this.#busy = false;
    }
  }

  async #proceed(): Promise<void> {
    if (this.#peers !== null) await this.#byPeersFile(this.#peers);
    for (const { id, address } of this.#record.dropped) this.#tell({ id, address });
    if (this.#host.server.leading) await this.#readmit();
  }

  /** One survivor after the other turns away who was left out, and is then taken in again: autopilot gives it its vote. */
  async #readmit(): Promise<void> {
    const { raft } = this.#host.server;
    for (const server of this.#record.readmit) {
      const { id, address } = server;
      const known = raft.configuration.servers.find((other) => other.id === id);
      if (!this.#guarded.has(id)) {
        try {
          await this.#send({ id, address }, { type: "follow", dropped: this.#record.dropped });
        } catch {
          continue;
        }
        this.#guarded.add(id);
      }
      if (known === undefined) await this.#host.change({ kind: "add", id, address });
      await this.#keep({ ...this.#record, readmit: this.#record.readmit.filter((other) => other.id !== id) });
    }
  }

  #tell(peer: Peer): void {
    const now = this.#host.platform.now();
    if (this.#aware.has(peer.id) || now - (this.#told.get(peer.id) ?? Number.NEGATIVE_INFINITY) < TELL_MS) return;
    this.#told.set(peer.id, now);
    const at = new Date(this.#host.platform.wall()).toISOString();
    this.#send(peer, { type: "dropped", at }).then(
      () => {
        this.#aware.add(peer.id);
        this.#host.log("info", "a server that was left out of the group was told so", {
          id: peer.id,
          address: peer.address,
        });
      },
      () => {},
    );
  }

  // ---------------------------------------------------------------------------------------------------- peers.json

  async #byPeersFile(peers: readonly Server[]): Promise<void> {
    const { id, server: self, log } = this.#host;
    const { raft, leading } = self;
    const isDone = raft.configuration.servers.every((server) =>
      peers.some((peer) => peer.id === server.id && peer.address === server.address),
    );
    if (leading && isDone) {
      await this.#peersDone();
      return;
    }
    if (raft.leader !== null) {
      this.#waiting("the group has a leader: delete raft/peers.json, nothing is changed by it", "error");
      return;
    }
    const found = await this.#ask(peers.filter((peer) => peer.id !== id));
    const listed = JSON.stringify(peers);
    const ready = found.filter((status) => JSON.stringify(status.peers) === listed);
    if (ready.length < peers.length - 1) {
      const missing = peers.filter((peer) => peer.id !== id && !ready.some((status) => status.id === peer.id));
      this.#waiting(
        `waiting for the servers of raft/peers.json to be started with the same file: ${missing.map(({ address }) => address).join()}`,
        "warn",
      );
      return;
    }
    const lead = newestOf([this.#status(), ...ready]);
    if (lead?.id !== id) return;
    log("info", "all servers of raft/peers.json are there, and this one has the newest log");
    await this.#leadBy(peers, Math.max(raft.term, ...ready.map(({ term }) => term)));
  }

  async #leadBy(peers: readonly Server[], term: number): Promise<void> {
    const { id } = this.#host;
    const { raft } = this.#host.server;
    const followers = peers.filter((peer) => peer.id !== id);
    const dropped = raft.configuration.servers.filter((server) => !peers.some((peer) => peer.id === server.id));
    await this.#lead({ type: "lead", lastIndex: raft.lastIndex, term, followers, dropped });
  }

  #waiting(what: string, level: "warn" | "error"): void {
    if (this.#waitsFor === what) return;
    this.#waitsFor = what;
    this.#host.log(level, what);
  }

  async #peersDone(): Promise<void> {
    if (this.#peers === null) return;
    await this.#host.platform.raftFiles?.delete(PEERS_FILE);
    this.#peers = null;
    this.#host.log("info", "deleted raft/peers.json after successful recovery");
  }

  // ------------------------------------------------------------------------------------------------------------ calls

  #status(): RecoveryStatus {
    const { id, address } = this.#host;
    const { raft } = this.#host.server;
    return {
      id,
      name: this.#host.nameOf(id),
      address,
      role: raft.role,
      leader: raft.leader,
      term: raft.term,
      lastIndex: raft.lastIndex,
      lastTerm: raft.lastTerm,
      knownCommit: raft.knownCommit,
      servers: raft.configuration.servers,
      peers: this.#peers,
    };
  }

  async #ask(servers: readonly Server[]): Promise<RecoveryStatus[]> {
    const asked = servers.map(async ({ id, address }) => {
      const at = this.#peers === null ? (this.#host.addressOf(id) ?? address) : address;
      const answer = await this.#send({ id, address: at }, { type: "status" }).catch(() => null);
      return answer as RecoveryStatus | null;
    });
    return (await Promise.all(asked)).filter((status) => status !== null);
  }

  async #send(peer: Peer, order: Order): Promise<unknown> {
    return decode(await this.#host.client.call(peer, PATH, encode(order), TIMEOUT_MS));
  }

  async #keep(record: Record): Promise<void> {
    await this.#blobs.write(BLOB, encode(record));
    this.#record = record;
  }
}

const plain = ({ id, address, voter }: Server): Server => ({ id, address, voter });

function merged(a: readonly Server[], b: readonly Server[]): readonly Server[] {
  return [...a.filter(({ id }) => !b.some((server) => server.id === id)), ...b];
}

const leftOut = ({ droppedAt, droppedBy }: Record): OperationalError =>
  new OperationalError(
    "refused",
    `This server was left out of its group: the quorum was lost, and the group was recovered without it (said by ${droppedBy} at ${droppedAt}). ` +
      "What it holds may be out of date or was never agreed upon, so it takes no part any more. " +
      "To let it join as a new server, move its data directory away and start it again: it then gets a new node id",
  );
