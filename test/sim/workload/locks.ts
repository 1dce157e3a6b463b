// Locks held by sessions, and a resource that they protect. Sessions end by being destroyed, by their TTL, or with their
// node. The resource refuses a fence (LockIndex) below one that it has seen: with that, two holders never both get through,
// and a fence belongs to one session. Without it mutual exclusion cannot hold, because a holder may be slow to notice: such
// overlaps are only counted (https://jepsen.io/analyses/etcd-3.4.3).
import type { Call } from "../linearizability.ts";
import { LOCK, type LockOperation } from "../models.ts";
import type { SessionLives } from "../check/sessions.ts";
import type { Sim } from "../types.ts";
import { Clients, Histories, rowsOf } from "./clients.ts";

const CLIENTS = 4;
const LOCKS = 2;
const OPERATIONS_MAX = 80;
const TTL_MS = 10_000;
const TRIES = 8;
/** Nodes that no agent runs on, so that only this workload ends the sessions there. */
const HOSTS = ["lock-host-1", "lock-host-2"];
const TRUE = "true";

interface Lock {
  readonly key: string;
  busy: number;
  /** Short names of sessions, for the history. */
  readonly names: Map<string, string>;
  /** The greatest fence that the resource has seen, and whose it was. */
  fence: number;
  owner: string;
  /** How many are at the resource by their own belief. */
  inside: number;
}

type LockState = typeof LOCK extends { initial: infer S } ? S : never;

export class Locks extends Clients {
  readonly name = "lock";
  readonly #lives: SessionLives;
  readonly #histories = new Histories<LockState, LockOperation>("lock", LOCK);
  readonly #locks: Lock[] = [];
  #keys = 0;
  /** How often two were at the resource at once; how often the resource refused; how often it let someone in. */
  overlaps = 0;
  refused = 0;
  admitted = 0;

  constructor(lives: SessionLives, pauseMs = 300) {
    super(CLIENTS, pauseMs);
    this.#lives = lives;
    for (let at = 0; at < LOCKS; at += 1) this.#locks.push(this.#lock());
  }

  get checked(): { operations: number; undecided: number } {
    return { operations: this.#histories.checked, undecided: this.#histories.undecided };
  }

  #lock(): Lock {
    this.#keys += 1;
    return { key: `lock/${this.#keys}`, busy: 0, names: new Map(), fence: 0, owner: "", inside: 0 };
  }

  protected override async turn(client: number): Promise<void> {
    const session = await this.#session();
    if (session === null) return;
    const at = this.random.below(LOCKS);
    const lock = this.#locks[at]!;
    lock.busy += 1;
    lock.names.set(session.id, `s${client}.${lock.names.size}`);
    await this.#hold(lock, session);
    lock.busy -= 1;
    if (this.#locks[at] === lock && this.#histories.size(lock.key) >= OPERATIONS_MAX) this.#locks[at] = this.#lock();
    if (this.#locks[at] !== lock && lock.busy === 0) {
      this.#histories.end(this.sim, lock.key);
      await this.ask(this.anyNode(), "DELETE", `/v1/kv/${lock.key}`);
    }
  }

  /** A new session; null when none was got. */
  async #session(): Promise<{ id: string; ttlMs: number } | null> {
    const ttlMs = this.random.below(2) === 0 ? TTL_MS : 0;
    const lockDelayMs = this.pick([0, 2000, 5000]);
    const node = this.pick(HOSTS);
    const calledMs = this.sim.now;
    const outcome = await this.ask(
      this.anyNode(),
      "PUT",
      "/v1/session/create",
      JSON.stringify({
        Node: node,
        Checks: [],
        LockDelay: `${lockDelayMs}ms`,
        ...(ttlMs > 0 ? { TTL: `${ttlMs}ms` } : {}),
      }),
    );
    if (outcome === "unknown") {
      // Most likely its node is not there yet; one that was made all the same ends by its TTL, or never.
      await this.ask(
        this.anyNode(),
        "PUT",
        "/v1/catalog/register",
        JSON.stringify({ Node: node, Address: "10.9.9.9" }),
      );
      return null;
    }
    if (outcome === "undone") return null;
    const { ID } = JSON.parse(outcome.body) as { ID: string };
    if (ttlMs > 0) this.#lives.renewed(ID, ttlMs, calledMs);
    return { id: ID, ttlMs };
  }

