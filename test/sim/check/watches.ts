// What must be true of blocking queries. The seven: (1) on one server the index of a question never goes back while the
// server lives, and for default and consistent reads not from one server to another either; (2) it is at least 1; (3) the
// answer is exactly the state at its index; (4) a change that a server has applied wakes those who wait there at once;
// (5) nobody is answered early without a change; (6) nobody waits longer than the wait and a sixteenth; (7) who goes on asking
// sees the last change.
import type { StateStore } from "../../../src/state/store.ts";
import type { Server } from "../../../src/server/server.ts";
import { encodeBase64 } from "../../../src/util/base64.ts";
import type { Checker, Sim, SimNode } from "../types.ts";
import type { Followed, Reference } from "./reference.ts";

/** From an apply to the answer at the client; more than a message takes. */
const WAKE_MS = 1500;
/** Answers may come this much earlier than the wait: clocks run unlike. */
const EARLY_SHARE = 0.75;
const LATE_SHARE = 1.3;
const LATE_MS = 4000;
/**
 * So many answers in a row, each asked for after the one before it, too early and with nothing new, are a busy loop. One may be of
 * a server that is going down, or whose store a snapshot has replaced: that lets go of all who wait, once.
 */
const EARLY_MAX = 3;

const kv = (prefix: string, isPrefix: boolean): Followed => ({
  concerns: (change) => change.table === "kv" && (isPrefix ? change.key.startsWith(prefix) : change.key === prefix),
  digest: (state) => {
    const one = isPrefix ? null : state.kvGet(prefix).value;
    const entries = isPrefix ? state.kvList(prefix).value : one === null ? [] : [one];
    return entries.map(({ Key, ModifyIndex, Value }) => `${Key}@${ModifyIndex}=${encodeBase64(Value)}`).join(" ");
  },
});

const service = (name: string): Followed => ({
  concerns: ({ table }) => table === "services" || table === "checks" || table === "nodes",
  digest: (state: StateStore) =>
    state
      .healthService(name)
      .value.map(({ Node, Service, Checks }) => {
        const checks = Checks.map((check) => `${check.CheckID}@${check.ModifyIndex}=${check.Status}`).sort();
        return `${Node.Node}/${Service.ID}@${Service.ModifyIndex}=${Service.Port} ${checks.join(",")}`;
      })
      .sort()
      .join(" "),
});

/** A question on its way. */
interface Asked {
  readonly question: string;
  readonly node: SimNode;
  readonly server: Server | null;
  readonly isStale: boolean;
  readonly index: number;
  readonly waitMs: number;
  readonly calledMs: number;
  /** What was committed anywhere at the call. */
  readonly committed: number;
  /** The greatest index that such a question was answered with before the call. */
  readonly floor: number;
  /** Since when this server has applied a change that the answer must show; null: it has not. */
  dueMs: number | null;
  /** It waits for changes that this server applies, and needs nobody else for its answer. */
  readonly isOwn: boolean;
}

interface Answered {
  asked: Asked;
  index: number;
  digest: string;
  atMs: number;
}

export class Watches implements Checker {
  readonly name = "watches";
  readonly #reference: Reference;
  /** At which agent each waits, whose answer is to show what that agent has applied. */
  readonly #waiting = new Map<SimNode, Set<Asked>>();
  #answers: Answered[] = [];
  /** The greatest index of each question, by server life, and over all default and consistent reads. */
  readonly #shown = new WeakMap<Server, Map<string, number>>();
  readonly #current = new Map<string, number>();
  /** Early answers in a row and when the last of them came, by agent and question. */
  readonly #early = new Map<string, { count: number; atMs: number }>();
  /** When each agent last stood still: while it does, nothing is expected of it. */
  readonly #frozenMs = new Map<string, number>();
  delivered = 0;
  woken = 0;

  constructor(reference: Reference) {
    this.#reference = reference;
    reference.follow("kv watch/a", kv("watch/a", false));
    reference.follow("kv watch/b", kv("watch/b", false));
    reference.follow("kv prefix watch/", kv("watch/", true));
    reference.follow("service web", service("web"));
  }

  begin(sim: Sim, question: string, node: SimNode, mode: string, index: number, waitMs: number): Asked {
    const isStale = mode === "&stale";
    const asked: Asked = {
      question,
      node,
      server: node.server,
      isStale,
      index,
      waitMs,
      calledMs: sim.now,
      committed: this.#reference.index,
      floor: isStale ? (this.#shownBy(node.server).get(question) ?? 0) : (this.#current.get(question) ?? 0),
      dueMs: null,
      isOwn: isStale && index > 0,
    };
    // Of the others nothing is expected before they are answered.
    if (asked.isOwn && asked.server !== null) {
      let waiting = this.#waiting.get(node);
      if (waiting === undefined) this.#waiting.set(node, (waiting = new Set()));
      waiting.add(asked);
    }
    this.#markFrozen(sim, node);
    return asked;
  }

  #markFrozen(sim: Sim, node: SimNode): void {
    if ("frozen" in node && node.frozen === true) this.#frozenMs.set(node.name, sim.now);
  }

