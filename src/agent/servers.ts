// The servers of the datacenter that this server knows, learned by asking the addresses of `retry_join` who is there.
// From them a new group makes its first configuration (`bootstrap_expect`), and a leader takes up servers that come later.
//
// A group begins when exactly as many empty servers as expected know each other, each all of them. The first that sees so
// begins it; the others take over its configuration, as long as nobody has been elected in it. An empty server that a
// group in work names among its own has lost its disk: it gets nothing from here, and waits for an operator.
import { decode, encode } from "../codec/value.ts";
import type { Timer, Timers } from "../host/timers.ts";
import { makeConfiguration } from "../raft/configuration.ts";
import type { Configuration } from "../raft/types.ts";
import type { PeerClient, PeerDoor } from "../rpc/peer-door.ts";
import type { Member } from "../server/reconcile.ts";
import type { Server } from "../server/server.ts";
import { OperationalError } from "../types/error.ts";

/** The path by which servers introduce themselves. */
const HELLO_PATH = "/rpc/1/hello";

const TIMEOUT_MS = 2000;
/** How often addresses are asked, before there is a group and after. */
const FORMING_MS = 250;
const FORMED_MS = 5000;

/** What a server says of itself. */
interface Hello {
  member: Member;
  /** `host:port` where it takes calls. */
  address: string;
  expect: number;
  /** It holds nothing; only the first configuration, with nobody elected; or more. */
  state: "empty" | "begun" | "working";
  configuration: Configuration;
  /** The ids of the empty servers it knows, its own among them, sorted. */
  knows: readonly string[];
}

/** What it needs of the agent. */
export interface ServersOptions {
  readonly server: Server;
  readonly client: PeerClient;
  readonly timers: Timers;
  /** This server, and where it takes calls. */
  self(): Member;
  readonly address: string;
  /** How many servers the first configuration is to have; 0 or 1: not made here. */
  readonly expect: number;
  /** `host:port` of servers to ask. */
  readonly addresses: readonly string[];
  /** A server has said who it is. */
  noted(member: Member): void;
  log(level: "info" | "warn" | "error", message: string, fields?: Record<string, unknown>): void;
}

/** The directory, and the work of filling it. */
export class Servers {
  readonly #options: ServersOptions;
  readonly #known = new Map<string, { hello: Hello }>();
  #timer: Timer | null = null;
  #stopped = false;
  #changing = false;
  #warned = false;

  constructor(options: ServersOptions) {
    this.#options = options;
  }

  serve(door: PeerDoor): void {
    door.serve(HELLO_PATH, (_from, body) => {
      this.#note(decode(body) as Hello);
      return encode(this.#hello());
    });
  }

  start(): void {
    if (this.#options.addresses.length > 0) void this.#round();
  }

  stop(): void {
    this.#stopped = true;
    this.#options.timers.cancel(this.#timer);
  }

  /** The members that are servers, this one not among them. */
  get members(): Member[] {
    return [...this.#known.values()].map(({ hello }) => hello.member);
  }

  member(id: string): Member | null {
    return this.#known.get(id)?.hello.member ?? null;
  }

  async #round(): Promise<void> {
    const { addresses, address, client, timers, server } = this.#options;
    const hello = encode(this.#hello());
    const ask = async (at: string): Promise<void> => {
      if (at === address) return;
      try {
        this.#note(decode(await client.call({ id: "", address: at }, HELLO_PATH, hello, TIMEOUT_MS)) as Hello);
      } catch {
        // Nobody there yet: it is asked again.
      }
    };
    await Promise.all(addresses.map(ask));
    if (this.#stopped) return;
    this.#bootstrap();
    void this.#admit();
    this.#timer = timers.after(server.isVirgin ? FORMING_MS : FORMED_MS, () => void this.#round());
  }

  #hello(): Hello {
    const { server, expect, address } = this.#options;
    const { raft } = server;
    const state = server.isVirgin ? "empty" : raft.lastIndex === 1 && raft.term <= 1 ? "begun" : "working";
    return {
      member: this.#options.self(),
      address,
      expect,
      state,
      configuration: raft.configuration,
      knows: this.#empty(),
    };
  }

  /** The ids of the empty servers that expect the same, this one among them, sorted. */
  #empty(): string[] {
    const own = this.#options.server.isVirgin ? [this.#options.self().id] : [];
    const others = [...this.#known.values()].filter(
      ({ hello }) => hello.state === "empty" && hello.expect === this.#options.expect,
    );
    return [...own, ...others.map(({ hello }) => hello.member.id)].sort();
  }

  #note(hello: Hello): void {
    const { member, state, knows } = hello;
    if (
      typeof member?.id !== "string" ||
      typeof hello.address !== "string" ||
      typeof state !== "string" ||
      !Array.isArray(knows)
    )
      throw new OperationalError("invalid-request", "a server's introduction is malformed");
    if (member.id === this.#options.self().id) return;
    this.#known.set(member.id, { hello });
    this.#options.noted(member);
  }

  #bootstrap(): void {
    const { server, expect, self, address, log } = this.#options;
    if (!server.isVirgin || expect < 2) return;
    const { id } = self();
    for (const { hello } of this.#known.values()) {
      if (hello.state === "working") return;
      if (hello.state !== "begun" || !hello.configuration.servers.some((each) => each.id === id)) continue;
      log("info", "taking over the first configuration of the group", { from: hello.member.name });
      server.bootstrap(hello.configuration);
      return;
    }
    const ids = this.#empty();
    if (ids.length > expect && !this.#warned) {
      this.#warned = true;
      log(
        "error",
        "more servers than bootstrap_expect are waiting to form a group: stop the others, or set it to their number",
        { expect, found: ids.length },
      );
    }
    if (ids.length !== expect) return;
    const same = ids.join();
    const others = ids.filter((other) => other !== id).map((other) => this.#known.get(other)?.hello as Hello);
    if (!others.every(({ knows }) => knows.join() === same)) return;
    log("info", "found expected number of peers, attempting bootstrap", {
      peers: others.map((other) => other.address).join(),
    });
    server.bootstrap(
      makeConfiguration([
        { id, address, voter: true },
        ...others.map((other) => ({ id: other.member.id, address: other.address, voter: true })),
      ]),
    );
  }

  /** The leader takes up servers that came later, without a vote: autopilot gives them one (server/caretaker.ts). */
  async #admit(): Promise<void> {
    const { server, log } = this.#options;
    if (!server.leading || this.#changing) return;
    this.#changing = true;
    try {
      const { raft, group } = server;
      const configured = new Map(raft.configuration.servers.map((each) => [each.id, each]));
      for (const { hello } of this.#known.values()) {
        const { id } = hello.member;
        const known = configured.get(id);
        if (server.group.recovery.isDropped(id)) continue;
        if (known === undefined && hello.state === "empty") {
          log("info", "adding server to the group", { id, address: hello.address });
          await group.change({ kind: "add", id, address: hello.address });
        } else if (known !== undefined && known.address !== hello.address) {
          await group.change({ kind: "add", id, address: hello.address });
        }
      }
    } catch (error) {
      log("warn", "failed to change the group", { error });
    } finally {
      this.#changing = false;
    }
  }
}
