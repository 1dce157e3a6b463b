// Reads of single keys, judged by the committed log. A default or consistent read shows nothing older than what some server
// had committed when it began: stricter than linearizability asks, and what the lease and the read index promise. A stale read
// shows what the key once was, and on one server, while it lives, never anything older than what was seen there before.
import { text } from "../../../src/util/bytes.ts";
import type { Checker, Sim, SimNode } from "../types.ts";
import type { Server } from "../../../src/server/server.ts";
import type { Reference } from "./reference.ts";

/** Keys below it are followed. */
export const READ_PREFIX = "register/";

interface Version {
  /** The index of the change, and the value after it; null: deleted. */
  index: number;
  value: string | null;
}

/** A read that has begun. */
export interface Read {
  readonly key: string;
  readonly node: SimNode;
  readonly server: Server | null;
  /** What was committed somewhere, and the least state that this server had shown. */
  readonly committed: number;
  readonly shown: number;
  /** Of a read that any server of the datacenter may answer: those that run, and what the one that is behind had shown. */
  readonly all: { readonly servers: readonly Server[]; readonly least: number } | null;
}

interface Answer {
  read: Read;
  isStale: boolean;
  modified: number;
  value: string | null;
  index: number;
  atMs: number;
}

export class Reads implements Checker {
  readonly name = "reads";
  readonly #reference: Reference;
  readonly #versions = new Map<string, Version[]>();
  readonly #shown = new WeakMap<Server, number>();
  #answers: Answer[] = [];
  readonly #ended = new Set<string>();
  /** Reads judged. */
  judged = 0;

  constructor(reference: Reference) {
    this.#reference = reference;
    reference.onCommitted(({ changes, index }) => {
      for (const change of changes) {
        if (change.table !== "kv" || !change.key.startsWith(READ_PREFIX) || this.#ended.has(change.key)) continue;
        const value = change.after === null ? null : text(change.after.Value);
        const versions = this.#versions.get(change.key);
        if (versions === undefined) this.#versions.set(change.key, [{ index, value }]);
        else versions.push({ index, value });
      }
    });
  }

  begin(sim: Sim, key: string, node: SimNode): Read {
    const { server } = node;
    const all = node.isFar === true ? everyServer(sim) : null;
    return { key, node, server, committed: this.#reference.index, shown: this.#shownBy(server), all };
  }

  #shownBy(server: Server | null): number {
    return server === null ? 0 : (this.#shown.get(server) ?? 0);
  }

  /** A default or consistent read has shown the value of `modified`, 0 for none. */
  current(sim: Sim, read: Read, modified: number, value: string | null, index: number): void {
    this.#answers.push({ read, isStale: false, modified, value, index, atMs: sim.now });
  }

  stale(sim: Sim, read: Read, modified: number, value: string | null, index: number): void {
    this.#answers.push({ read, isStale: true, modified, value, index, atMs: sim.now });
  }

  /** Nobody reads the key any more. */
  end(key: string): void {
    this.#ended.add(key);
    this.#versions.delete(key);
    if (this.#ended.size > 4096) for (const old of [...this.#ended].slice(0, 2048)) this.#ended.delete(old);
  }

  /** After the reference has seen what the answers may show. */
  step(sim: Sim): void {
    if (this.#answers.length === 0) return;
    const answers = this.#answers;
    this.#answers = [];
    for (const answer of answers) if (!this.#ended.has(answer.read.key)) this.#judge(sim, answer);
  }

  #judge(sim: Sim, { read, isStale, modified, value, index }: Answer): void {
    this.judged += 1;
    const { key, node, server } = read;
    const versions = this.#versions.get(key) ?? [];
    const what = `${isStale ? "a stale" : "a"} read of ${key} at ${node.name} (index ${index}) shows ${JSON.stringify(value)} of ${modified}`;
    if (index < 1) sim.fail("index at least 1", what);
    // The version that was shown; what is not there was so before the first version, or since a deletion.
    let at = -1;
    if (value !== null) {
      at = versions.findIndex((version) => version.index === modified);
      if (at < 0 || versions[at]!.value !== value)
        sim.fail(
          this.name,
          `${what}, which was never committed: ${at < 0 ? "nothing" : JSON.stringify(versions[at]!.value)} was`,
        );
    } else {
      // The newest deletion that the read can have seen.
      at = versions.findLastIndex((version) => version.value === null && version.index <= index);
      const later = versions[at + 1];
      if (later !== undefined && later.index <= index)
        sim.fail(this.name, `${what}, but at ${index} it was ${JSON.stringify(later.value)} of ${later.index}`);
    }
    const since = versions[at + 1]?.index ?? Infinity;
    if (!isStale && since <= read.committed)
      sim.fail("current reads", `${what}, but ${since} was committed before the read began (${read.committed} was)`);
    if (isStale && read.all !== null && since <= read.all.least && isSame(everyServer(sim).servers, read.all.servers))
      sim.fail(
        "stale reads elsewhere",
        `${what}, but the key changed at ${since}, and every server there had ${read.all.least} when it was asked`,
      );
    if (server === null || read.node.server !== server) return;
    if (!isStale) return;
    if (since <= read.shown)
      sim.fail(
        "prefix of stale reads",
        `${what}, but this server has shown the state of ${read.shown} before, and the key changed at ${since}`,
      );
    const shown = Math.max(modified, at >= 0 ? versions[at]!.index : 0);
    this.#shown.set(server, Math.max(this.#shownBy(server), shown));
  }
}

function everyServer({ nodes }: Sim): { servers: Server[]; least: number } {
  const servers = nodes.flatMap(({ server }) => (server === null ? [] : [server]));
  return { servers, least: Math.min(...servers.map(({ state }) => state.lastIndex)) };
}

const isSame = (a: readonly Server[], b: readonly Server[]): boolean =>
  a.length === b.length && a.every((server, at) => server === b[at]);
