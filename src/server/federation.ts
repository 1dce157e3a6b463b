// This datacenter among others, on one of its servers. Every server knows who the primary is, and so where the writes go that
// are for all datacenters; the leader keeps the replicators: of who the primary is, from every other datacenter, and, in
// a secondary, of configuration entries from the primary. What guards a move: the primary's epoch only rises, in the log of each
// datacenter; the old primary steps down in its log before the new one takes over, and the new one has then all that the old one had.
import { configEntryList } from "../endpoint/config-entry.ts";
import {
  federationGet,
  federationIdentify,
  type FederationStatus,
  type FederationView,
  type ForPrimary,
  type Forwarded,
  type LinkStatus,
} from "../endpoint/federation.ts";
import type { Timer } from "../host/timers.ts";
import { ConfigEntriesKind, entriesBatch, type EntriesBatch } from "../replicator/config-entries.ts";
import { KVKind } from "../replicator/kv.ts";
import { type PrimaryBatch, PrimaryKind } from "../replicator/primary.ts";
import type { Change } from "../state/change.ts";
import type { Command, CommandValue, KVReplicated } from "../state/command.ts";
import { sameData } from "../state/equal.ts";
import type { StateStore } from "../state/store.ts";
import { OperationalError } from "../types/error.ts";
import type { ConfigEntry, KVRule, KVRuleInput, Primary } from "../types/records.ts";
import { type Link, type LinkHost, ReplicationLink } from "./replication-link.ts";

/** How long the stamp of a deleted key is kept, and how often it is looked at. */
const REMEMBERED_MS = 7 * 24 * 3_600_000;
const FORGET_EVERY_MS = 3_600_000;

/** What it needs of the server. */
export interface FederationHost extends LinkHost {
  readonly datacenter: string;
  /** `primary_datacenter` of the files. */
  readonly primaryDatacenter: string;
  /** `kv_replication` of the files. */
  readonly kvReplication: readonly KVRuleInput[];
  readonly server: {
    readonly state: StateStore;
    readonly leading: boolean;
    /** Writes a command of the server's own. @throws OperationalError when it is refused or lost. */
    write(command: Command): Promise<CommandValue>;
  };
}

/** What one server knows of the other datacenters, and its replicators while it leads. */
export class Federation implements FederationView {
  readonly #host: FederationHost;
  readonly #links = new Map<string, Link>();
  #leading = false;
  #forgetting: Timer | null = null;

  constructor(host: FederationHost) {
    this.#host = host;
  }

  get primary(): Primary {
    const { primaryDatacenter, server } = this.#host;
    return (
      server.state.federation().value?.Primary ?? {
        Datacenter: primaryDatacenter,
        Epoch: 0,
        From: "",
        Family: primaryDatacenter,
      }
    );
  }

  get isPrimary(): boolean {
    return this.primary.Datacenter === this.#host.datacenter;
  }

  /** Where the primary's writes go from here; null when they are written here. */
  get elsewhere(): { datacenter: string; forwarded: Forwarded } | null {
    const { primary } = this;
    const { datacenter } = this.#host;
    if (primary.Datacenter === datacenter) return null;
    return { datacenter: primary.Datacenter, forwarded: { from: datacenter, epoch: primary.Epoch } };
  }

  /** @throws OperationalError when this datacenter may not take a write that is for all. */
  admit({ forwarded }: ForPrimary): void {
    const { primary } = this;
    const { datacenter } = this.#host;
    if (primary.Datacenter !== datacenter)
      throw new OperationalError(
        "not-primary",
        `${datacenter} is not the primary datacenter${since(primary)}: ${primary.Datacenter} is; nothing was written`,
      );
    if (forwarded !== undefined && forwarded.epoch > primary.Epoch)
      throw new OperationalError(
        "not-primary",
        `${datacenter} has not heard yet who the primary datacenter is since epoch ${forwarded.epoch}; nothing was written`,
      );
  }

