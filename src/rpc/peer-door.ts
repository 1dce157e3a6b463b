// Calls between agents, both ways: `PeerDoor` hands what comes in to whoever serves its path, `PeerClient` sends.
import type { Peers } from "../platform.ts";
import { OperationalError } from "../types/error.ts";
import { allocate } from "../util/slab.ts";
import { decodeReply, decodeRequest, type Envelope, encodeAnswer, encodeError, encodeRequestHead } from "./envelope.ts";
import type { RequestIds } from "./request-ids.ts";

/** Serves one path: who asks, and with what. What it throws goes back to the asker. */
export type PeerHandler = (from: Peer, body: Uint8Array) => Uint8Array | Promise<Uint8Array>;

/** Who this agent is to others. */
export interface PeerIdentity {
  readonly id: string;
  readonly datacenter: string;
  /** `host:port` where it takes calls; "" when it takes none. */
  readonly address: string;
}

/** Another agent: its node id, and `host:port` where it takes calls. */
export interface Peer {
  readonly id: string;
  readonly address: string;
  /** When it is another one than the caller's own. */
  readonly datacenter?: string;
}

/** The way in. */
export class PeerDoor {
  readonly #identity: PeerIdentity;
  readonly #handlers = new Map<string, PeerHandler>();
  readonly #bug: (error: unknown) => void;
  readonly #refused: (from: string, why: string) => void;

  /**
   * @param bug told of what was thrown and is no operational error.
   * @param refused told of calls that are not for this agent, or that it cannot read.
   */
  constructor(
    identity: PeerIdentity,
    bug: (error: unknown) => void,
    refused: (from: string, why: string) => void = () => {},
  ) {
    this.#identity = identity;
    this.#bug = bug;
    this.#refused = refused;
  }

  /** Serves `path` from now on. */
  serve(path: string, handler: PeerHandler): void {
    this.#handlers.set(path, handler);
  }

  /** Answers a call, from an IP address; errors are answers too. Never rejects. */
  async handle(path: string, bytes: Uint8Array, from: string): Promise<Uint8Array> {
    try {
      return encodeAnswer(await this.#dispatch(path, bytes, from));
    } catch (error) {
      if (error instanceof OperationalError) return encodeError(error);
      this.#bug(error);
      return encodeError(
        new OperationalError("refused", "Internal error: the log of the agent that was asked has the details"),
      );
    }
  }

  #dispatch(path: string, bytes: Uint8Array, from: string): Uint8Array | Promise<Uint8Array> {
    const { id, datacenter } = this.#identity;
    let request: Envelope;
    try {
      request = decodeRequest(bytes);
      if (request.datacenter !== datacenter)
        throw new OperationalError(
          "no-path-to-datacenter",
          `agent ${id} is of datacenter '${datacenter}', not '${request.datacenter}'`,
        );
    } catch (error) {
      this.#refused(from, (error as Error).message);
      throw error;
    }
    if (request.to !== "" && request.to !== id)
      throw new OperationalError("unreachable", `agent ${request.to} is not here: this is ${id}`);
    const handler = this.#handlers.get(path);
    if (request.path !== path || handler === undefined)
      throw new OperationalError("unsupported", `agents of this version answer no calls to ${path}`);
    return handler({ id: request.from, address: request.address }, request.body);
  }
}

/** Agents whose heads are remembered for each path. */
const HEADS_MAX = 1024;

/** The way out. */
export class PeerClient {
  readonly #identity: PeerIdentity;
  readonly #peers: Peers;
  /** Numbers the commands that are sent on. */
  readonly requestIds: RequestIds;
  /** By path, and by the agent that is called. */
  readonly #heads = new Map<string, Map<string, Uint8Array>>();

  constructor(identity: PeerIdentity, peers: Peers, requestIds: RequestIds) {
    this.#identity = identity;
    this.#peers = peers;
    this.requestIds = requestIds;
  }

  /**
   * Calls an agent. `peer.id` may be "" for whoever is at the address.
   * @throws OperationalError what the peer threw; `unreachable` when the call certainly did not arrive; `timeout` or
   * `outcome-unknown` when it may have.
   */
  async call(peer: Peer, path: string, body: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    const head = this.#head(peer, path);
    const request = allocate(head.length + body.length);
    request.set(head);
    request.set(body, head.length);
    return decodeReply(await this.#peers.call(peer.address, path, request, timeoutMs));
  }

  /** The same bytes before every call to one agent and path. */
  #head({ id: to, datacenter: other }: Peer, path: string): Uint8Array {
    let heads = this.#heads.get(path);
    if (heads === undefined) this.#heads.set(path, (heads = new Map()));
    const key = other === undefined ? to : `${to} ${other}`;
    let head = heads.get(key);
    if (head === undefined) {
      const { id, datacenter, address } = this.#identity;
      head = encodeRequestHead({ datacenter: other ?? datacenter, from: id, address, to, path });
      if (heads.size >= HEADS_MAX) heads.clear();
      heads.set(key, head);
    }
    return head;
  }
}
