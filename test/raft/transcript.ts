// The interpreter of transcripts (testdata/*.txt), after etcd's interaction tests: a command, a line of dashes, and the exact
// output. `RAFT_REWRITE=1` writes the output anew; the difference is then to be read like code.
//
// Servers live in a `Group`. Nothing happens by itself: time stands still but for `advance` and `timeout`, messages wait
// until they are delivered, writes until the disk does them.
import type { ConfigurationChange, Entry, RaftEffect, RaftInput } from "../../src/raft/types.ts";
import type { Member, Wire } from "./group.ts";
import { bytes, configurationOf, diskOf, Group } from "./group.ts";
import { printConfiguration, printEffect, printEntries, printInput, printMessage } from "./print.ts";

class TracedGroup extends Group {
  lines: string[] = [];
  override onStep(member: Member, input: RaftInput, effects: readonly RaftEffect[]): void {
    this.lines.push(`${member.id} < ${printInput(input)}`);
    for (const effect of effects) this.lines.push(`  ${printEffect(effect)}`);
  }
}

export class Transcript {
  #group = new TracedGroup();
  #ref = 0;

  /** Runs one command and returns what it prints, without a newline at the end. */
  run(line: string): string {
    const words = line.split(/\s+/);
    const name = words[0]!;
    const named = new Map(
      words.slice(1).flatMap((word) => (word.includes("=") ? [word.split("=") as [string, string]] : [])),
    );
    const args = words.slice(1).filter((word) => !word.includes("="));
    this.#group.lines = [];
    if (name === "quiet") {
      // quiet <command>: for what leads up to the scene
      this.run(words.slice(1).join(" "));
      return "ok";
    }
    this.#command(name, args, named);
    return this.#group.lines.join("\n") || "ok";
  }