  get status(): FederationStatus {
    const { datacenter, primaryDatacenter } = this.#host;
    return {
      datacenter,
      primary: this.primary,
      configured: primaryDatacenter,
      known: this.#others(),
      links: [...this.#links.values()].map(({ status }) => status).sort(inOrder),
    };
  }

  get links(): Iterable<Link> {
    return this.#links.values();
  }

  /** This server leads and has applied everything before its term. */
  led(): void {
    this.#leading = true;
    const { primary } = this;
    const { primaryDatacenter, log } = this.#host;
    if (primary.Datacenter !== primaryDatacenter)
      log(
        "warn",
        "primary_datacenter of the configuration is out of date and does not count: change it when it suits",
        {
          configured: primaryDatacenter,
          primary: primary.Datacenter,
          epoch: primary.Epoch,
        },
      );
    void this.#setRules();
    this.look();
    this.#forgetLater();
  }

  /** The store was put back from a snapshot, maybe of another datacenter: this one says again what it is. */
  restored(): void {
    const { server, datacenter, log } = this.#host;
    const stored = server.state.federation().value;
    if (stored !== null && stored.Datacenter !== datacenter)
      server
        .write({ type: "federation.set", datacenter })
        .catch((error: unknown) => log("error", "failed to store what this datacenter is", { error }));
    void this.#setRules();
    for (const link of this.#links.values()) link.stop();
    this.#links.clear();
    this.look();
  }

  /** Deletions of keys that several datacenters write are remembered for a week: whoever is away for longer may bring them back. */
  #forgetLater(): void {
    const { timers, server, platform } = this.#host;
    timers.cancel(this.#forgetting);
    // Only while there is something to forget: an idle server may sleep.
    if (!this.#leading || !server.state.stamping) return;
    this.#forgetting = timers.after(FORGET_EVERY_MS, () => {
      const beforeMs = platform.wall() - REMEMBERED_MS;
      // What could not be written now is covered by the next time.
      if (server.state.keptDeletions().earliestMs < beforeMs)
        void server.write({ type: "kv.forget", beforeMs }).catch(() => {});
      this.#forgetLater();
    });
  }

  /** The rules of this leader's files take the place of those in the store, so that all servers stamp alike. */
  async #setRules(): Promise<void> {
    const { kvReplication, datacenter, server, log } = this.#host;
    const stored = (server.state.federation().value?.Rules ?? []).map(({ Since: _since, ...rule }) => rule);
    if (sameData(stored, kvReplication)) return;
    try {
      await server.write({ type: "federation.set", datacenter, rules: [...kvReplication] });
      log("info", "kv_replication of the configuration counts from now on", { rules: kvReplication.length });
    } catch (error) {
      // Who leads next does it.
      if (server.leading) log("error", "failed to store kv_replication", { error });
    }
  }