  /** No answer came. */
  lost(asked: Asked): void {
    this.#waiting.get(asked.node)?.delete(asked);
  }

  answered(sim: Sim, asked: Asked, index: number, digest: string): void {
    this.#waiting.get(asked.node)?.delete(asked);
    this.#answers.push({ asked, index, digest, atMs: sim.now });
  }

  /** Whoever has been shown `index` has seen every change there was. */
  hasSeenAll(question: string, index: number): boolean {
    return index >= this.#reference.lastChange(question);
  }

  #shownBy(server: Server | null): Map<string, number> {
    if (server === null) return new Map();
    let shown = this.#shown.get(server);
    if (shown === undefined) this.#shown.set(server, (shown = new Map()));
    return shown;
  }

  step(sim: Sim): void {
    for (const node of sim.touched ?? sim.nodes) {
      this.#markFrozen(sim, node);
      const { server } = node;
      const waiting = this.#waiting.get(node);
      if (server === null || waiting === undefined) continue;
      for (const asked of waiting) {
        if (asked.dueMs !== null || asked.server !== server) continue;
        if (server.state.lastIndex >= this.#reference.nextChange(asked.question, asked.index)) asked.dueMs = sim.now;
      }
    }
    if (this.#answers.length === 0) return;
    const answers = this.#answers;
    this.#answers = [];
    for (const answer of answers) this.#judge(sim, answer);
  }

  #judge(sim: Sim, { asked, index, digest, atMs }: Answered): void {
    this.delivered += 1;
    const { question, node, server, isStale, calledMs, waitMs, floor } = asked;
    const tookMs = atMs - calledMs;
    const mode = isStale ? "stale" : "default";
    const what = `${question} at ${node.name} (${mode}), asked with index ${asked.index}, answered with ${index} after ${tookMs} ms`;
    if (!(index >= 1)) sim.fail("index at least 1", what);
    if (index > Math.max(1, this.#reference.index))
      sim.fail("index of an answer", `${what}: nothing beyond ${this.#reference.index} was committed`);
    const known = this.#reference.answerAt(question, index);
    if (known !== digest)
      sim.fail("state at the index", `${what}: it shows "${digest}", the state then was "${known}"`);
    if (!isStale && this.#reference.nextChange(question, index) <= asked.committed)
      sim.fail(
        "current reads",
        `${what}: ${this.#reference.nextChange(question, index)} was committed before it was asked`,
      );
    const isSameLife = server !== null && node.server === server;
    if (index < floor && (isSameLife || !isStale)) sim.fail("index goes back", `${what}: ${floor} was shown before`);
    if (!isStale) this.#current.set(question, Math.max(index, this.#current.get(question) ?? 0));
    else if (isSameLife) this.#shownBy(server).set(question, Math.max(index, this.#shownBy(server).get(question) ?? 0));
    if (asked.index > 0) this.#judgeWait(sim, asked, index, atMs, isSameLife, what);
    if (asked.dueMs !== null && isSameLife && asked.isOwn && !this.#hasFrozen(asked) && atMs - asked.dueMs > WAKE_MS)
      sim.fail("lost wake-up", `${what}: the change was applied there ${atMs - asked.dueMs} ms before`);
    if (index > asked.index && tookMs < waitMs) this.woken += 1;
  }

  #judgeWait(sim: Sim, asked: Asked, index: number, atMs: number, isSameLife: boolean, what: string): void {
    const { node, question, waitMs, calledMs } = asked;
    const tookMs = atMs - calledMs;
    const key = `${node.name} ${question}`;
    if (index > asked.index || tookMs >= waitMs * EARLY_SHARE) this.#early.delete(key);
    else {
      const last = this.#early.get(key);
      if (last === undefined || calledMs >= last.atMs) {
        const count = (last?.count ?? 0) + 1;
        this.#early.set(key, { count, atMs });
        if (count >= EARLY_MAX) sim.fail("busy loop", `${what}, ${count} times in a row, and nothing has changed`);
      }
    }
    if (asked.isStale && isSameLife && !this.#hasFrozen(asked) && tookMs > waitMs * LATE_SHARE + LATE_MS)
      sim.fail("wait", `${what}, but was to wait ${waitMs} ms`);
  }

  #hasFrozen({ node, calledMs }: Asked): boolean {
    return (this.#frozenMs.get(node.name) ?? -Infinity) >= calledMs;
  }
}
