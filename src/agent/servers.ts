// The other servers of the datacenter, as each says of itself when it is asked; who they are comes from the LAN pool. From
// them a new group makes its first configuration (`bootstrap_expect`), and a leader takes up servers that come later.
//
// A group begins when exactly as many empty servers as expected know each other, each all of them. The first that sees so
// begins it; the others take over its configuration, as long as nobody has been elected in it. An empty server that a
// group in work names among its own has lost its disk: it gets nothing from here, and waits for an operator.
import { decode, encode } from "../codec/value.ts";
import type { Timer, Timers } from "../host/timers.ts";
import type { ClusterId } from "./cluster-id.ts";
import { isConfiguration, makeConfiguration } from "../raft/configuration.ts";
import type { Configuration } from "../raft/types.ts";
import type { Peer, PeerClient, PeerDoor } from "../rpc/peer-door.ts";
import type { Member } from "../server/reconcile.ts";
import type { Server } from "../server/server.ts";
import { OperationalError } from "../types/error.ts";
import { isUuid } from "../util/bytes.ts";

/** The path by which servers introduce themselves. */
const HELLO_PATH = "/rpc/1/hello";

const TIMEOUT_MS = 2000;
/** How often servers are asked, before there is a group and after. */
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
  /** The cluster it belongs to; "" when it does not know. */
  cluster: string;
}

/** What it needs of the agent. */
export interface ServersOptions {
  readonly server: Server;
  readonly cluster: ClusterId;
  readonly client: PeerClient;
  readonly timers: Timers;
  /** This server, and where it takes calls. */
  self(): Member;
  readonly address: string;
  /** How many servers the first configuration is to have; 0 or 1: not made here. */
  readonly expect: number;
  /** The other servers of the pool. */
  peers(): readonly Peer[];
  log(level: "info" | "warn" | "error", message: string, fields?: Record<string, unknown>): void;
}

/** No group has so many. */
const KNOWN_MAX = 256;

/** True for what a server says of itself. */
function isHello(hello: unknown): hello is Hello {
  if (typeof hello !== "object" || hello === null) return false;
  const { member, address, state, configuration, knows, cluster } = hello as Record<string, unknown>;
  const isKnown = state === "empty" || state === "begun" || state === "working";
  // Who is empty has no configuration yet, and an empty one is none.
  const { servers } = (configuration ?? {}) as { servers?: unknown };
  const isEmpty = Array.isArray(servers) && servers.length === 0;
  return (
    isKnown &&
    isMember(member) &&
    typeof address === "string" &&
    typeof cluster === "string" &&
    (isEmpty || isConfiguration(configuration)) &&
    Array.isArray(knows) &&
    knows.every((id) => typeof id === "string")
  );
}

function isMember(member: unknown): member is Member {
  if (typeof member !== "object" || member === null) return false;
  const { name, id, address, datacenter, status, server } = member as Record<string, unknown>;
  if (![name, id, address, datacenter].every((text) => typeof text === "string" && text !== "")) return false;
  // Of itself a server says nothing else.
  if (status !== "alive" || !isUuid(id as string)) return false;
  if (server === null) return true;
  if (typeof server !== "object") return false;
  const { port, meta } = server as Record<string, unknown>;
  if (!Number.isInteger(port) || typeof meta !== "object" || meta === null || Array.isArray(meta)) return false;
  return Object.values(meta).every((text) => typeof text === "string");
}

/** The directory, and the work of filling it. */
export class Servers {
  readonly #options: ServersOptions;
  readonly #known = new Map<string, { hello: Hello }>();
  /** Ids of servers that refuse, as the log has it. */
  readonly #refusals = new Set<string>();
  #timer: Timer | null = null;
  #stopped = true;
  #isAsking = false;
  #changing = false;
  #warned = false;
  #saidLost = false;

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
    this.#stopped = false;
    if (this.#options.peers().length > 0) void this.#round();
  }

  stop(): void {
    this.#stopped = true;
    this.#options.timers.cancel(this.#timer);
  }

  /** The pool says something new of a server: it is asked soon. */
  memberChanged(): void {
    if (this.#stopped || this.#isAsking) return;
    const { timers } = this.#options;
    timers.cancel(this.#timer);
    this.#timer = timers.after(0, () => void this.#round());
  }

  async #round(): Promise<void> {
    const { peers, client, timers, server } = this.#options;
    const hello = encode(this.#hello());
    const asked = peers();
    const ids = new Set(asked.map(({ id }) => id));
    for (const id of this.#known.keys()) if (!ids.has(id)) this.#known.delete(id);
    const ask = async (peer: Peer): Promise<void> => {
      try {
        this.#note(decode(await client.call(peer, HELLO_PATH, hello, TIMEOUT_MS)) as Hello);
      } catch (error) {
        // Nobody there yet: it is asked again.
        this.#unanswered(peer, error);
      }
    };
    this.#isAsking = true;
    await Promise.all(asked.map(ask));
    this.#isAsking = false;
    // Alone it need not wake for this: the pool will tell.
    if (this.#stopped || asked.length === 0) return;
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
      cluster: this.#options.cluster.value,
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

  /** Who refuses will go on refusing until somebody does something: that is said once. */
  #unanswered({ id, address }: Peer, error: unknown): void {
    if (!(error instanceof OperationalError) || error.code !== "refused" || this.#refusals.has(id)) return;
    this.#refusals.add(id);
    this.#options.log("warn", "a server refuses this one", { address, error });
  }

  #note(hello: Hello): void {
    if (!isHello(hello)) throw new OperationalError("invalid-request", "a server's introduction is malformed");
    const { member } = hello;
    if (member.id === this.#options.self().id) return;
    if (!this.#known.has(member.id) && this.#known.size >= KNOWN_MAX)
      throw new OperationalError("refused", `there are ${KNOWN_MAX} servers already`);
    this.#known.set(member.id, { hello });
    const { servers } = this.#options.server.raft.configuration;
    const isOfOne = (id: string): boolean => servers.some((each) => each.id === id);
    if (isOfOne(member.id) && isOfOne(this.#options.self().id)) this.#options.cluster.heard(hello.cluster);
    this.#sayIfLost(hello);
  }

  /** Nobody gets a vote with an empty log. */
  #sayIfLost({ state, configuration, address }: Hello): void {
    const { server, self, log } = this.#options;
    const { id } = self();
    const isVoter = configuration.servers.some((each) => each.id === id && each.voter);
    if (this.#saidLost || state !== "working" || !isVoter || !server.isVirgin) return;
    this.#saidLost = true;
    log(
      "error",
      "this server holds nothing, but the group counts on its vote: its data was lost. It takes no part, since it may have forgotten " +
        `a promise. Either take it out of the group, "proconsul operator raft remove-peer -id=${id}", and it is taken in again as a ` +
        "new server; or stop it, delete the file node-id in its data directory, and start it: it then joins under another id",
      { said_by: address },
    );
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
        if (known === undefined && (hello.state === "empty" || this.#isOfThisGroup(hello))) {
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

  /**
   * A server that was removed while it was away, and is back: its log is this group's, of another time. One that holds
   * another group's log is left alone, since that log would be thrown away.
   */
  #isOfThisGroup({ configuration }: Hello): boolean {
    const { servers } = this.#options.server.raft.configuration;
    return configuration.servers.some(({ id }) => servers.some((server) => server.id === id));
  }
}
