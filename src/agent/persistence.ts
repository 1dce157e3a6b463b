// What the agent remembers over a restart: services and checks that were registered by the API, maintenance modes, and what
// checks last showed. A blob each, named by the SHA-256 of its id as in Consul's data directory: `services/…`, `checks/…`,
// `checks/state/…`. A blob is a JSON text and a line with its own SHA-256: one that is damaged is named in the log and
// passed over, never guessed at.
import { sha256 } from "@noble/hashes/sha2.js";
import type { CheckOutcome } from "../check/alias.ts";
import { isCheckStatus } from "../check/status.ts";
import type { Blobs, Platform } from "../platform.ts";
import { OperationalError } from "../types/error.ts";
import type { CheckStatus } from "../types/records.ts";
import { hex, utf8 } from "../util/bytes.ts";
import type { Decoder } from "../util/decode.ts";
import type { LocalChange, LocalState } from "./local-state.ts";
import type { Logger } from "./logs.ts";
import {
  decodeRecord,
  encodeCheck,
  encodeService,
  encodeState,
  type PersistedCheck,
  type PersistedService,
  persistedCheck,
  persistedService,
  type PersistedState,
  persistedState,
} from "./persisted-record.ts";
import { quoted } from "./registration.ts";

/** What it works with. */
export interface LocalPersistenceOptions {
  platform: Pick<Platform, "wall"> & { readonly blobs: Blobs };
  logger: Logger;
}

/** How many blobs are written at a time. */
const writesMax = 16;

/** Loads what was remembered, then writes down what changes. */
export class LocalPersistence {
  readonly #blobs: Blobs;
  readonly #platform: Pick<Platform, "wall">;
  readonly #logger: Logger;
  /** Names of the blobs there are, or will be once what is queued is written. */
  readonly #names = new Set<string>();
  /** What is to be written next, by name: the latest bytes, or null to delete. */
  #queue = new Map<string, Uint8Array | null>();
  /** What could not be written: it is tried again with the next change, and its failure is then nobody else's. */
  readonly #failed = new Map<string, Uint8Array | null>();
  #batch: Promise<void> | null = null;
  #nextBatch: Promise<void> | null = null;
  #unsubscribe: (() => void) | null = null;

  constructor(options: LocalPersistenceOptions) {
    this.#blobs = options.platform.blobs;
    this.#platform = options.platform;
    this.#logger = options.logger;
  }

