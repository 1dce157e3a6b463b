// The interpreter of transcripts (testdata/*.txt): one machine, called `me`, among members that the transcript plays. A command,
// a line of dashes, and the exact output. `GOSSIP_REWRITE=1` writes the output anew; the difference is then to be read like code.
import { Gossip } from "../../src/gossip/gossip.ts";
import { LAN_TIMINGS } from "../../src/gossip/options.ts";
import type {
  Answer,
  FailureReason,
  GossipInput,
  GossipTimings,
  MemberRecord,
  Request,
  Update,
} from "../../src/gossip/types.ts";
import { utf8 } from "../../src/util/bytes.ts";
import { optionsOf, VERSIONS } from "./network.ts";
import { printEffect } from "./print.ts";

export function recordOf(name: string): MemberRecord {
  return { name, address: `${name}:8301`, anchor: null, tags: {}, versions: VERSIONS };
}

/** `alive:b@1`, `suspect:b@1:c`, `dead:b@1:c`, `join:b@3`, `leave:b@3[:prune]`, `event:name@3`. */
function updateOf(word: string): Update {
  const [type, subject, last] = word.split(":") as [string, string, string | undefined];
  const [name, figure] = subject.split("@") as [string, string];
  const number = Number(figure);
  switch (type) {
    case "alive":
      return { type, incarnation: number, member: recordOf(name) };
    case "suspect":
    case "dead":
      return { type, name, incarnation: number, from: last! };
    case "join":
      return { type: "join-intent", name, time: number };
    case "leave":
      return { type: "leave-intent", name, time: number, prune: last === "prune" };
    case "event":
      return { type: "user-event", name, time: number, payload: utf8(""), coalesce: false };
    default:
      throw new Error(`unknown update ${word}`);
  }
}

const updatesOf = (words: readonly string[]): Update[] => words.map(updateOf);

class Transcript {
  #gossip = new Gossip(optionsOf("me"));
  #now = 0;
  #request = 0;
  /** Calls without an answer, and when they time out. */
  #calls = new Map<number, number>();

