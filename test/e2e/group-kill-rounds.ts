// The rounds of kill-rounds.ts on a cluster: writers at every server write all the while, a server (the leader, or any) or all of
// them at once are killed with `kill -9` and started again, and everything is asked for: what was acknowledged must be there, what was
// never sent must not, no index may go back, and in the end all servers hold the same. Snapshots are taken, the log is compacted and
// followers are sent snapshots meanwhile; some kills hit a server that is still starting, some come before others have elected.
//
//   node test/e2e/kill-rounds.ts --servers 3 --rounds 300 [--all] [--runtime node|bun|deno|mixed] [--writers 6] [--seed 1]
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Random } from "../../src/util/random.ts";
import type { RuntimeName } from "../conformance/agent-process.ts";
import { temporaryDir } from "../support/process.ts";
import { GroupProcesses, type ServerProcess } from "./group.ts";
import { HttpConnection } from "./http-connection.ts";
import { type LoadCounts, sumCounts, Writer } from "./write-load.ts";

export interface GroupKillOptions {
  /** One for each server. */
  runtimes: readonly RuntimeName[];
  rounds: number;
  /** Kill all of them at once, instead of one. */
  all?: boolean;
  writers?: number;
  seed?: number;
  progress?(line: string): void;
}

export interface GroupKillResult extends LoadCounts {
  rounds: number;
  kills: number;
  /** Kills of the server that led. */
  leaderKills: number;
  /** Kills of a server that was still starting. */
  killedStarting: number;
  /** Snapshots taken, and those that followers took over. */
  snapshots: number;
  installed: number;
  faults: string[];
  durationMs: number;
}

/** Small, so that there is a snapshot in nearly every round, and who was away needs one. */
const CONFIG = {
  raft_snapshot_threshold: 100,
  raft_snapshot_interval: "200ms",
  raft_trailing_logs: 30,
};
const LOAD_MS_MIN = 50;
const LOAD_MS_MAX = 500;
const AWAY_MS_MAX = 1800;
const KILL_STARTING_ONE_IN = 8;
const STARTING_MS_MAX = 900;
const BACK_MS = 60_000;
const RETRY_MS = 50;
const ACKNOWLEDGED_MIN = 3;
const BAD = /this is a bug|unhandled|damaged|cannot go on|AssertionError/i;

/** Runs the rounds; stops early when rules are broken. @throws Error when a server does not come back. */
export async function groupKillRounds(options: GroupKillOptions): Promise<GroupKillResult> {
  const { runtimes, rounds, writers = 2 * runtimes.length, seed = 1, progress = () => {} } = options;
  const config = temporaryDir();
  writeFileSync(join(config.path, "group.json"), JSON.stringify(CONFIG));
  const group = await GroupProcesses.start(runtimes, { words: [`-config-file=${join(config.path, "group.json")}`] });
  const rounds_ = new Rounds(group, writers, new Random(seed), options.all ?? false);
  let keep = true;
  try {
    for (let round = 1; round <= rounds; round += 1) {
      await rounds_.one();
      if (rounds_.result().faults.length > 0) return rounds_.result();
      if (round % Math.max(1, Math.floor(rounds / 20)) === 0) progress(groupSummary(rounds_.result()));
    }
    await rounds_.compare();
    keep = rounds_.result().faults.length > 0;
    return rounds_.result();
  } catch (error) {
    throw new Error(`${(error as Error).message}\nThe data directory is kept: ${group.dir}\n${group.logs()}`, {
      cause: error,
    });
  } finally {
    await group.stop(keep);
    config.remove();
  }
}

/** The result in one line. */
export function groupSummary(r: GroupKillResult): string {
  const lost = r.faults.length === 0 ? "0 lost, 0 never sent, 0 indexes back" : `${r.faults.length} FAULTS`;
  return (
    `${r.rounds} rounds, ${r.kills} kills (${r.leaderKills} of the leader, ${r.killedStarting} more while starting), ` +
    `${r.acknowledged} writes acknowledged, ${r.unanswered} things unanswered (${r.happened} had happened), ` +
    `${r.snapshots} snapshots, ${r.installed} installed: ${lost}; ${Math.round(r.durationMs / 1000)} s`
  );
}

interface Pinned {
  readonly writer: Writer;
  readonly server: ServerProcess;
}

class Rounds {
  readonly #group: GroupProcesses;
  readonly #pinned: readonly Pinned[];
  readonly #random: Random;
  readonly #all: boolean;
  readonly #fromMs = performance.now();
  readonly #faults: string[] = [];
  readonly #terms = new Map<string, number>();
  readonly #counts = { rounds: 0, kills: 0, leaderKills: 0, killedStarting: 0, snapshots: 0, installed: 0 };