  /**
   * Restores what was remembered and follows `local` from then on. `configure` registers what the configuration files
   * define: it goes first, and what it has in common with what was remembered counts.
   * @throws OperationalError when the blobs cannot be read; whatever `configure` throws.
   */
  async restore(local: LocalState, configure: () => void): Promise<void> {
    const services = await this.#load("services/", persistedService, ({ Service }) => Service.ID);
    const checks = await this.#load("checks/", persistedCheck, ({ Check }) => Check.CheckID);
    const states = await this.#load("checks/state/", persistedState, ({ CheckID }) => CheckID);
    local.setRestored(this.#shown(states));
    configure();
    for (const [name, service] of services) this.#restoreService(local, name, service);
    for (const [name, check] of checks) this.#restoreCheck(local, name, check);
    // A state without its check would wait for one of the same name for ever.
    for (const [name, { CheckID }] of states) if (!local.checks.has(CheckID)) this.#put(name, null);
    this.#unsubscribe = local.subscribe((change) => this.#changed(change));
  }

  /** A TTL check was renewed for `ttlMs`: until then, a restart shows it as it is. */
  renewed(id: string, status: CheckStatus, output: string, ttlMs: number): void {
    const Expires = Math.floor((this.#platform.wall() + ttlMs) / 1000);
    const state = { CheckID: id, Kind: "ttl", Status: status, Output: output, Expires };
    this.#put(blobName("checks/state/", id), encodeState(state));
  }

  /**
   * Waits until all that has changed so far is durable.
   * @throws OperationalError `storage-failed` or `disk-full` when it is not; what is in memory stays as it is.
   */
  async settled(): Promise<void> {
    await Promise.all([this.#batch, this.#nextBatch]);
  }

  /** Follows no more. What is queued is still written. */
  stop(): void {
    this.#unsubscribe?.();
  }

  /** What checks are to show again, by id: unless a TTL has run out meanwhile. */
  #shown(states: ReadonlyMap<string, PersistedState>): Map<string, CheckOutcome & { kind: string }> {
    const nowS = Math.floor(this.#platform.wall() / 1000);
    const shown = new Map<string, CheckOutcome & { kind: string }>();
    for (const [name, { CheckID, Kind, Status, Output, Expires }] of states) {
      if (!isCheckStatus(Status)) continue;
      if (Expires > 0 && nowS >= Expires) {
        this.#logger.debug("check state expired, not restoring", { check: CheckID });
        this.#put(name, null);
      } else shown.set(CheckID, { kind: Kind, status: Status, output: Output });
    }
    return shown;
  }

  #restoreService(local: LocalState, name: string, persisted: PersistedService): void {
    const { ID } = persisted.Service;
    if (local.services.has(ID)) {
      this.#logger.debug("service exists, not restoring from file", { service: ID, file: name });
      this.#put(name, null);
      return;
    }
    const service = { ...persisted.Service, Node: "", PeerName: "", CreateIndex: 0, ModifyIndex: 0 };
    local.addService(
      {
        service,
        checks: [],
        token: persisted.Token,
        source: "remote",
        replaceExistingChecks: false,
        isSidecar: persisted.Sidecar,
      },
      false,
    );
    this.#logger.debug("restored service definition from file", { service: ID, file: name });
  }

  #restoreCheck(local: LocalState, name: string, { Check, Spec, Token }: PersistedCheck): void {
    const { CheckID: id, Name, Notes, ServiceID: serviceId, Interval: interval, Timeout: timeout } = Check;
    if (local.checks.has(id)) {
      this.#logger.debug("check exists, not restoring from file", { check: id, file: name });
      this.#put(name, null);
      return;
    }
    try {
      if (Spec === null) local.restoreMaintenance({ id, name: Name, notes: Notes, serviceId }, Token);
      else {
        // Nothing is taken to be well unless its last state says so.
        const status = "critical";
        const registration = {
          id,
          name: Name,
          notes: Notes,
          serviceId,
          status,
          interval,
          timeout,
          spec: Spec,
        } as const;
        local.addCheck(registration, Token, "remote", false);
      }
      this.#logger.debug("restored health check from file", { check: id, file: name });
    } catch (error) {
      if (!(error instanceof OperationalError)) throw error;
      this.#logger.warn("Failed to restore check", { check: id, error });
      this.#put(name, null);
    }
  }

  #changed(change: LocalChange): void {
    switch (change.type) {
      case "service-set": {
        const { record, id } = change;
        if (change.persist) this.#put(blobName("services/", id), encodeService(record));
        else if (record.source === "local") this.#forget("services/", id);
        break;
      }
      case "service-removed":
        if (change.persist) this.#forget("services/", change.id);
        break;
      case "check-set": {
        const { record, id } = change;
        if (change.persist) this.#put(blobName("checks/", id), encodeCheck(record));
        else if (record.source === "local" && record.spec !== null) this.#forget("checks/", id);
        break;
      }
      case "check-removed":
        if (!change.persist) break;
        this.#forget("checks/", change.id);
        this.#forget("checks/state/", change.id);
        break;
      case "check-status": {
        // What a TTL check shows is remembered for as long as its TTL runs, by `renewed`.
        const { check, spec, source } = change.record;
        if (!change.statusChanged || spec === null || spec.kind === "ttl" || source === "local") break;
        const { Status, Output } = check;
        const state = { CheckID: change.id, Kind: spec.kind, Status, Output, Expires: 0 };
        this.#put(blobName("checks/state/", change.id), encodeState(state));
        break;
      }
      default:
    }
  }

  #forget(prefix: string, id: string): void {
    const name = blobName(prefix, id);
    if (this.#names.has(name)) this.#put(name, null);
  }

  /** Queues bytes for a blob, or its deletion; what was queued for it before is not written. */
  #put(name: string, bytes: Uint8Array | null): void {
    if (bytes === null) this.#names.delete(name);
    else this.#names.add(name);
    this.#queue.set(name, bytes);
    this.#failed.delete(name);
    if (this.#nextBatch !== null) return;
    const next = (this.#batch ?? Promise.resolve()).catch(() => {}).then(() => this.#write());
    this.#nextBatch = next;
    // Whoever asks by `settled` hears of a failure; if nobody does, the log has it.
    next.catch(() => {});
  }

  async #write(): Promise<void> {
    const queue = this.#queue;
    const batch = [...this.#failed, ...queue];
    this.#failed.clear();
    this.#queue = new Map();
    this.#batch = this.#nextBatch;
    this.#nextBatch = null;
    let failure: OperationalError | null = null;
    const writer = async (): Promise<void> => {
      for (let entry = batch.pop(); entry !== undefined; entry = batch.pop()) {
        const [name, bytes] = entry;
        try {
          if (bytes === null) await this.#blobs.delete(name);
          else await this.#blobs.write(name, bytes);
        } catch (error) {
          this.#logger.error("failed to persist", { file: name, error });
          if (!this.#queue.has(name)) this.#failed.set(name, bytes);
          if (queue.has(name)) failure ??= failureOf(name, error);
        }
      }
    };
    await Promise.all(Array.from({ length: Math.min(writesMax, batch.length) }, writer));
    if (this.#nextBatch === null) this.#batch = null;
    if (failure !== null) throw failure as OperationalError;
  }

  /** Every blob below `prefix` that can be read, by its name. */
  async #load<T>(prefix: string, decoder: Decoder<T>, idOf: (record: T) => string): Promise<Map<string, T>> {
    const records = new Map<string, T>();
    for (const name of await this.#blobs.list(prefix)) {
      // A folder below is another kind.
      if (name.includes("/", prefix.length)) continue;
      this.#names.add(name);
      const bytes = await this.#blobs.read(name);
      if (bytes === null) continue;
      try {
        const record = decodeRecord(decoder, bytes);
        if (blobName(prefix, idOf(record)) !== name) throw new Error(`it holds ${quoted(idOf(record))}`);
        records.set(name, record);
      } catch (error) {
        this.#logger.error("Failed decoding a persisted file, it is passed over", { file: name, error });
      }
    }
    return records;
  }
}

function blobName(prefix: string, id: string): string {
  return prefix + hex(sha256(utf8(id)));
}

function failureOf(name: string, error: unknown): OperationalError {
  const code = error instanceof OperationalError && error.code === "disk-full" ? "disk-full" : "storage-failed";
  const why = error instanceof Error ? error.message : String(error);
  return new OperationalError(code, `failed to persist ${name}: ${why}`, { cause: error });
}
