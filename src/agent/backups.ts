// Backups for operators, at any agent: a server stages one of its own state (server/backup.ts); a client has a server do
// so, and pulls it piece by piece; and so does a server with one of another datacenter.
import { decode, encode } from "../codec/value.ts";
import type { Timer, Timers } from "../host/timers.ts";
import type { Platform } from "../platform.ts";
import type { Upstream } from "../rpc/authority.ts";
import type { Peer, PeerClient, PeerDoor } from "../rpc/peer-door.ts";
import type { Router } from "../rpc/router.ts";
import { type Backup, stageBackup } from "../server/backup.ts";
import type { Server } from "../server/server.ts";
import { OperationalError } from "../types/error.ts";
import { concat } from "../util/bytes.ts";

/** A backup on its way to an operator. */
export interface OpenBackup {
  readonly index: number;
  readonly knownLeader: boolean;
  readonly lastContactMs: number;
  /** The bytes of the archive, uncompressed; to be read once. */
  archive(): AsyncGenerator<Uint8Array>;
  /** Forgets what was staged; to be called however the reading ends. */
  discard(): Promise<void>;
}

/** Where an agent's backups come from. */
export interface Backups {
  /**
   * @param stale any server's state will do.
   * @param datacenter "" for the agent's own.
   * @throws OperationalError `no-leader` when it is not known what is current.
   */
  open(stale: boolean, datacenter: string): Promise<OpenBackup>;
}

const OPEN_PATH = "/rpc/1/backup";
const PULL_PATH = "/rpc/1/backup-part";
/** The paths that clients and servers of other datacenters call. */
export const BACKUP_PATHS: readonly string[] = [OPEN_PATH, PULL_PATH];
const TIMEOUT_MS = 5 * 60_000;
/** Nobody pulls any more: it is forgotten. */
const IDLE_MS = 60_000;
const PART_BYTES = 4 * 1024 * 1024;
/** Clients that pull at the same time. */
const PULLED_MAX = 8;

interface Opened {
  id: string;
  index: number;
  knownLeader: boolean;
  lastContactMs: number;
}

/** What a server makes backups with. */
export interface ServerBackupsOptions {
  readonly server: Server;
  readonly client: PeerClient;
  /** The way to other datacenters. */
  readonly router: Router;
  readonly platform: Platform;
  readonly timers: Timers;
  /** How long to wait for a leader. */
  readonly holdMs: number;
  failed(error: unknown): void;
}

/** A server's own, and those that clients pull. */
export class ServerBackups implements Backups {
  readonly #options: ServerBackupsOptions;
  readonly #pulled = new Map<string, { archive: AsyncGenerator<Uint8Array>; end(): void; timer: Timer }>();

  constructor(options: ServerBackupsOptions) {
    this.#options = options;
  }

  /** Takes the calls of clients. */
  serve(door: PeerDoor): void {
    door.serve(OPEN_PATH, async (_from, body) => {
      const { stale, datacenter } = decode(body) as { stale: boolean; datacenter: string };
      if (this.#pulled.size >= PULLED_MAX)
        throw new OperationalError("rate-limited", `${PULLED_MAX} snapshots are being saved here, try again later`);
      const { archive, discard, ...head } = await this.open(stale === true, datacenter);
      const id = this.#options.server.newId();
      this.#keep(id, archive(), discard);
      return encode({ id, ...head } satisfies Opened);
    });
    door.serve(PULL_PATH, async (_from, body) => {
      const { id } = decode(body) as { id: string };
      return this.#part(id);
    });
  }

  async open(stale: boolean, datacenter: string): Promise<OpenBackup> {
    const { server, client, router, platform, holdMs } = this.#options;
    if (datacenter !== "" && datacenter !== router.datacenter)
      return openAt(client, await router.server(datacenter), stale, datacenter);
    if (!stale && !(await server.untilCurrent(holdMs))) throw new OperationalError("no-leader", "No cluster leader");
    const { point, chunks } = server.backup();
    const staged: Backup = await stageBackup({
      blobs: platform.blobs,
      id: server.newId(),
      wallMs: platform.wall(),
      point,
      chunks,
    });
    return {
      index: point.index,
      knownLeader: server.leader !== null,
      lastContactMs: server.leading ? 0 : server.raft.lastContact(platform.now()),
      archive: () => staged.archive(),
      discard: () => staged.discard(),
    };
  }

  #keep(id: string, archive: AsyncGenerator<Uint8Array>, discard: () => Promise<void>): void {
    const { timers, failed } = this.#options;
    const end = (): void => {
      const pulled = this.#pulled.get(id);
      if (pulled === undefined) return;
      this.#pulled.delete(id);
      timers.cancel(pulled.timer);
      discard().catch(failed);
    };
    this.#pulled.set(id, { archive, end, timer: timers.after(IDLE_MS, end) });
  }

  /** The next bytes; none at the end. */
  async #part(id: string): Promise<Uint8Array> {
    const pulled = this.#pulled.get(id);
    if (pulled === undefined)
      throw new OperationalError("not-found", "the snapshot is not kept any more: it was not fetched for a minute");
    const { timers } = this.#options;
    timers.cancel(pulled.timer);
    const pieces: Uint8Array[] = [];
    for (let bytes = 0; bytes < PART_BYTES;) {
      const next = await pulled.archive.next();
      if (next.done === true) break;
      pieces.push(next.value);
      bytes += next.value.length;
    }
    if (pieces.length === 0) pulled.end();
    else pulled.timer = timers.after(IDLE_MS, pulled.end);
    return concat(pieces);
  }
}

/** A client's: those of the server that it uses. */
export class ClientBackups implements Backups {
  readonly #client: PeerClient;
  readonly #upstream: Upstream;

  constructor(client: PeerClient, upstream: Upstream) {
    this.#client = client;
    this.#upstream = upstream;
  }

  async open(stale: boolean, datacenter: string): Promise<OpenBackup> {
    const { peer } = this.#upstream;
    if (peer === null) throw new OperationalError("no-leader", "No known Consul servers");
    return openAt(this.#client, peer, stale, datacenter);
  }
}

/** Has a server stage one, of its own state or of a datacenter that it can reach. */
async function openAt(client: PeerClient, peer: Peer, stale: boolean, datacenter: string): Promise<OpenBackup> {
  const asked = encode({ stale, datacenter });
  const { id, ...head } = decode(await client.call(peer, OPEN_PATH, asked, TIMEOUT_MS)) as Opened;
  // The server forgets what nobody pulls.
  return { ...head, archive: () => pull(client, peer, id), discard: () => Promise.resolve() };
}

async function* pull(client: PeerClient, peer: Peer, id: string): AsyncGenerator<Uint8Array> {
  for (;;) {
    const part = await client.call(peer, PULL_PATH, encode({ id }), TIMEOUT_MS);
    if (part.length === 0) return;
    yield part;
  }
}