  stop(): void {
    this.#leading = false;
    this.#host.timers.cancel(this.#forgetting);
    for (const link of this.#links.values()) link.stop();
    this.#links.clear();
  }

  /** An entry changed the store. */
  changed(changes: readonly Change[]): void {
    if (!this.#leading || !changes.some(({ table }) => table === "federation")) return;
    this.look();
    this.#forgetLater();
  }

  /**
   * Sees to it that the links are there that should be now, and no others.
   * @param isNews something is known of other datacenters that was not before: what waits tries at once.
   */
  look(isNews: boolean = false): void {
    if (!this.#leading) return;
    const wanted = this.#wanted();
    for (const [name, link] of this.#links) {
      if (wanted.has(name)) continue;
      link.stop();
      this.#links.delete(name);
    }
    for (const [name, make] of wanted) if (!this.#links.has(name)) this.#links.set(name, make());
    if (isNews) for (const link of this.#links.values()) link.hurry();
  }

  #others(): string[] {
    const { datacenter } = this.#host;
    return this.#host
      .remote()
      .topology.datacenters()
      .filter((other) => other !== datacenter);
  }

  #wanted(): Map<string, () => Link> {
    const wanted = new Map<string, () => Link>();
    const host = this.#host;
    const { datacenter } = host;
    const { primary } = this;
    for (const source of this.#others()) {
      const kind = new PrimaryKind({ datacenter, primary: () => this.primary }, source);
      const name = { kind: "primary", source, prefix: "", toPrefix: "", mode: "" } as const;
      wanted.set(
        `primary ${source}`,
        () => new ReplicationLink(host, { name, kind, write: (batch: PrimaryBatch) => this.#hear(batch) }),
      );
    }
    if (primary.Datacenter !== datacenter) {
      const source = primary.Datacenter;
      const kind = new ConfigEntriesKind({ primary: () => source, entries: () => this.#entries });
      const name = { kind: "config-entries", source, prefix: "", toPrefix: "", mode: "" } as const;
      wanted.set(
        `config-entries ${source} ${primary.Epoch}`,
        () =>
          new ReplicationLink(host, {
            name,
            kind,
            prepare: this.#confirming(primary),
            write: (batch: EntriesBatch) => this.#write(batch, primary, null),
          }),
      );
    }
    for (const rule of this.#host.server.state.federation().value?.Rules ?? [])
      wanted.set(`kv ${JSON.stringify(rule)}`, () => this.#kvLink(rule));
    return wanted;
  }

  /**
   * Makes sure, once, that who is named the primary has taken over: before that it may lack what the old one still has, which
   * would be lost if the old one followed it already.
   */
  #confirming({ Datacenter: source, Epoch }: Primary): (isFailing: boolean) => Promise<void> {
    let isConfirmed = Epoch === 0;
    return async (isFailing) => {
      if (isConfirmed && !isFailing) return;
      const options = { consistency: "default", index: 0, waitMs: 0 } as const;
      const { shared } = await this.#host.remote().query(federationGet, null, options, source);
      const told = shared.read.value?.Primary ?? null;
      isConfirmed = Epoch === 0 || (told !== null && told.Datacenter === source && told.Epoch >= Epoch);
      if (!isConfirmed) throw new OperationalError("not-primary", `${source} has not taken over as the primary yet`);
    };
  }

  #kvLink(rule: KVRule): Link {
    const host = this.#host;
    const { datacenter, server } = host;
    const kind = new KVKind({ datacenter, state: () => server.state }, rule);
    const { From: source, Prefix: prefix, ToPrefix: toPrefix, Mode: mode } = rule;
    /** The source has named its history, as far as is known. */
    let isNamed = false;
    return new ReplicationLink(host, {
      name: { kind: "kv", source, prefix, toPrefix, mode },
      kind,
      prepare: async (isFailing) => {
        if (isNamed && !isFailing) return;
        await host.remote().command(federationIdentify, null, source);
        isNamed = true;
      },
      write: async (batch) => {
        const result = await server.write(batch);
        if (result === false) throw new OperationalError("conflict", "the link has moved on meanwhile");
        const { Conflicts: conflicts, ConflictKeys: keys } = result as KVReplicated;
        if (conflicts > 0)
          host.log("warn", "keys were written in two datacenters at once: of each the newest version stays", {
            source,
            prefix,
            conflicts,
            keys,
          });
      },
      counts: () => {
        const stored = kind.stored;
        return { written: stored?.Written ?? 0, deleted: stored?.Deleted ?? 0, conflicts: stored?.Conflicts ?? 0 };
      },
    });
  }

  get #entries(): readonly ConfigEntry[] {
    return this.#host.server.state.configEntries(null).value;
  }

  /** Writes what the primary has, as long as it is the primary. */
  async #write({ commands, replaced }: EntriesBatch, known: Primary, primary: Primary | null): Promise<void> {
    const { server, log } = this.#host;
    const done = await server.write({ type: "replicate", epoch: known.Epoch, commands, primary });
    if (done !== true) throw new OperationalError("conflict", "the primary was moved meanwhile");
    for (const entry of replaced)
      log("info", "a configuration entry gave way to what the primary has", {
        kind: entry.Kind,
        name: entry.Name,
        primary: known.Datacenter,
        entry,
      });
  }

  /** Another datacenter says who the primary is. */
  async #hear(batch: PrimaryBatch): Promise<void> {
    const { datacenter, server, log } = this.#host;
    const known = this.primary;
    const { primary } = batch;
    if (batch.type === "take-over") {
      await this.#takeOver(known, primary, batch.from);
    } else {
      await server.write({ type: "federation.set", datacenter, primary });
      if (known.Datacenter === datacenter)
        log("warn", "this datacenter is no longer the primary: what only it has of what the primary keeps gives way", {
          primary: primary.Datacenter,
          epoch: primary.Epoch,
        });
    }
    log("info", "the primary datacenter was moved", {
      from: known.Datacenter,
      primary: primary.Datacenter,
      epoch: primary.Epoch,
    });
  }

  /** Has all that the primary had when it stepped down, and is it from then on. */
  async #takeOver(known: Primary, primary: Primary, from: string): Promise<void> {
    const options = { consistency: "consistent", index: 0, waitMs: 0 } as const;
    const { shared } = await this.#host.remote().query(configEntryList, { kind: "", filter: "" }, options, from);
    for (;;) {
      const batch = entriesBatch(shared.read.value, this.#entries);
      if (batch === null) break;
      await this.#write(batch, known, null);
    }
    await this.#write({ commands: [], replaced: [] }, known, primary);
  }
}

const KINDS: readonly LinkStatus["kind"][] = ["primary", "config-entries", "kv"];

/** What others build on comes first. */
const inOrder = (a: LinkStatus, b: LinkStatus): number =>
  KINDS.indexOf(a.kind) - KINDS.indexOf(b.kind) || (`${a.source} ${a.toPrefix}` < `${b.source} ${b.toPrefix}` ? -1 : 1);

const since = ({ Epoch }: Primary): string => (Epoch === 0 ? "" : ` since epoch ${Epoch}`);