  #command(name: string, args: string[], named: Map<string, string>): void {
    const group = this.#group;
    const print = (text: string): void => void group.lines.push(text);
    const member = (): Member => group.member(args[0]!);
    switch (name) {
      case "group": {
        // group a b c [nonvoters=d,e] [terms=1,1,2] [heartbeat= election= lease= notify= entries= inflight= trailing=]
        this.#group = new TracedGroup({ timings: timingsOf(named), limits: limitsOf(named) });
        this.#group.bootstrap(args, list(named.get("nonvoters")));
        this.#group.settle();
        this.#group.lines = [];
        return;
      }
      case "server": {
        // server d voters=a,b,c terms=1,1,4 [term=7] [vote=a]: another server, with this log; without terms: with nothing
        const terms = list(named.get("terms")).map(Number);
        const term = Number(named.get("term") ?? Math.max(...terms));
        const configuration = configurationOf(list(named.get("voters")));
        group.add(
          args[0]!,
          terms.length === 0 ? undefined : diskOf(configuration, terms, { term, vote: named.get("vote") ?? null }),
        );
        group.lines = [];
        return;
      }
      case "bootstrap":
        member().step({ type: "bootstrap", configuration: configurationOf(list(named.get("voters"))) });
        return;
      case "campaign":
        member().step({ type: "campaign" });
        return;
      case "timeout":
        // timeout a [late=30]: time goes on to the server's deadline (and beyond it)
        group.now = Math.max(group.now, member().raft.deadline!) + Number(named.get("late") ?? 0);
        this.#timeout(member(), named.has("late"));
        return;
      case "advance":
        // time passes; every server gets its timeouts, nothing is delivered
        this.#advance(Number(args[0]));
        return;
      case "run":
        // time passes, and everything is written and delivered at once
        group.run(Number(args[0]));
        return;
      case "propose":
        member().step({
          type: "propose",
          entries: args.slice(1).map((data) => ({ ref: this.#nextRef(), data: bytes(data) })),
        });
        return;
      case "settle":
        group.settle(args.length === 0 ? undefined : args);
        return;
      case "write":
        // write a [count=1]: the disk does what is under way
        for (let left = Number(named.get("count") ?? member().writes.length); left > 0; left -= 1) member().write();
        return;
      case "disk-full":
        member().refuseWrites();
        return;
      case "deliver":
        for (const wire of this.#wires(args, named)) group.deliver(wire);
        return;
      case "drop":
        for (const wire of this.#wires(args, named)) {
          group.wires.splice(group.wires.indexOf(wire), 1);
          print(`dropped ${wire.from} to ${wire.to}: ${printMessage(wire.message)}`);
        }
        return;
      case "duplicate":
        for (const wire of this.#wires(args, named)) group.wires.push({ ...wire });
        return;
      case "wires":
        for (const { from, to, message } of group.wires) print(`${from} to ${to}: ${printMessage(message)}`);
        return;
      case "cut":
        if (args.length === 1) group.isolate(args[0]!);
        else group.cut(args[0]!, args[1]!);
        return;
      case "cut-one-way":
        group.cuts.add(`${args[0]}>${args[1]}`);
        return;
      case "heal":
        group.heal();
        return;
      case "crash":
        member().crash();
        return;
      case "restart":
        member().restart();
        return;
      case "wipe":
        // the same id with an empty disk
        member().disk = { hardState: null, base: { index: 0, term: 0 }, entries: [], snapshot: null };
        return;
      case "snapshot":
        member().takeSnapshot();
        return;
      case "ship":
        // ship [fail | twice]: the snapshots under way arrive, or do not, or arrive and are sent once more
        for (const snapshot of group.snapshots.slice()) {
          group.ship(snapshot, args[0] !== "fail");
          if (args[0] === "twice") group.snapshots.push(snapshot);
        }
        return;
      case "change":
        // change a promote d
        member().step({ type: "change", ref: this.#nextRef(), change: changeOf(args[1]!, args[2]!) });
        return;
      case "transfer":
        member().step({ type: "transfer", ref: this.#nextRef(), to: args[1] ?? null });
        return;
      case "read":
        member().step({ type: "read-index", ref: this.#nextRef() });
        return;
      case "unreachable":
        member().step({ type: "unreachable", peer: args[1]! });
        return;
      case "can-read":
        for (const one of args.map((id) => group.member(id))) {
          print(`${one.id}: ${one.raft.canReadLocally(group.now) ? "yes" : "no"}`);
        }
        return;
      case "deadline":
        print(`${args[0]}: ${member().raft.deadline ?? "none"}`);
        return;
      case "log":
        for (const one of this.#named(args)) {
          const entries: Entry[] = one.raft.entriesBetween(one.raft.baseIndex + 1, one.raft.lastIndex);
          const { baseIndex, commitIndex } = one.raft;
          print(
            `${one.id}: base=${baseIndex}@${one.raft.termAt(baseIndex)} commit=${commitIndex} ${printEntries(entries)}`,
          );
        }
        return;
      case "status":
        for (const one of this.#named(args)) {
          const { role, term, leader, commitIndex, lastIndex, configuration } = one.raft;
          print(
            one.isUp
              ? `${one.id}: ${role} t${term} leader=${leader ?? "-"} commit=${commitIndex} last=${lastIndex} servers: ${printConfiguration(configuration)}`
              : `${one.id}: down`,
          );
        }
        return;
      case "progress":
        for (const { id, voter, match, next, state } of member().raft.progress) {
          print(`${voter ? id : `(${id})`}: ${state} match=${match} next=${next}`);
        }
        return;
      case "dropped":
        print(
          Object.entries(member().raft.dropped)
            .flatMap(([reason, count]) => (count > 0 ? [`${reason}: ${count}`] : []))
            .join(" ") || "nothing",
        );
        return;
      default:
        throw new Error(`unknown command ${name}`);
    }
  }

  #nextRef(): number {
    this.#ref += 1;
    return this.#ref;
  }

  #named(ids: readonly string[]): Member[] {
    return ids.length === 0 ? [...this.#group.members.values()] : ids.map((id) => this.#group.member(id));
  }

  /** The messages to a server: `to [from=x] [type=append-entries] [nth=0]`; nth counts from the oldest, or with -1 the newest. */
  #wires(args: readonly string[], named: Map<string, string>): Wire[] {
    const found = this.#group.wires.filter(
      ({ from, to, message }) =>
        (args.length === 0 || args.includes(to)) &&
        (named.get("from") ?? from) === from &&
        (named.get("type") ?? message.type) === message.type,
    );
    const nth = named.get("nth");
    return nth === undefined ? found : [found.at(Number(nth))!];
  }

  /** A follower listens for a moment after its first timeout; that is skipped, but for one that comes late. */
  #timeout(member: Member, isLate: boolean): void {
    const { role } = member.raft;
    member.step({ type: "timeout" });
    if (isLate || role !== "follower" || member.raft.role !== "follower") return;
    this.#group.now = member.raft.deadline!;
    member.step({ type: "timeout" });
  }

  #advance(ms: number): void {
    const untilMs = this.#group.now + ms;
    while (this.#group.nextTimeout(untilMs));
    this.#group.now = untilMs;
  }
}

function list(text: string | undefined): string[] {
  return text === undefined || text === "" ? [] : text.split(",");
}

function changeOf(kind: string, id: string): ConfigurationChange {
  switch (kind) {
    case "add":
      return { kind, id, address: `${id}:8300` };
    case "promote":
    case "demote":
    case "remove":
      return { kind, id };
    default:
      throw new Error(`unknown change ${kind}`);
  }
}

function numbers<K extends string>(named: Map<string, string>, keys: Record<string, K>): Partial<Record<K, number>> {
  const found: Partial<Record<K, number>> = {};
  for (const [name, key] of Object.entries(keys)) {
    const value = named.get(name);
    if (value !== undefined) found[key] = Number(value);
  }
  return found;
}

function timingsOf(
  named: Map<string, string>,
): ReturnType<typeof numbers<"heartbeatMs" | "electionTimeoutMs" | "leaseMs" | "commitNotifyMs">> {
  return numbers(named, {
    heartbeat: "heartbeatMs",
    election: "electionTimeoutMs",
    lease: "leaseMs",
    notify: "commitNotifyMs",
  });
}

function limitsOf(
  named: Map<string, string>,
): ReturnType<typeof numbers<"maxEntriesPerMessage" | "maxInflight" | "trailingEntries">> {
  return numbers(named, { entries: "maxEntriesPerMessage", inflight: "maxInflight", trailing: "trailingEntries" });
}

/** Runs a transcript and returns it with the output that it really has. */
export function runTranscript(text: string): string {
  const transcript = new Transcript();
  const blocks: string[] = [];
  for (const block of text.replaceAll("\r\n", "\n").trimEnd().split(/\n\n+/)) {
    const head = block.split("\n----\n")[0]!.replace(/\n----$/, "");
    const commands = head.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
    if (commands.length === 0) {
      blocks.push(head);
      continue;
    }
    const output = commands
      .map((command) => transcript.run(command))
      .filter((printed, i) => printed !== "ok" || i === commands.length - 1);
    blocks.push(`${head}\n----\n${output.join("\n")}`);
  }
  return `${blocks.join("\n\n")}\n`;
}