  /** Tries to get the lock, works, and gives it back in one of several ways. */
  async #hold(lock: Lock, session: { id: string; ttlMs: number }): Promise<void> {
    const name = lock.names.get(session.id)!;
    if (session.ttlMs > 0) this.#histories.begin(lock.key, { kind: "end", session: name }, this.moment());
    let isHeld: boolean | null = false;
    for (let i = 0; i < TRIES && isHeld === false && !this.isStopped; i += 1) {
      isHeld = await this.#ask(lock, session.id, "acquire");
      if (isHeld === false) await this.sim.sleep(this.random.float() * 1500);
      if (!(await this.#renew(session))) break;
    }
    if (isHeld === true) await this.#work(lock, session);
    else if (this.random.below(2) === 0) await this.#read(lock);
    const choice = this.random.below(session.ttlMs > 0 ? 4 : 3);
    if (choice === 0 && isHeld === true) {
      await this.#ask(lock, session.id, "release");
      await this.#destroy(lock, session.id, name);
    } else if (choice < 3) await this.#destroy(lock, session.id, name);
    // Else it is forgotten, and its TTL must end it.
    else this.#lives.abandoned(session.id, this.sim.now);
  }

  async #ask(lock: Lock, session: string, verb: "acquire" | "release"): Promise<boolean | null> {
    const name = lock.names.get(session)!;
    const call = this.#histories.begin(lock.key, { kind: verb, session: name, ok: true }, this.moment());
    const outcome = await this.ask(this.anyNode(), "PUT", `/v1/kv/${lock.key}?${verb}=${session}`, session);
    if (outcome === "undone") {
      this.#histories.drop(lock.key, call);
      return false;
    }
    if (outcome === "unknown") return null;
    const ok = outcome.body.trim() === TRUE;
    call.operation = { kind: verb, session: name, ok };
    call.returnedMs = this.moment();
    return ok;
  }

  async #read(lock: Lock): Promise<{ session: string | null; fence: number } | null> {
    const call: Call<LockOperation> = this.#histories.begin(
      lock.key,
      { kind: "read", session: null, fence: 0 },
      this.moment(),
    );
    const outcome = await this.ask(this.anyNode(), "GET", `/v1/kv/${lock.key}${this.pick(["", "?consistent"])}`);
    if (typeof outcome === "string") {
      this.#histories.drop(lock.key, call);
      return null;
    }
    const row = rowsOf(outcome)[0];
    const session = row?.Session ?? null;
    const fence = row?.LockIndex ?? 0;
    const name = session === null ? null : (lock.names.get(session) ?? session);
    call.operation = { kind: "read", session: name, fence };
    call.returnedMs = this.moment();
    return { session, fence };
  }

  async #work(lock: Lock, session: { id: string; ttlMs: number }): Promise<void> {
    const read = await this.#read(lock);
    if (read === null || read.session !== session.id) return;
    lock.inside += 1;
    if (lock.inside > 1) this.overlaps += 1;
    const times = 1 + this.random.below(4);
    for (let i = 0; i < times; i += 1) {
      await this.sim.sleep(this.random.float() * 800);
      this.#use(lock, session.id, read.fence);
      if (!(await this.#renew(session))) break;
    }
    lock.inside -= 1;
  }

  /** At the resource. */
  #use(lock: Lock, session: string, fence: number): void {
    if (fence < lock.fence) {
      this.refused += 1;
      return;
    }
    if (fence === lock.fence && lock.owner !== session)
      this.sim.fail("mutual exclusion", `${lock.key}: ${session} and ${lock.owner} both have the fence ${fence}`);
    this.admitted += 1;
    lock.fence = fence;
    lock.owner = session;
  }

  /** False when the session is gone, or nothing is known of it. */
  async #renew({ id, ttlMs }: { id: string; ttlMs: number }): Promise<boolean> {
    if (ttlMs === 0) return true;
    const calledMs = this.sim.now;
    const outcome = await this.ask(this.anyNode(), "PUT", `/v1/session/renew/${id}`, undefined, TTL_MS);
    if (typeof outcome === "string") return outcome === "undone";
    if (outcome.status !== 200) return false;
    this.#lives.renewed(id, ttlMs, calledMs);
    return true;
  }

  async #destroy(lock: Lock, session: string, name: string): Promise<void> {
    this.#lives.destroying(session);
    const call = this.#histories.begin(lock.key, { kind: "end", session: name }, this.moment());
    const outcome = await this.ask(this.anyNode(), "PUT", `/v1/session/destroy/${session}`);
    if (outcome === "undone") this.#histories.drop(lock.key, call);
    else if (outcome !== "unknown") call.returnedMs = this.moment();
  }

  override finish(sim: Sim): void {
    this.#histories.finish(sim);
  }
}