  /** Runs one command and returns what it prints. */
  run(line: string): string {
    const [name, ...words] = line.split(/\s+/) as [string, ...string[]];
    switch (name) {
      case "quiet":
        // quiet <command>: for what leads up to the scene
        this.run(words.join(" "));
        return "ok";
      case "pool": {
        // pool b c d [probeTimeoutMs=500 …]: a machine that knows these members, and has nothing left to tell
        const change = words.filter((word) => word.includes("=")).map((word) => word.split("="));
        const timings = {
          ...LAN_TIMINGS,
          ...(Object.fromEntries(change.map(([key, value]) => [key, Number(value)])) as Partial<GossipTimings>),
        };
        this.#gossip = new Gossip(optionsOf("me", { timings, coordinates: false }));
        this.#now = 0;
        this.#calls.clear();
        this.#step({ type: "start" });
        const members = words.filter((word) => !word.includes("="));
        if (members.length > 0)
          this.#request1(
            "rumours",
            members[0]!,
            members.map((member) => `alive:${member}@1`),
          );
        return "ok";
      }
      case "drain":
        // drain: members acknowledge all that there is to tell, at no cost of time
        return this.#drain();
      case "timeout": {
        // timeout [late=5000]: time goes on to the deadline (and beyond it), or to that of a call that nobody answers
        const late = Number(words[0]?.split("=")[1] ?? 0);
        const [id, atMs] = [...this.#calls].reduce((first, call) => (call[1] < first[1] ? call : first), [0, Infinity]);
        if (atMs < (this.#gossip.deadline ?? Infinity)) {
          this.#now = Math.max(this.#now, atMs);
          return this.#step({ type: "failed", id, reason: "timeout" });
        }
        this.#now = Math.max(this.#now, this.#gossip.deadline!) + late;
        return this.#step({ type: "timeout" });
      }
      case "until": {
        // until call ping: timeouts until one prints this
        for (let tries = 0; tries < 1000; tries += 1) {
          const printed = this.run("timeout");
          if (printed.includes(words.join(" "))) return printed;
        }
        throw new Error(`never: ${line}`);
      }
      case "advance": {
        // advance 1000: time passes, with every timeout in it
        const end = this.#now + Number(words[0]);
        const lines: string[] = [];
        const nextMs = (): number => Math.min(this.#gossip.deadline ?? Infinity, ...this.#calls.values());
        while (nextMs() <= end) lines.push(this.run("timeout"));
        this.#now = end;
        return lines.filter((printed) => printed !== "ok").join("\n") || "ok";
      }
      case "ack":
      case "nack": {
        // ack 3 b [updates]: the answer to call 3, from b
        const [id, from, ...updates] = words as [string, string, ...string[]];
        return this.#step({ type: "reply", id: Number(id), message: this.#answer(name, from, updatesOf(updates)) });
      }
      case "refuse":
        return this.#step({
          type: "reply",
          id: Number(words[0]),
          message: { type: "refused", reason: "wrong-target", text: "" },
        });
      case "fail":
        // fail 3 timeout
        return this.#step({ type: "failed", id: Number(words[0]), reason: words[1] as FailureReason });
      case "ping":
      case "rumours":
      case "push-pull":
        // ping b [updates]: b asks
        return this.#request1(name, words[0]!, words.slice(1));
      case "stray-ping":
        // stray-ping b: b asks for somebody who is not here
        return this.#receive({ type: "ping", from: words[0]!, target: "other", updates: [], received: 0 });
      case "indirect-ping":
        // indirect-ping b c: b asks about c
        return this.#receive({
          type: "indirect-ping",
          from: words[0]!,
          target: words[1]!,
          timeoutMs: 400,
          updates: [],
        });
      case "leave":
        return this.#step({ type: "leave" });
      case "force-leave":
        return this.#step({ type: "force-leave", ref: 1, name: words[0]!, prune: words[1] === "prune" });
      case "event":
        return this.#step({ type: "user-event", ref: 1, name: words[0]!, payload: utf8(""), coalesce: false });
      case "loop-delay":
        return this.#step({ type: "loop-delay", ms: Number(words[0]) });
      case "status": {
        const members = this.#gossip.members.map(({ name, incarnation, status }) => `${name}@${incarnation} ${status}`);
        return `${Math.round(this.#now)} ms, health ${this.#gossip.healthScore}: ${members.join(", ")}`;
      }
      case "queue": {
        const { members, intents, events } = this.#gossip.queueDepths;
        return `members ${members}, intents ${intents}, events ${events}`;
      }
      case "dropped":
        return (
          Object.entries(this.#gossip.dropped)
            .flatMap(([reason, count]) => (count > 0 ? [`${reason} ${count}`] : []))
            .join(", ") || "nothing"
        );
      default:
        throw new Error(`unknown command ${name}`);
    }
  }

  #step(input: GossipInput): string {
    if (input.type === "reply" || input.type === "failed") this.#calls.delete(input.id);
    const effects = this.#gossip.step(this.#now, input);
    for (const effect of effects) if (effect.type === "call") this.#calls.set(effect.id, this.#now + effect.timeoutMs);
    return effects.map(printEffect).join("\n") || "ok";
  }

  #answer(type: "ack" | "nack", from: string, updates: readonly Update[]): Answer {
    return type === "ack" ? { type, from, updates, coordinate: null, sequence: 0 } : { type, from, updates };
  }

  #request1(type: "ping" | "rumours" | "push-pull", from: string, words: readonly string[]): string {
    const updates = updatesOf(words);
    if (type === "ping") return this.#receive({ type, from, target: "me", updates, received: 0 });
    if (type === "rumours") return this.#receive({ type, from, updates });
    // push-pull b alive:b@1 suspect:c@1:b: of a state only rows of what is said
    const members = updates.flatMap((update) =>
      update.type === "alive" || update.type === "suspect" || update.type === "dead"
        ? [
            {
              member: update.type === "alive" ? update.member : recordOf(update.name),
              incarnation: update.incarnation,
              state: update.type === "dead" && update.from === update.name ? ("left" as const) : update.type,
              leaving: false,
              time: 0,
            },
          ]
        : [],
    );
    return this.#receive({ type, from, join: false, state: { members, time: 1, eventTime: 1, events: [] } });
  }

  #receive(message: Request): string {
    this.#request += 1;
    return this.#step({ type: "request", id: this.#request, from: `${message.from}:40000`, message });
  }

  #drain(): string {
    // Every call is answered at once by whom it goes to.
    for (let tries = 0; tries < 1000; tries += 1) {
      const { members, intents, events } = this.#gossip.queueDepths;
      if (members + intents + events === 0) return "ok";
      this.#now = Math.max(this.#now, this.#gossip.deadline!);
      for (const effect of this.#gossip.step(this.#now, { type: "timeout" })) {
        if (effect.type !== "call") continue;
        const from = effect.to.split(":")[0]!;
        this.#step({ type: "reply", id: effect.id, message: this.#answer("ack", from, []) });
      }
      // What was under way before is answered too.
      for (const id of this.#calls.keys()) this.#step({ type: "reply", id, message: this.#answer("ack", "b", []) });
    }
    throw new Error("never quiet");
  }
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
