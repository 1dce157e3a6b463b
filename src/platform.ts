// What an agent asks of the place it runs in: interfaces only. Each runtime in `runtimes/` gives one `Platform`, and so
// does the simulator. `src` reaches the outside through nothing else: no global clock, timer, fetch or randomness.
import type { Entry, HardState } from "./raft/types.ts";
import type { TableStorage } from "./state/stored-tables.ts";

export type { StoredTable, TableStorage } from "./state/stored-tables.ts";

/** Everything outside an agent. Times are milliseconds. */
export interface Platform {
  /** Monotonic milliseconds; the only clock that protocols use. */
  now(): number;
  /** Milliseconds since the epoch; for what people read and for lock delays. */
  wall(): number;
  /** Sets the one timer: the host's `wake` is called at `at` (monotonic ms) or soon after; null clears it. */
  wakeAt(at: number | null): void;
  /**
   * Where an idle agent is put to sleep and its memory lost: it is started again at `at` (monotonic ms), or earlier, whatever
   * became of the timer; null when nothing is waited for. Missing where an agent runs until it is stopped.
   */
  alarmAt?(at: number | null): void;
  /** Cryptographically random bytes. */
  random(length: number): Uint8Array<ArrayBuffer>;
  /** Calls to other agents, bytes to bytes. */
  readonly peers: Peers;
  /** Requests to the rest of the world: HTTP checks, handlers of watches. */
  fetch(request: Request): Promise<Response>;
  readonly log: LogStore;
  readonly blobs: Blobs;
  /**
   * Tables in which the state stands: what is written to them and to `log` without a wait between is durable together. Missing
   * where the state is in memory, and made anew from the newest snapshot and the log.
   */
  readonly tables?: TableStorage;
  /** The files that an operator puts beside the log, by name: `peers.json`. Missing where there is no such directory. */
  readonly raftFiles?: Pick<Blobs, "read" | "write" | "delete">;
  /** Takes one log line or metric event; never throws. */
  report(event: ReportEvent): void;
  /** Opens a TCP connection and closes it again: TCP checks. Missing where the runtime has no sockets. */
  readonly tcp?: TcpProbe;
  /** Sends the requests of HTTP checks better than `fetch` can. Missing where `fetch` is all there is. */
  readonly http?: HttpProbe;
  /** Asks another DNS server: names outside the agent's domain. Missing where the runtime has no UDP. */
  readonly dns?: DnsClient;
  /** Runs a program: script checks, handlers of watches. Missing where the runtime cannot. */
  readonly exec?: Exec;
  /** The IP addresses that a name has. Missing where names are resolved only as they are called. Rejects when it has none. */
  resolve?(name: string): Promise<readonly string[]>;
  /** Facts of the machine for `/v1/agent/host` and the metrics. */
  readonly host?: HostFacts;
  /** Encrypts what agents say to each other (`encrypt`). Missing where the runtime has no AES. */
  readonly cipher?: Cipher;
}

/** One call to another agent. The same bytes arrive at that agent's `peer(path, bytes)`, and what it returns comes back. */
export interface Peers {
  /**
   * @param sending called when the connection stands and the bytes go out; who cannot tell does not call it.
   * @throws OperationalError `unreachable` when the call certainly did not arrive (`isRefused`: nobody listens there),
   * `timeout` when no answer came in time, `outcome-unknown` when it was sent and the connection ended before an answer
   * came, `unsupported` when who is there takes no calls to this path.
   */
  call(address: string, path: string, body: Uint8Array, timeoutMs: number, sending?: () => void): Promise<Uint8Array>;
}

/** What one durable step writes. All of it is durable together, or none of it is. */
export interface LogBatch {
  /** Entries to append, contiguous. When the first one's index is not after the last stored, the stored tail from it on is replaced. */
  entries: readonly Entry[];
  /** Term and vote, one record; null leaves the stored one. */
  hardState: HardState | null;
}

/** What `LogStore.load` found. `entries` are contiguous and start at `base.index + 1`. */
export interface LoadedLog {
  hardState: HardState | null;
  /** The last entry that compaction removed: index and term of the snapshot below the log; zeros when there is none. */
  base: { index: number; term: number };
  entries: Entry[];
}

/**
 * The Raft log and hard state on stable storage: read once at boot, only written while running.
 *
 * Contract. (1) A method has finished only when its effect would survive a power cut; a returned promise means later,
 * `undefined` means now. (2) A batch is atomic: after a crash it is there whole or not at all, and a batch that was said
 * to be durable is there whole. (3) Batches become durable in the order of the calls; those of one turn of the event loop
 * may share one sync. (4) A torn tail is cut at load. Damage anywhere else makes `load` throw `LogDamaged`, which names the
 * place and what to do; nothing is repaired by guessing. (5) After a failed write or sync every later call fails too:
 * the server must stop, since what is on disk is unknown. (6) A full disk, met before anything was written of a
 * batch, rejects that batch with an OperationalError `disk-full`, and the store stays usable with all it had.
 */