  constructor(group: GroupProcesses, writers: number, random: Random, all: boolean) {
    this.#group = group;
    this.#random = random;
    this.#all = all;
    this.#pinned = Array.from({ length: writers }, (_, n) => ({
      writer: new Writer(`w${n}`, random.next()),
      server: group.servers[n % group.servers.length] as ServerProcess,
    }));
  }

  /** Waits until some of this round's writes were acknowledged: on a slow machine nothing would be lost otherwise. */
  async #underWay(): Promise<void> {
    const count = (): number => this.#pinned.reduce((sum, { writer }) => sum + writer.counts.acknowledged, 0);
    const wanted = count() + ACKNOWLEDGED_MIN;
    const until = performance.now() + BACK_MS;
    while (count() < wanted) {
      if (performance.now() > until)
        throw new Error(`no ${ACKNOWLEDGED_MIN} writes were acknowledged in ${BACK_MS} ms`);
      await sleep(RETRY_MS);
    }
  }

  async one(): Promise<void> {
    const leader = await this.#group.leader();
    let isOver = false;
    const writing = this.#pinned.map((pinned) => this.#write(pinned, () => isOver));
    await this.#underWay();
    await sleep(LOAD_MS_MIN + this.#random.below(LOAD_MS_MAX - LOAD_MS_MIN));
    const victims = this.#victims(leader);
    await Promise.all(victims.map((server) => server.signal("SIGKILL")));
    this.#counts.kills += victims.length;
    if (victims.includes(leader)) this.#counts.leaderKills += 1;
    // Sometimes it is back before the others have elected.
    if (!this.#all) await sleep(this.#random.below(AWAY_MS_MAX));
    await Promise.all(victims.map((server) => this.#restart(server)));
    isOver = true;
    await Promise.all(writing);
    for (const pinned of this.#pinned) await this.#check(pinned);
    await this.#inspect();
    this.#counts.rounds += 1;
  }

  /** Once everything is quiet the servers hold the same. */
  async compare(): Promise<void> {
    await this.#group.settled();
    const held = await Promise.all(
      this.#group.servers.map(async (server) => (await server.send("GET", "/v1/kv/?recurse&stale")).text),
    );
    if (new Set(held).size !== 1) this.#faults.push("the servers do not hold the same keys in the end");
  }

  result(): GroupKillResult {
    return {
      ...this.#counts,
      ...sumCounts(this.#pinned.map(({ writer }) => writer.counts)),
      faults: [...this.#faults, ...this.#pinned.flatMap(({ writer }) => writer.faults)],
      durationMs: performance.now() - this.#fromMs,
    };
  }

  #victims(leader: ServerProcess): readonly ServerProcess[] {
    const { servers } = this.#group;
    if (this.#all) return servers;
    return [this.#random.below(2) === 0 ? leader : (servers[this.#random.below(servers.length)] as ServerProcess)];
  }

  async #restart(server: ServerProcess): Promise<void> {
    if (this.#random.below(KILL_STARTING_ONE_IN) === 0) {
      server.start();
      await sleep(this.#random.below(STARTING_MS_MAX));
      await server.signal("SIGKILL");
      this.#counts.killedStarting += 1;
    }
    server.start();
  }

  /** Writes on through failures: what one left open is looked up before anything else is written. */
  async #write({ writer, server }: Pinned, isOver: () => boolean): Promise<void> {
    let isOpen = false;
    while (!isOver() && writer.faults.length === 0) {
      const connection = new HttpConnection(server.httpPort, server.host);
      try {
        if (isOpen) await writer.check(connection);
        isOpen = true;
        await writer.write(connection, isOver);
      } catch {
        await sleep(RETRY_MS);
      } finally {
        connection.close();
      }
    }
  }

  /** Compares everything, as soon as its server answers. */
  async #check({ writer, server }: Pinned): Promise<void> {
    const until = performance.now() + BACK_MS;
    for (;;) {
      const connection = new HttpConnection(server.httpPort, server.host);
      try {
        await writer.check(connection);
        return;
      } catch (error) {
        if (performance.now() > until)
          throw new Error(`${server.name} does not come back: ${(error as Error).message}`, { cause: error });
        await sleep(RETRY_MS);
      } finally {
        connection.close();
      }
    }
  }

  async #inspect(): Promise<void> {
    for (const server of this.#group.servers) {
      const text = server.log;
      server.log = "";
      this.#counts.snapshots += text.split("snapshot complete up to index").length - 1;
      this.#counts.installed += text.split("installed snapshot").length - 1;
      const bad = text.split("\n").find((line) => BAD.test(line));
      if (bad !== undefined) this.#faults.push(`the log of ${server.name} says: ${bad}`);
      const term = Number((await server.raft())?.term ?? Number.NaN);
      const last = this.#terms.get(server.name) ?? 0;
      if (term < last) this.#faults.push(`the term of ${server.name} went back from ${last} to ${term}`);
      if (term > last) this.#terms.set(server.name, term);
    }
    const { text } = await (this.#group.servers[0] as ServerProcess).send("GET", "/v1/kv/?keys");
    const strange = (JSON.parse(text) as string[]).filter((key) => !key.startsWith("rounds/w"));
    if (strange.length > 0) this.#faults.push(`keys that nobody wrote: ${strange.slice(0, 5).join()}`);
  }
}