export interface LogStore {
  load(): Promise<LoadedLog>;
  append(batch: LogBatch): void | Promise<void>;
  /** Forgets entries up to and including `index`, which a durable snapshot holds. */
  compact(index: number, term: number): void | Promise<void>;
  /** Forgets every entry and starts after `index`: a snapshot from the leader took the log's place. */
  reset(index: number, term: number): void | Promise<void>;
  close(): Promise<void>;
}

/**
 * Named byte strings: snapshots, node id, persisted services and checks. A name is made of `[A-Za-z0-9._-]` and `/`.
 * `write` and `commit` are atomic and durable: after a crash the old bytes are there or the new ones, whole.
 */
export interface Blobs {
  read(name: string): Promise<Uint8Array<ArrayBuffer> | null>;
  write(name: string, bytes: Uint8Array): Promise<void>;
  /** Names that begin with `prefix`, sorted. */
  list(prefix: string): Promise<string[]>;
  /** Deleting what is not there is no error. */
  delete(name: string): Promise<void>;
  /** Reads a large blob piece by piece; null when absent. */
  open(name: string): Promise<AsyncIterable<Uint8Array> | null>;
  /** Writes a large blob piece by piece; nothing is visible before `commit`. */
  create(name: string): Promise<BlobWriter>;
}

export interface BlobWriter {
  write(chunk: Uint8Array): Promise<void>;
  commit(): Promise<void>;
  abort(): Promise<void>;
}

export interface TcpProbe {
  /** Resolves when connected; rejects with a readable message otherwise. */
  connect(host: string, port: number, timeoutMs: number): Promise<void>;
}

/**
 * HTTP as checks want it. `fetch` drops the Host header on some runtimes, refuses a body with GET and a list of ports, and
 * cannot be told about TLS; a runtime that can do better gives one of these.
 */
export interface HttpProbe {
  /** Resolves with the head of the answer, the body still to be read; rejects with a readable message. */
  request(request: HttpProbeRequest): Promise<HttpProbeAnswer>;
}
export interface HttpProbeRequest {
  url: string;
  method: string;
  headers: [string, string][];
  body: string;
  followRedirects: boolean;
  tlsServerName: string;
  tlsSkipVerify: boolean;
  /** Ends the request, or the reading of the answer. */
  signal: AbortSignal;
}
export interface HttpProbeAnswer {
  status: number;
  reason: string;
  body: ReadableStream<Uint8Array> | null;
}

/** AES-256-GCM (NIST SP 800-38D) with nonces of 12 bytes, and tags of 16 behind what they vouch for. */
export interface Cipher {
  /** @param bytes 32 of them. */
  key(bytes: Uint8Array): CipherKey;
}
/** One key. A promise means later; small messages are best sealed and opened at once. */
export interface CipherKey {
  /** `headBytes` bytes that are the caller's to fill, then the ciphertext and its tag. */
  seal(
    nonce: Uint8Array,
    aad: Uint8Array,
    plain: Uint8Array,
    headBytes: number,
  ): Uint8Array<ArrayBuffer> | Promise<Uint8Array<ArrayBuffer>>;
  /** The plaintext of ciphertext and tag; null when the tag does not fit. */
  open(nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array): Uint8Array | null | Promise<Uint8Array | null>;
}

export interface DnsClient {
  /** Sends a query to `server` (`address:port`) and gives its answer. Rejects at the timeout. */
  recurse(packet: Uint8Array, transport: "udp" | "tcp", server: string, timeoutMs: number): Promise<Uint8Array>;
}

export interface Exec {
  /** Runs `args[0]` with the rest as arguments, no shell. Output is stdout and stderr together, its last `outputBytes` bytes. */
  run(args: readonly string[], options: ExecOptions): Promise<ExecResult>;
}
export interface ExecOptions {
  timeoutMs: number;
  outputBytes: number;
  stdin?: Uint8Array;
  env?: Record<string, string>;
  /** Kills the program and everything it started. */
  signal?: AbortSignal;
}
export interface ExecResult {
  /** Null when the program was killed, by the timeout or the signal. */
  exitCode: number | null;
  timedOut: boolean;
  output: Uint8Array;
  /** All bytes written, also those cut off `output`. */
  outputTotal: number;
}

/** Facts of the machine, read afresh at each call. */
export interface HostFacts {
  readonly hostname: string;
  facts(): Record<string, unknown>;
  /** Resident memory and heap, in bytes. */
  memory(): { rss: number; heapUsed: number; heapTotal: number };
}

export type LogLevel = "trace" | "debug" | "info" | "warn" | "error";

/** A log line: `module` is Consul's logger name such as `agent.server.raft`; `fields` become key=value pairs. */
export interface LogEvent {
  type: "log";
  level: LogLevel;
  module: string;
  message: string;
  fields?: Record<string, unknown>;
}
/** A metric: Consul's name without the `consul.` prefix. */
export interface MetricEvent {
  type: "metric";
  kind: "counter" | "gauge" | "sample";
  name: string;
  value: number;
  labels?: Record<string, string>;
}
export type ReportEvent = LogEvent | MetricEvent;
